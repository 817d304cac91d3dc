// SPDX-License-Identifier: GPL-2.0

//! How many edges come through in a second, and whether one is lost: `edges`.
//!
//! The device toggles lines at a rate, and a thread reads the events of the one request that
//! watches them all. What is sent and does not come through is lost: merged by the device with the
//! one before, because the driver had not given its buffer back yet, or not delivered although the
//! device told of it.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc, //
    },
    thread,
    time::Duration, //
};

use anyhow::{
    anyhow,
    ensure,
    Context,
    Result, //
};
use gpiocdev::{
    line::{
        EdgeDetection,
        Offset, //
    },
    Request, //
};

use crate::{
    bench::Bench,
    clock,
    lines::CONSUMER,
    samples::as_f64, //
};

/// For so many events the kernel has room, and the reader takes that many at once.
const BUFFER: u16 = 1024;

/// The reader looks so often whether it should end.
const TICK: Duration = Duration::from_millis(50);

/// What a reader has seen.
#[derive(Default)]
struct Seen {
    count: u64,
    first: u64,
    last: u64,
}

/// Reads until it has to end and nothing comes any more.
fn read(request: &Request, end: &AtomicBool) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut events = request.new_edge_event_buffer(usize::from(BUFFER));
    loop {
        if events.is_empty() && !request.wait_edge_event(TICK)? {
            if end.load(Ordering::Relaxed) {
                return Ok(seen);
            }
            continue;
        }
        events.read_event()?;
        seen.last = clock::now();
        if seen.count == 0 {
            seen.first = seen.last;
        }
        seen.count += 1;
    }
}

/// Toggles each of so many lines so many times a second.
pub fn edges(bench: &mut Bench, count_of_lines: u32, hertz: u32) -> Result<()> {
    let lines: Vec<Offset> = (0..count_of_lines).collect();
    let request = Request::builder()
        .on_chip(bench.chip()?)
        .with_consumer(CONSUMER)
        .with_lines(&lines)
        .as_input()
        .with_edge_detection(EdgeDetection::BothEdges)
        .with_kernel_event_buffer_size(u32::from(BUFFER))
        .request()
        .context("cannot watch lines for edges")?;

    let end = Arc::new(AtomicBool::new(false));
    let reader = {
        let end = end.clone();
        thread::spawn(move || read(&request, &end))
    };

    let milliseconds = u64::try_from(bench.limits.duration.as_millis())?;
    let count = (u64::from(hertz) * milliseconds / 1000).max(1);
    let control = bench.control()?;
    let before = control.stats()?;
    for line in &lines {
        control.ask(&format!("burst {line} {count} {hertz}"))?;
    }
    control.wait_for_none(&["bursts", "owed"])?;
    let after = control.stats()?;
    end.store(true, Ordering::Relaxed);
    let seen = reader
        .join()
        .map_err(|_| anyhow!("a reader has failed"))?
        .context("cannot read edges")?;

    let more = |name: &str| {
        let of = |stats: &BTreeMap<String, u64>| stats.get(name).copied().unwrap_or_default();
        of(&after).saturating_sub(of(&before))
    };
    let sent = count * u64::from(count_of_lines);
    let (changes, told) = (more("changes"), more("events"));
    ensure!(
        changes == sent,
        "the device toggled {sent} times, but had {changes} changes to tell of"
    );
    let seconds = as_f64(seen.last.saturating_sub(seen.first)) / 1e9;
    let rate = match seconds > 0.0 {
        true => as_f64(seen.count.saturating_sub(1)) / seconds,
        false => 0.0,
    };
    let delivered = as_f64(seen.count);
    let values = [
        ("sent", as_f64(sent)),
        ("merged", as_f64(more("merged"))),
        ("told", as_f64(told)),
        ("delivered", delivered),
        ("delivered_per_second", rate),
        ("lost", as_f64(sent) - delivered),
        ("not_delivered", as_f64(told) - delivered),
        ("interrupts", as_f64(more("interrupts"))),
        ("notifications", as_f64(more("notifications"))),
    ]
    .map(|(name, value)| (name.to_string(), value))
    .into();
    bench.emit(&format!("edges-{hertz}"), count_of_lines, 1, values)
}
