// SPDX-License-Identifier: GPL-2.0

//! What all measures need: what is measured, for how long, and where the results go.

use std::{
    collections::BTreeMap,
    fs,
    io::{
        stdout,
        Write, //
    },
    path::{
        Path,
        PathBuf, //
    },
};

use anyhow::{
    Context,
    Result, //
};
use gpio_bench::record::Record;

use crate::{
    control::Control,
    counters::Counters,
    samples::Limits, //
};

/// What is measured, and how.
#[derive(Debug)]
pub struct Bench {
    /// The name that the results have.
    pub subject: String,
    /// The round.
    pub round: u32,
    /// For how long.
    pub limits: Limits,
    chip: Option<PathBuf>,
    /// Of the device on the virtio bus.
    device: Option<String>,
    control: Option<Control>,
}

impl Bench {
    /// With the chip that is measured, and the control channel of its device.
    pub fn new(
        subject: String,
        round: u32,
        limits: Limits,
        chip: Option<PathBuf>,
        control: Option<Control>,
    ) -> Result<Self> {
        let device = match (&chip, &control) {
            (Some(chip), Some(_)) => Some(parent(chip)?),
            _ => None,
        };
        Ok(Self {
            subject,
            round,
            limits,
            chip,
            device,
            control,
        })
    }

    /// The path of the chip.
    pub fn chip(&self) -> Result<&Path> {
        self.chip
            .as_deref()
            .context("this measure needs a chip; give --chip")
    }

    /// The control channel of the device.
    pub fn control(&mut self) -> Result<&mut Control> {
        self.control
            .as_mut()
            .context("this measure needs the device's control channel; give --control")
    }

    /// Whether there is one.
    pub fn has_control(&self) -> bool {
        self.control.is_some()
    }

    /// What is counted, now.
    pub fn counters(&mut self) -> Result<Counters> {
        Counters::read(&mut self.control, self.device.as_deref())
    }

    /// Writes a result.
    pub fn emit(
        &self,
        measure: &str,
        lines: u32,
        threads: u32,
        values: BTreeMap<String, f64>,
    ) -> Result<()> {
        let record = Record {
            subject: self.subject.clone(),
            round: self.round,
            measure: measure.to_string(),
            lines,
            threads,
            values,
        };
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        let mut out = stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()?;
        Ok(())
    }
}

/// What sysfs has about a chip, given its path.
pub fn sysfs(chip: &Path) -> Result<PathBuf> {
    let name = chip.file_name().unwrap_or_default();
    let link = Path::new("/sys/bus/gpio/devices").join(name);
    fs::canonicalize(&link).with_context(|| format!("there is no {}", link.display()))
}

/// The name of the device that a chip is of.
fn parent(chip: &Path) -> Result<String> {
    let path = sysfs(chip)?;
    path.parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned())
        .with_context(|| format!("{} is no device's chip", path.display()))
}
