// SPDX-License-Identifier: GPL-2.0

//! `gpio-edges`: watches GPIO lines for edges, and counts them.
//!
//! It says `ready` when it watches, and goes on until there is a line `stop` on its standard input,
//! or the input's end. Then it waits until nothing comes any more, and says what came, line by line.
//! The exit status is 0 only if the last edge of each line agrees with the level that the line has.

mod chip;
mod tally;

use std::{
    io::{
        stdin,
        stdout,
        Write, //
    },
    process::ExitCode,
    sync::{
        atomic::{
            AtomicBool,
            AtomicU64,
            Ordering, //
        },
        mpsc::{
            channel,
            Sender, //
        },
        Arc, //
    },
    thread,
    time::Duration, //
};

use anyhow::{
    anyhow,
    Context,
    Result, //
};
use clap::{
    Parser,
    ValueEnum, //
};
use gpiocdev::{
    line::{
        EdgeDetection,
        Offset, //
    },
    Request, //
};
use tally::Tally;

/// The kernel has room for no more events of one request, whatever is asked for.
const MOST: u32 = 1024;

/// A reader looks so often whether it should end.
const TICK: Duration = Duration::from_millis(50);

/// Which edges are watched for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Edges {
    Rising,
    Falling,
    Both,
}

impl From<Edges> for EdgeDetection {
    fn from(edges: Edges) -> Self {
        match edges {
            Edges::Rising => EdgeDetection::RisingEdge,
            Edges::Falling => EdgeDetection::FallingEdge,
            Edges::Both => EdgeDetection::BothEdges,
        }
    }
}

/// How lines are dealt out to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Requests {
    /// One request for all lines
    One,
    /// One request for each line
    Each,
}

/// Watches GPIO lines for edges, and counts them.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The chip: its label, its name, its number, or the path of its device
    #[arg(long, value_name = "CHIP")]
    chip: String,

    /// How many lines are watched, from line 0 on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    lines: u32,

    /// Which edges are watched for
    #[arg(long, value_name = "WHICH", default_value = "both")]
    edges: Edges,

    /// For how many events of a request the kernel has room
    #[arg(long, value_name = "N", default_value_t = MOST, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    buffer: u32,

    /// How lines are dealt out to requests
    #[arg(long, value_name = "HOW", default_value = "one")]
    requests: Requests,

    /// For how many milliseconds no event may come before the end
    #[arg(long, value_name = "MS", default_value_t = 500)]
    settle: u64,
}

/// What the main thread waits for.
enum Message {
    /// It is enough.
    Stop,
    /// A reader has failed.
    Failed(anyhow::Error),
}

/// What the readers share with the main thread.
#[derive(Debug, Default)]
struct Shared {
    /// Events that were read.
    events: AtomicU64,
    /// Set when the readers have to end.
    end: AtomicBool,
}

/// Requests lines for their edges.
fn request(path: &std::path::Path, lines: &[Offset], args: &Args) -> Result<Request> {
    Request::builder()
        .on_chip(path)
        .with_consumer("gpio-edges")
        .with_lines(lines)
        .as_input()
        .with_edge_detection(EdgeDetection::from(args.edges))
        .with_kernel_event_buffer_size(args.buffer)
        .request()
        .with_context(|| format!("cannot watch lines {lines:?} of {}", path.display()))
}

/// Reads the events of a request until it has to end.
fn read(request: &Request, lines: &[Offset], shared: &Shared) -> Result<Vec<Tally>> {
    let mut tallies: Vec<_> = lines.iter().copied().map(Tally::new).collect();
    let mut events = request.new_edge_event_buffer(usize::try_from(MOST)?);

    loop {
        if events.is_empty() && !request.wait_edge_event(TICK)? {
            if shared.end.load(Ordering::Relaxed) {
                return Ok(tallies);
            }
            continue;
        }
        let event = events.read_event()?;
        tallies
            .iter_mut()
            .find(|tally| tally.line() == event.offset)
            .with_context(|| format!("an event of line {}, not watched", event.offset))?
            .count(event.kind, event.line_seqno);
        shared.events.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until somebody wants the end.
fn wait_for_stop(messages: &Sender<Message>) {
    for line in stdin().lines() {
        match line {
            Ok(line) if line.trim() != "stop" => {}
            _ => break,
        }
    }
    // Nobody is there to hear it when the main thread has ended.
    let _ = messages.send(Message::Stop);
}

/// Watches, and returns what is wrong about what was seen.
fn run(args: &Args) -> Result<Vec<String>> {
    let path = chip::find(&args.chip)?;
    let lines: Vec<Offset> = (0..args.lines).collect();
    let chunk = match args.requests {
        Requests::One => lines.len(),
        Requests::Each => 1,
    };

    // All lines are requested before any thread starts.
    let mut ready = Vec::new();
    for lines in lines.chunks(chunk) {
        ready.push((Arc::new(request(&path, lines, args)?), lines.to_vec()));
    }

    let shared = Arc::new(Shared::default());
    let (sender, messages) = channel();
    let readers: Vec<_> = ready
        .into_iter()
        .map(|(request, lines)| {
            let (for_reader, shared, sender) = (request.clone(), shared.clone(), sender.clone());
            let reader = thread::spawn(move || {
                read(&for_reader, &lines, &shared).unwrap_or_else(|error| {
                    let error = error.context(format!("cannot read the edges of lines {lines:?}"));
                    let _ = sender.send(Message::Failed(error));
                    Vec::new()
                })
            });
            (request, reader)
        })
        .collect();
    thread::spawn(move || wait_for_stop(&sender));

    println!("ready");
    stdout().flush()?;
    if let Message::Failed(error) = messages.recv()? {
        return Err(error);
    }

    let mut before = None;
    loop {
        let events = shared.events.load(Ordering::Relaxed);
        if before == Some(events) {
            break;
        }
        before = Some(events);
        thread::sleep(Duration::from_millis(args.settle));
    }
    shared.end.store(true, Ordering::Relaxed);

    let mut tallies = Vec::new();
    for (request, reader) in readers {
        let read = reader.join().map_err(|_| anyhow!("a reader has failed"))?;
        tallies.extend(read.into_iter().map(|tally| (request.clone(), tally)));
    }
    if let Ok(Message::Failed(error)) = messages.try_recv() {
        return Err(error);
    }

    let mut wrong = Vec::new();
    for (request, tally) in &tallies {
        let level = request
            .value(tally.line())
            .with_context(|| format!("cannot read line {}", tally.line()))?;
        println!("{}", tally.describe(level));
        wrong.extend(tally.wrong(args.edges.into(), level));
    }
    println!(
        "total events={} lost={}",
        tallies.iter().map(|(_, tally)| tally.events).sum::<u64>(),
        tallies.iter().map(|(_, tally)| tally.lost()).sum::<u64>(),
    );
    Ok(wrong)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            for sentence in wrong {
                eprintln!("gpio-edges: {sentence}");
            }
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("gpio-edges: {error:#}");
            ExitCode::from(2)
        }
    }
}
