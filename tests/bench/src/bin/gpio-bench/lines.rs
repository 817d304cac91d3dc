// SPDX-License-Identifier: GPL-2.0

//! Lines of a chip, and the ioctls that are measured.
//!
//! Lines are requested by gpiocdev. What is timed is one ioctl of the second version of the user
//! space API each and nothing else, so it is made directly.

use std::{
    fs::File,
    os::fd::AsFd,
    path::Path, //
};

use anyhow::{
    Context,
    Result, //
};
use gpiocdev::{
    line::{
        Offset,
        Value, //
    },
    Request, //
};
use gpiocdev_uapi::v2::{
    get_line_values,
    set_line_config,
    set_line_values,
    LineConfig,
    LineFlags,
    LineValues, //
};

/// Who holds the lines, as the kernel knows it.
pub const CONSUMER: &str = "gpio-bench";

/// The most lines that one request can have.
pub const MOST: u32 = 64;

/// Lines that were requested.
#[derive(Debug)]
pub struct Lines {
    file: File,
    mask: u64,
    bits: u64,
    // Holds the lines.
    _request: Request,
}

impl Lines {
    /// Requests lines, as outputs that are low or as inputs.
    pub fn request(chip: &Path, offsets: &[Offset], outputs: bool) -> Result<Self> {
        let mut builder = Request::builder();
        builder
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_lines(offsets);
        match outputs {
            true => builder.as_output(Value::Inactive),
            false => builder.as_input(),
        };
        let request = builder.request().with_context(|| {
            format!(
                "cannot request {} lines of {}",
                offsets.len(),
                chip.display()
            )
        })?;
        let file = File::from(request.as_fd().try_clone_to_owned()?);
        let mask = match offsets.len() {
            0 => 0,
            count => u64::MAX >> 64_usize.saturating_sub(count),
        };
        Ok(Self {
            file,
            mask,
            bits: 0,
            _request: request,
        })
    }

    /// Reads all of them.
    pub fn get(&self) -> Result<()> {
        let mut values = LineValues {
            bits: 0,
            mask: self.mask,
        };
        get_line_values(&self.file, &mut values).context("cannot read the lines")
    }

    /// Sets all of them to what they were not.
    pub fn toggle(&mut self) -> Result<()> {
        self.bits ^= self.mask;
        let values = LineValues {
            bits: self.bits,
            mask: self.mask,
        };
        set_line_values(&self.file, &values).context("cannot set the lines")
    }

    /// Makes them outputs that are low, or inputs.
    pub fn set_direction(&self, outputs: bool) -> Result<()> {
        let config = LineConfig {
            flags: match outputs {
                true => LineFlags::OUTPUT,
                false => LineFlags::INPUT,
            },
            ..LineConfig::default()
        };
        set_line_config(&self.file, config).context("cannot change the direction")
    }
}
