// SPDX-License-Identifier: GPL-2.0

//! What is allocated: for an operation (`allocations`), and by binding (`memory`).

use std::collections::BTreeMap;

use anyhow::Result;
use gpiocdev::line::Offset;

use crate::{
    bench::Bench,
    binding::Binding,
    lines::{
        Lines,
        MOST, //
    },
    samples::as_f64,
    stack::Owner,
    tracing::{
        count,
        kept,
        Amounts, //
    },
};

/// The name of both drivers' modules.
const MODULE: &str = "gpio_virtio";

/// How many operations with one line, and how many with the most.
const SINGLE: u32 = 1000;
const MULTIPLE: u32 = 100;

/// Before it is counted, what is made once is made.
const WARMUP: u32 = 10;

/// Numbers and sizes, by owner, divided by something.
fn values(amounts: &Amounts, divisor: u32, per: &str) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for owner in Owner::ALL {
        let amount = amounts.get(&owner).copied().unwrap_or_default();
        let name = owner.name();
        let divisor = f64::from(divisor);
        values.insert(format!("{name}_count{per}"), as_f64(amount.count) / divisor);
        values.insert(format!("{name}_bytes{per}"), as_f64(amount.bytes) / divisor);
    }
    values
}

/// What operations of one sort allocate.
fn of_operations(bench: &Bench, name: &str, count_of_lines: u32, outputs: bool) -> Result<()> {
    let offsets: Vec<Offset> = (0..count_of_lines).collect();
    let mut lines = Lines::request(bench.chip()?, &offsets, outputs)?;
    let mut operations = |times: u32| -> Result<()> {
        for _ in 0..times {
            match outputs {
                true => lines.toggle()?,
                false => lines.get()?,
            }
        }
        Ok(())
    };
    let times = if count_of_lines == 1 {
        SINGLE
    } else {
        MULTIPLE
    };
    operations(WARMUP)?;
    let amounts = count(MODULE, || operations(times))?;
    bench.emit(name, count_of_lines, 1, values(&amounts, times, "_per_op"))
}

/// What getting and setting one line and many allocate.
pub fn allocations(bench: &Bench) -> Result<()> {
    for lines in [1, MOST] {
        of_operations(bench, "allocations-get", lines, false)?;
        of_operations(bench, "allocations-set", lines, true)?;
    }
    Ok(())
}

/// What is there after the driver was bound that was not there before. The driver has no device
/// before and after.
pub fn memory(bench: &Bench, binding: &Binding) -> Result<()> {
    binding.unbind()?;
    let amounts = kept(MODULE, || binding.bind().map(|_| ()))?;
    let lines = binding.lines()?;
    binding.unbind()?;
    bench.emit("memory", lines, 1, values(&amounts, 1, ""))
}
