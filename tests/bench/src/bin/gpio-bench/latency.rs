// SPDX-License-Identifier: GPL-2.0

//! How long it takes from a cause to the edge that a user-space program reads: `latency`.
//!
//! With a device that has a control channel, an output is wired to an input there, and the cause is
//! that the output is set: the time is from the start of that ioctl, so the round trip by which the
//! device learns of it is in it. gpio-sim's lines are pulled by a file in sysfs, and the time is
//! from the start of the write.
//!
//! The reader is a thread that waits in read(2), as a consumer does. It wants rising edges only: for
//! both sorts gpiolib would read the line to tell one from the other, which is another round trip,
//! and one at the same time as that of the output, which the kernel's own driver does not survive
//! for long (see [`crate::threads`]).

use std::{
    fs,
    path::PathBuf,
    sync::mpsc::{
        sync_channel,
        SyncSender, //
    },
    thread,
    time::Duration, //
};

use anyhow::{
    bail,
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
    bench::{
        sysfs,
        Bench, //
    },
    clock,
    lines::{
        Lines,
        CONSUMER, //
    },
    samples::{
        repeat,
        Samples, //
    },
};

/// The line that is set, and the one that it is wired to.
const OUTPUT: Offset = 0;
const INPUT: Offset = 1;

/// An edge that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// When an edge came.
struct Edge {
    /// To the kernel.
    kernel: u64,
    /// To the reader.
    reader: u64,
}

/// What moves the input.
enum Cause {
    /// An output that is wired to it.
    Wire(Lines),
    /// gpio-sim's file for it, and the level that it has.
    Pull(PathBuf, bool),
}

impl Cause {
    fn new(bench: &mut Bench) -> Result<Self> {
        if bench.has_control() {
            let lines = Lines::request(bench.chip()?, &[OUTPUT], true)?;
            bench.control()?.ask(&format!("wire {OUTPUT} {INPUT}"))?;
            return Ok(Self::Wire(lines));
        }
        let file = sysfs(bench.chip()?)?
            .join(format!("sim_gpio{INPUT}"))
            .join("pull");
        if !file.exists() {
            bail!("latency needs the device's control channel, or a chip of gpio-sim's");
        }
        fs::write(&file, "pull-down")?;
        Ok(Self::Pull(file, false))
    }

    /// Has the input go up, when it is down, or down.
    fn act(&mut self) -> Result<()> {
        match self {
            Self::Wire(lines) => lines.toggle(),
            Self::Pull(file, level) => {
                *level = !*level;
                let pull = if *level { "pull-up" } else { "pull-down" };
                fs::write(file, pull).context("cannot pull the line")
            }
        }
    }
}

/// Reads edges until there is nobody to tell.
fn read(request: &Request, edges: &SyncSender<Edge>) -> Result<()> {
    loop {
        let event = request.read_edge_event()?;
        let edge = Edge {
            kernel: event.timestamp_ns,
            reader: clock::now(),
        };
        if edges.send(edge).is_err() {
            return Ok(());
        }
    }
}

/// Measures it.
pub fn latency(bench: &mut Bench) -> Result<()> {
    let mut cause = Cause::new(bench)?;
    let request = Request::builder()
        .on_chip(bench.chip()?)
        .with_consumer(CONSUMER)
        .with_line(INPUT)
        .as_input()
        .with_edge_detection(EdgeDetection::RisingEdge)
        .request()
        .context("cannot watch a line for edges")?;

    let (sender, edges) = sync_channel(16);
    let reader = thread::spawn(move || read(&request, &sender));

    let mut to_reader = Samples::new();
    let mut to_kernel = Samples::new();
    let mut round = |keep: bool| -> Result<()> {
        let start = clock::now();
        cause.act()?;
        let edge = edges
            .recv_timeout(PATIENCE)
            .context("an edge did not come within 5 seconds")?;
        if keep {
            to_reader.push(edge.reader.saturating_sub(start));
            to_kernel.push(edge.kernel.saturating_sub(start));
        }
        cause.act()
    };
    repeat(bench.limits.warmup, || round(false))?;
    repeat(bench.limits.duration, || round(true))?;

    // One edge more, and the reader finds out that nobody listens.
    drop(edges);
    cause.act()?;
    if let Ok(result) = reader.join() {
        result.context("cannot read edges")?;
    }
    if bench.has_control() {
        bench.control()?.ask(&format!("unwire {OUTPUT}"))?;
    }

    let mut values = to_reader.summary();
    for (name, value) in to_kernel.summary() {
        if name != "count" {
            values.insert(format!("kernel_{name}"), value);
        }
    }
    bench.emit("latency", 1, 1, values)
}
