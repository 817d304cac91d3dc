// SPDX-License-Identifier: GPL-2.0

//! One client of the control channel.

use std::{
    io::{
        self,
        BufRead,
        BufReader,
        Read,
        Write, //
    },
    os::unix::net::UnixStream,
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        mpsc::{
            sync_channel,
            Receiver, //
        },
        Arc, //
    },
    thread, //
};

use gpio_virtio_logic::line::Direction;

use super::command::{
    self,
    Command, //
};
use crate::{
    device::Device,
    faults::FAULTS,
    irq::IrqType,
    settings::SETTINGS,
    watch::Watcher, //
};

/// A longer line is refused.
const LONGEST: usize = 4096;

/// So many lines wait for a client that does not read; then it is not watching any more.
const WAITING: usize = 65536;

/// Serves a client until it is gone.
pub fn serve(stream: UnixStream, id: u64, device: &Device) {
    let (lines, waiting) = sync_channel(WAITING);
    let watcher = Watcher {
        id,
        lines,
        overrun: Arc::new(AtomicBool::new(false)),
    };
    let overrun = watcher.overrun.clone();

    let writer = match stream.try_clone() {
        Ok(stream) => thread::spawn(move || write(stream, &waiting, &overrun)),
        Err(error) => {
            log::error!("control channel: {error}");
            return;
        }
    };
    if let Err(error) = read(stream, &watcher, device) {
        log::debug!("control channel: {error}");
    }
    device.unwatch(id);

    // The last sender: the writer ends when it has written what is left.
    drop(watcher);
    if writer.join().is_err() {
        log::error!("control channel: a writer has failed");
    }
}

/// Writes lines as they come.
fn write(mut stream: UnixStream, lines: &Receiver<String>, overrun: &AtomicBool) {
    for mut line in lines {
        line.push('\n');
        if overrun.swap(false, Ordering::Relaxed) {
            line.insert_str(0, "overrun\n");
        }
        if stream.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
}

/// Reads commands and runs them.
fn read(stream: UnixStream, watcher: &Watcher, device: &Device) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let reply = match next_line(&mut input)? {
            Line::End => return Ok(()),
            Line::TooLong => Some(format!("error a line has more than {LONGEST} bytes")),
            Line::Text(bytes) => match String::from_utf8(bytes) {
                Ok(line) => answer(&line, watcher, device),
                Err(_) => Some("error a line is not UTF-8".to_string()),
            },
        };
        if reply.is_some_and(|reply| watcher.lines.send(reply).is_err()) {
            return Ok(());
        }
    }
}

enum Line {
    Text(Vec<u8>),
    TooLong,
    End,
}

/// Reads up to the end of a line. What has no end of line is no command.
fn next_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    input
        .by_ref()
        .take(limit + 1)
        .read_until(b'\n', &mut line)?;

    if let Some(text) = line.strip_suffix(b"\n") {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        return Ok(Line::Text(text.to_vec()));
    }
    if line.len() <= LONGEST || input.skip_until(b'\n')? == 0 {
        return Ok(Line::End);
    }
    Ok(Line::TooLong)
}

/// Runs one command, and returns the reply if it is still to be sent.
fn answer(line: &str, watcher: &Watcher, device: &Device) -> Option<String> {
    let result = match command::parse(line) {
        Ok(Command::Nothing) => {
            device.unwatch(watcher.id);
            return None;
        }
        Ok(Command::Watch) => {
            device.watch(watcher.clone(), "ok");
            return None;
        }
        Ok(command) => run(command, watcher, device),
        Err(error) => Err(error.to_string()),
    };
    Some(match result {
        Ok(text) if text.is_empty() => "ok".to_string(),
        Ok(text) => format!("ok {text}"),
        Err(text) => format!("error {text}"),
    })
}

fn run(command: Command, watcher: &Watcher, device: &Device) -> Result<String, String> {
    match command {
        Command::Lines => return Ok(device.line_count().to_string()),
        Command::Get(line) => {
            let (line, name) = device.line(line).map_err(say)?;
            let direction = match line.direction {
                Some(Direction::Input) => "in",
                Some(Direction::Output) => "out",
                None => "none",
            };
            let level = u32::from(line.level());
            return Ok(format!("{direction} {level} {name}").trim_end().to_string());
        }
        Command::Set(line, level) => device.drive(line, level).map_err(say)?,
        Command::Burst(line, count, rate) => device.burst(line, count, rate).map_err(say)?,
        Command::Irq(line) => {
            let armed = device.armed(line).map_err(say)?;
            return Ok(armed.map_or("all", IrqType::name).to_string());
        }
        Command::Wire(from, wire) => device.wire(from, wire).map_err(say)?,
        Command::Unwire(from) => device.unwire(from).map_err(say)?,
        Command::Nothing | Command::Watch => {}
        Command::Unwatch => device.unwatch(watcher.id),
        Command::Config(lines, config) => {
            let size = device.configure(lines, config).map_err(say)?;
            return Ok(format!("config-size={size}"));
        }
        Command::Fault(fault) => device.fault(fault).map_err(say)?,
        Command::Stats => return Ok(device.stats()),
        Command::ResetStats => device.reset_stats(),
        Command::Sync(word) => {
            device.unwatch(watcher.id);
            return Ok(word);
        }
        Command::FaultHelp => return Ok(FAULTS.to_string()),
        Command::Help => {
            return Ok(format!(
                "{}; SETTINGS are {SETTINGS}; F is one of: {FAULTS}",
                command::HELP
            ))
        }
    }
    Ok(String::new())
}

fn say(error: impl std::error::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut input = BufReader::new(input);
        let mut lines = Vec::new();
        loop {
            match next_line(&mut input).unwrap() {
                Line::End => return lines,
                Line::TooLong => lines.push("too long".to_string()),
                Line::Text(text) => lines.push(String::from_utf8_lossy(&text).into_owned()),
            }
        }
    }

    #[test]
    fn lines_are_read_and_long_ones_passed_over() {
        assert_eq!(lines(b"a\nb\r\n\nc"), ["a", "b", ""]);
        let full = "x".repeat(LONGEST);
        assert_eq!(
            lines(format!("{full}\nb\n").as_bytes()),
            [full.as_str(), "b"]
        );
        assert_eq!(
            lines(format!("{full}xx\nb\n").as_bytes()),
            ["too long", "b"]
        );
        assert_eq!(lines(format!("{full}x\nb\n").as_bytes()), ["too long", "b"]);
        assert!(lines(format!("{full}x").as_bytes()).is_empty());
    }
}
