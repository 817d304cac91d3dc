// SPDX-License-Identifier: GPL-2.0

//! A device's control channel: the world outside of it.

use std::{
    collections::BTreeMap,
    fs::{
        File,
        OpenOptions, //
    },
    io::{
        BufRead,
        BufReader,
        Write, //
    },
    path::Path,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::{
    bail,
    Context,
    Result, //
};

/// So long it may take until something has happened that was asked for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a device counts, by name.
pub type Stats = BTreeMap<String, u64>;

/// The channel of one device.
#[derive(Debug)]
pub struct Control {
    commands: File,
    replies: BufReader<File>,
}

impl Control {
    /// Opens it, and leaves behind what another one left in it.
    pub fn open(path: &Path) -> Result<Self> {
        const SYNC: &str = "gpio-bench";

        let commands = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .with_context(|| format!("cannot open the control channel {}", path.display()))?;
        let replies = BufReader::new(commands.try_clone()?);
        let mut control = Self { commands, replies };
        control.send(&format!("\nsync {SYNC}"))?;
        while control.reply()? != format!("ok {SYNC}") {}
        Ok(control)
    }

    fn send(&mut self, command: &str) -> Result<()> {
        self.commands.write_all(format!("{command}\n").as_bytes())?;
        Ok(())
    }

    fn reply(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.replies.read_line(&mut line)? == 0 {
            bail!("the control channel has ended");
        }
        Ok(line.trim_end().to_string())
    }

    /// Gives a command; returns what comes after `ok`.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        let reply = self.reply()?;
        match reply.strip_prefix("ok") {
            Some(rest) => Ok(rest.trim_start().to_string()),
            None => bail!("the device says {reply:?} to {command:?}"),
        }
    }

    /// What the device has counted.
    pub fn stats(&mut self) -> Result<Stats> {
        let words = self.ask("stats")?;
        Ok(words
            .split_whitespace()
            .filter_map(|word| {
                let (name, value) = word.split_once('=')?;
                Some((name.to_string(), value.parse().ok()?))
            })
            .collect())
    }

    /// Waits until these counts are 0.
    pub fn wait_for_none(&mut self, names: &[&str]) -> Result<()> {
        let start = Instant::now();
        loop {
            let stats = self.stats()?;
            if names.iter().all(|&name| stats.get(name) == Some(&0)) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                bail!("the device still has {names:?} after a minute: {stats:?}");
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
