// SPDX-License-Identifier: GPL-2.0

//! Binding a driver to its device and taking it off again: `bind`, how long the former takes.

use std::{
    fs::{
        self,
        OpenOptions, //
    },
    io::Write,
    path::{
        Path,
        PathBuf, //
    },
    thread,
    time::Duration, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use gpiocdev::chip::Chip;

use crate::{
    bench::Bench,
    samples::{
        timed,
        Samples, //
    },
};

/// After that long, nothing happens any more because of a device that is gone.
const SETTLE: Duration = Duration::from_millis(50);

/// A driver and a device.
#[derive(Debug)]
pub struct Binding {
    driver: PathBuf,
    device: String,
    /// The device's folder.
    folder: PathBuf,
}

impl Binding {
    /// `driver` is the driver's folder in sysfs, `device` the name of the device on the same bus.
    pub fn new(driver: PathBuf, device: String) -> Result<Self> {
        ensure!(
            driver.join("bind").exists(),
            "there is no driver {}: it has to be loaded",
            driver.display()
        );
        let folder = driver.join("../../devices").join(&device);
        ensure!(folder.exists(), "there is no device {}", folder.display());
        Ok(Self {
            driver,
            device,
            folder,
        })
    }

    /// Binds the driver: one write(2), which returns when the driver has the device. Returns how
    /// long it took.
    pub fn bind(&self) -> Result<u64> {
        let mut file = OpenOptions::new()
            .write(true)
            .open(self.driver.join("bind"))?;
        timed(|| Ok(file.write_all(self.device.as_bytes())?))
            .with_context(|| format!("cannot bind the driver to {}", self.device))
    }

    /// Takes the driver off its device, if it has it.
    pub fn unbind(&self) -> Result<()> {
        if self.driver.join(&self.device).exists() {
            fs::write(self.driver.join("unbind"), &self.device)
                .with_context(|| format!("cannot unbind the driver from {}", self.device))?;
        }
        thread::sleep(SETTLE);
        Ok(())
    }

    /// How many lines the chip of the device has, if there is one.
    pub fn lines(&self) -> Result<u32> {
        let mut chip = None;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.strip_prefix("gpiochip").is_some_and(is_number) {
                chip = Some(Path::new("/dev").join(name));
            }
        }
        match chip {
            Some(chip) => Ok(Chip::from_path(chip)?.info()?.num_lines),
            None => Ok(0),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// How long it takes to bind the driver, so many times. It has no device before and after.
pub fn bind(bench: &Bench, binding: &Binding, times: u32) -> Result<()> {
    let mut samples = Samples::new();
    let mut lines = 0;
    for _ in 0..times {
        binding.unbind()?;
        samples.push(binding.bind()?);
        lines = binding.lines()?;
    }
    binding.unbind()?;
    bench.emit("bind", lines, 1, samples.summary())
}
