// SPDX-License-Identifier: GPL-2.0

//! `gpio-bench`: measures what GPIO lines cost.
//!
//! It runs in the guest, and prints a line of JSON for each thing that it has measured.

mod bench;
mod binding;
// That of the stress tool.
#[path = "../../../../hammer/src/chip.rs"]
mod chip;
mod clock;
mod control;
mod counters;
mod edges;
mod floor;
mod latency;
mod lines;
mod memory;
mod samples;
mod stack;
mod threads;
mod tracing;
mod values;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::Duration, //
};

use anyhow::{
    Context,
    Result, //
};
use bench::Bench;
use binding::Binding;
use clap::{
    Parser,
    ValueEnum, //
};
use control::Control;
use samples::Limits;

/// What can be measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Measure {
    /// Reading lines, with one ioctl
    Get,
    /// Setting lines, with one ioctl
    Set,
    /// Making a line an output, and an input again
    Direction,
    /// Setting and reading, by several threads with a line each
    Threads,
    /// From a line's change to the edge that is read; wires line 0 to line 1 in the device
    Latency,
    /// How many edges come through when the device toggles lines
    Edges,
    /// Binding the driver
    Bind,
    /// Pieces of memory that an operation allocates
    Allocations,
    /// Memory that is there when the driver is bound
    Memory,
    /// The round trip of gpio-virtio-floor.ko
    Floor,
    /// Looking at the clock, which is a part of every other time
    Clock,
}

/// Measures what GPIO lines cost, and prints a line of JSON for each result.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What to measure; as often as needed
    #[arg(long = "measure", value_name = "NAME", required = true)]
    measures: Vec<Measure>,

    /// What is measured, as the results are to call it
    #[arg(long, value_name = "NAME", default_value = "gpio")]
    subject: String,

    /// Which round this is
    #[arg(long, value_name = "N", default_value_t = 1)]
    round: u32,

    /// The chip: its label, its name, its number, or the path of its device
    #[arg(long, value_name = "CHIP")]
    chip: Option<String>,

    /// The device's control channel
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,

    /// For how many milliseconds each thing is measured
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    duration_ms: u64,

    /// get, set: how many lines at once
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 8, 32, lines::MOST], value_parser = clap::value_parser!(u32).range(1..=64))]
    lines: Vec<u32>,

    /// threads: how many
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 8], value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Vec<u32>,

    /// edges: how many lines
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 8], value_parser = clap::value_parser!(u32).range(1..=64))]
    edge_lines: Vec<u32>,

    /// edges: how often each of the lines is toggled in a second
    #[arg(long, value_name = "HZ,...", value_delimiter = ',', default_values_t = [200, 10_000], value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rates: Vec<u32>,

    /// bind, memory: the driver's folder in sysfs
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/sys/bus/virtio/drivers/gpio_virtio"
    )]
    driver: PathBuf,

    /// bind, memory: the device, by its name on the driver's bus
    #[arg(long, value_name = "NAME")]
    device: Option<String>,

    /// bind: how many times
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    binds: u32,
}

impl Args {
    fn binding(&self) -> Result<Binding> {
        let device = self
            .device
            .clone()
            .context("this measure needs a device; give --device")?;
        Binding::new(self.driver.clone(), device)
    }
}

fn measure(bench: &mut Bench, args: &Args, measure: Measure) -> Result<()> {
    match measure {
        Measure::Get => args
            .lines
            .iter()
            .try_for_each(|&count| values::get(bench, count)),
        Measure::Set => args
            .lines
            .iter()
            .try_for_each(|&count| values::set(bench, count)),
        Measure::Direction => values::direction(bench),
        Measure::Threads => args
            .threads
            .iter()
            .try_for_each(|&count| threads::throughput(bench, count)),
        Measure::Latency => latency::latency(bench),
        Measure::Edges => args.edge_lines.iter().try_for_each(|&count| {
            args.rates
                .iter()
                .try_for_each(|&hertz| edges::edges(bench, count, hertz))
        }),
        Measure::Bind => binding::bind(bench, &args.binding()?, args.binds),
        Measure::Allocations => memory::allocations(bench),
        Measure::Memory => memory::memory(bench, &args.binding()?),
        Measure::Floor => floor::floor(bench),
        Measure::Clock => floor::clock(bench),
    }
}

fn run(args: &Args) -> Result<()> {
    let duration = Duration::from_millis(args.duration_ms);
    let limits = Limits {
        warmup: duration / 5,
        duration,
    };
    let chip = args.chip.as_deref().map(chip::find).transpose()?;
    let control = args.control.as_deref().map(Control::open).transpose()?;
    let mut bench = Bench::new(args.subject.clone(), args.round, limits, chip, control)?;

    for &name in &args.measures {
        measure(&mut bench, args, name).with_context(|| {
            let value = name.to_possible_value();
            let name = value.as_ref().map_or("?", |value| value.get_name());
            format!("cannot measure {name} of {}", args.subject)
        })?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpio-bench: {error:#}");
            ExitCode::from(1)
        }
    }
}
