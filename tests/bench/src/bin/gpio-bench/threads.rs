// SPDX-License-Identifier: GPL-2.0

//! How many operations all threads together make in a second: `threads`.
//!
//! Each thread has a line and a request of its own, and sets and reads it in turn.
//!
//! A driver may not survive that: the kernel's own takes buffers from the queue while others add to
//! it, and sooner or later the queue breaks, so that operations fail, or a request is lost, so that
//! a thread waits for ever. So the threads are watched. When an operation fails, or none ends any
//! more, the result is what was done until then, and it says so (`failed`, `hung`). A thread that
//! hangs so cannot even be killed, and whoever waits for this program to end waits for ever.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{
            AtomicU64,
            Ordering, //
        },
        mpsc::{
            channel,
            RecvTimeoutError, //
        },
        Arc,
        Barrier, //
    },
    thread,
    time::Duration, //
};

use anyhow::{
    ensure,
    Result, //
};

use crate::{
    bench::Bench,
    clock,
    lines::Lines,
    samples::as_f64, //
};

/// An operation that takes longer does not end.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far a thread is.
#[derive(Debug, Default)]
struct Progress {
    operations: AtomicU64,
    start: AtomicU64,
    /// When the last operation ended.
    last: AtomicU64,
}

/// Works with the line of one thread, when all threads are there.
fn work(lines: &mut Lines, duration: Duration, all: &Barrier, progress: &Progress) -> Result<()> {
    all.wait();
    let start = clock::now();
    let end = start + u64::try_from(duration.as_nanos())?;
    progress.start.store(start, Ordering::Relaxed);
    let mut operations = 0;
    loop {
        match operations % 2 {
            0 => lines.toggle()?,
            _ => lines.get()?,
        }
        operations += 1;
        let now = clock::now();
        progress.operations.store(operations, Ordering::Relaxed);
        progress.last.store(now, Ordering::Relaxed);
        if now >= end {
            return Ok(());
        }
    }
}

/// What all threads have done.
struct Total {
    operations: u64,
    start: u64,
    last: u64,
}

impl Total {
    fn of(all: &[Arc<Progress>]) -> Self {
        let each = |field: fn(&Progress) -> &AtomicU64| {
            all.iter()
                .map(move |progress| field(progress).load(Ordering::Relaxed))
        };
        Self {
            operations: each(|progress| &progress.operations).sum(),
            start: each(|progress| &progress.start).min().unwrap_or_default(),
            last: each(|progress| &progress.last).max().unwrap_or_default(),
        }
    }
}

/// Has so many threads work at once. What they did is a result even if it fails.
pub fn throughput(bench: &mut Bench, count: u32) -> Result<()> {
    let mut ready = Vec::new();
    for line in 0..count {
        ready.push(Lines::request(bench.chip()?, &[line], true)?);
    }
    let all = Arc::new(Barrier::new(ready.len()));
    let before = bench.counters()?;

    let (done, results) = channel();
    let mut threads = Vec::new();
    for mut lines in ready {
        let progress = Arc::new(Progress::default());
        threads.push(progress.clone());
        let (all, done, duration) = (all.clone(), done.clone(), bench.limits.duration);
        thread::spawn(move || {
            let result = work(&mut lines, duration, &all, &progress);
            // The lines are given back when everything was counted.
            let _ = done.send(result.map(|()| lines));
        });
    }
    drop(done);

    let mut finished = Vec::new();
    let mut failure = None;
    let mut operations = 0;
    let hung = loop {
        match results.recv_timeout(PATIENCE) {
            Ok(Ok(lines)) => finished.push(lines),
            Ok(Err(error)) => failure = failure.or(Some(error)),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => {
                let total = Total::of(&threads).operations;
                if total == operations {
                    break true;
                }
                operations = total;
            }
        }
    };
    let after = bench.counters()?;

    let total = Total::of(&threads);
    let seconds = as_f64(total.last.saturating_sub(total.start)) / 1e9;
    let rate = match seconds > 0.0 {
        true => as_f64(total.operations) / seconds,
        false => 0.0,
    };
    let mut values: BTreeMap<String, f64> = [
        ("count", as_f64(total.operations)),
        ("per_second", rate),
        ("failed", f64::from(u8::from(failure.is_some()))),
        ("hung", f64::from(u8::from(hung))),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into();
    after.per_operation(&before, total.operations, &mut values);
    bench.emit("threads", count, count, values)?;
    // Nothing else can be done with this driver.
    ensure!(
        !hung,
        "a thread waits for ever: the driver has lost a request"
    );
    failure.map_or(Ok(()), Err)
}
