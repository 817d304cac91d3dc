// SPDX-License-Identifier: GPL-2.0

//! `gpio-hammer-threads`: many threads that set and read GPIO lines as fast as they can.
//!
//! Lines are made outputs, set to pseudo-random levels, and read back. The last line of output says
//! how it went; the exit status is 0 only if there were no errors and nothing wrong was read.

mod chip;
mod work;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        Barrier, //
    },
    thread,
    time::Instant, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use clap::Parser;
use gpiocdev::{
    line::Value,
    Request, //
};
use work::Tally;

/// Many threads that set and read GPIO lines as fast as they can, and check what they read.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The chip: its label, its name, its number, or the path of its device
    #[arg(long, value_name = "CHIP")]
    chip: String,

    /// How many threads there are
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,

    /// How many requests each thread makes; a set or a get is one
    #[arg(long, value_name = "R", default_value_t = 10_000)]
    requests: u64,

    /// How many lines are used, dealt out to the threads; as many as threads unless given
    #[arg(long, value_name = "M", conflicts_with = "shared")]
    lines: Option<u32>,

    /// The first line that is used
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    first: u32,

    /// All threads use one line, and one request for it
    #[arg(long)]
    shared: bool,

    /// Start of the pseudo-random levels
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

/// Requests lines as outputs that are low.
fn request(path: &std::path::Path, lines: &[u32]) -> Result<Arc<Request>> {
    Request::builder()
        .on_chip(path)
        .with_consumer("gpio-hammer-threads")
        .with_lines(lines)
        .as_output(Value::Inactive)
        .request()
        .map(Arc::new)
        .with_context(|| format!("cannot request lines {lines:?} of {}", path.display()))
}

fn run(args: &Args) -> Result<Tally> {
    let path = chip::find(&args.chip)?;
    let count = args.lines.unwrap_or(args.threads);
    ensure!(
        args.shared || count >= args.threads,
        "{} threads need a line each, but there are {count} (or --shared)",
        args.threads
    );

    let shared = match args.shared {
        true => Some(request(&path, &[args.first])?),
        false => None,
    };
    let start = Arc::new(Barrier::new(usize::try_from(args.threads)?));

    // All lines are requested before any thread starts.
    let mut ready = Vec::new();
    for thread in 0..args.threads {
        let stride = usize::try_from(args.threads)?;
        let lines: Vec<u32> = match args.shared {
            true => vec![args.first],
            false => (thread..count)
                .step_by(stride)
                .map(|line| args.first.saturating_add(line))
                .collect(),
        };
        let request = match &shared {
            Some(request) => request.clone(),
            None => request(&path, &lines)?,
        };
        ready.push((thread, lines, request));
    }

    let threads: Vec<_> = ready
        .into_iter()
        .map(|(thread, lines, request)| {
            let seed = args.seed.wrapping_add(u64::from(thread) << 32);
            let (start, requests, shared) = (start.clone(), args.requests, args.shared);
            thread::spawn(move || {
                start.wait();
                match shared {
                    true => work::mixed(&request, &lines, requests, seed),
                    false => work::checked(&request, &lines, requests, seed),
                }
            })
        })
        .collect();

    let mut total = Tally::default();
    for thread in threads {
        match thread.join() {
            Ok(tally) => total.add(&tally),
            Err(_) => total.errors += 1,
        }
    }
    Ok(total)
}

fn main() -> ExitCode {
    let start = Instant::now();
    match run(&Args::parse()) {
        Ok(total) => {
            let clean = total.errors == 0 && total.wrong == 0;
            println!(
                "{} requests={} errors={} wrong={} elapsed={:.3}",
                if clean { "ok" } else { "failed" },
                total.requests,
                total.errors,
                total.wrong,
                start.elapsed().as_secs_f64()
            );
            ExitCode::from(u8::from(!clean))
        }
        Err(error) => {
            eprintln!("gpio-hammer-threads: {error:#}");
            ExitCode::from(2)
        }
    }
}
