// SPDX-License-Identifier: GPL-2.0

//! What one ioctl about the lines takes: `get`, `set`, `direction-out`, `direction-in`.

use anyhow::Result;
use gpiocdev::line::Offset;

use crate::{
    bench::Bench,
    counters::Counters,
    lines::Lines,
    samples::{
        repeat,
        timed,
        Samples, //
    },
};

/// Does something with lines for as long as it has to be, and reports how long each time took and
/// what was counted.
fn measure(
    bench: &mut Bench,
    name: &str,
    count: u32,
    mut operation: impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut samples = Samples::new();
    repeat(bench.limits.warmup, &mut operation)?;
    let before = bench.counters()?;
    repeat(bench.limits.duration, || {
        samples.push(timed(&mut operation)?);
        Ok(())
    })?;
    report(bench, name, count, samples, &before)
}

/// Reports samples, with what was counted for each of them.
fn report(
    bench: &mut Bench,
    name: &str,
    lines: u32,
    samples: Samples,
    before: &Counters,
) -> Result<()> {
    let operations = u64::try_from(samples.len())?;
    let mut values = samples.summary();
    bench
        .counters()?
        .per_operation(before, operations, &mut values);
    bench.emit(name, lines, 1, values)
}

/// Reads so many lines at once.
pub fn get(bench: &mut Bench, count: u32) -> Result<()> {
    let offsets: Vec<Offset> = (0..count).collect();
    let lines = Lines::request(bench.chip()?, &offsets, false)?;
    measure(bench, "get", count, || lines.get())
}

/// Sets so many lines at once, to another level each time.
pub fn set(bench: &mut Bench, count: u32) -> Result<()> {
    let offsets: Vec<Offset> = (0..count).collect();
    let mut lines = Lines::request(bench.chip()?, &offsets, true)?;
    measure(bench, "set", count, || lines.toggle())
}

/// Makes a line an output, and an input again.
///
/// Each is timed; what is counted is the sum of both.
pub fn direction(bench: &mut Bench) -> Result<()> {
    let lines = Lines::request(bench.chip()?, &[0], false)?;
    let mut out = Samples::new();
    let mut back = Samples::new();

    repeat(bench.limits.warmup, || {
        lines.set_direction(true)?;
        lines.set_direction(false)
    })?;
    let before = bench.counters()?;
    repeat(bench.limits.duration, || {
        out.push(timed(|| lines.set_direction(true))?);
        back.push(timed(|| lines.set_direction(false))?);
        Ok(())
    })?;
    bench.emit("direction-in", 1, 1, back.summary())?;
    report(bench, "direction-out", 1, out, &before)
}
