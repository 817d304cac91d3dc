// SPDX-License-Identifier: GPL-2.0

//! What there is below every number here: `floor`, the simplest round trip to the device, made by
//! the module in tests/bench/floor; `clock`, what it takes to look at the clock.

use std::{
    fs::File,
    io::Read, //
};

use anyhow::{
    Context,
    Result, //
};

use crate::{
    bench::Bench,
    samples::{
        repeat,
        timed,
        Samples, //
    },
};

/// The module's file: each read is a round trip.
const FILE: &str = "/dev/gpio-virtio-floor";

/// The simplest round trip.
pub fn floor(bench: &Bench) -> Result<()> {
    let mut file = File::open(FILE).with_context(|| {
        format!("cannot open {FILE}: gpio-virtio-floor.ko has to be loaded, and have a device")
    })?;
    let mut samples = Samples::new();
    let mut operation = || -> Result<()> {
        file.read_exact(&mut [0])
            .context("the device did not answer")
    };
    repeat(bench.limits.warmup, &mut operation)?;
    repeat(bench.limits.duration, || {
        samples.push(timed(&mut operation)?);
        Ok(())
    })?;
    bench.emit("floor", 1, 1, samples.summary())
}

/// Nothing at all.
pub fn clock(bench: &Bench) -> Result<()> {
    let mut samples = Samples::new();
    repeat(bench.limits.warmup, || {
        samples.push(timed(|| Ok(()))?);
        Ok(())
    })?;
    bench.emit("clock", 0, 1, samples.summary())
}
