// SPDX-License-Identifier: GPL-2.0

//! Finds a GPIO chip by whatever it is called.

use std::path::PathBuf;

use anyhow::{
    bail,
    Context,
    Result, //
};
use gpiocdev::chip::{
    chips,
    Chip, //
};

/// The path of the chip with this path, name, number or label.
pub fn find(chip: &str) -> Result<PathBuf> {
    if chip.contains('/') {
        return Ok(chip.into());
    }

    let mut labelled = Vec::new();
    for path in chips().context("cannot list GPIO chips")? {
        // A chip can go away while we look.
        let Ok(info) = Chip::from_path(&path).and_then(|chip| chip.info()) else {
            continue;
        };
        if info.name == chip || info.name.strip_prefix("gpiochip") == Some(chip) {
            return Ok(path);
        }
        if info.label == chip {
            labelled.push(path);
        }
    }

    match labelled.as_slice() {
        [] => bail!("there is no GPIO chip {chip:?}"),
        [path] => Ok(path.clone()),
        [first, second, ..] => bail!(
            "both {} and {} have the label {chip:?}",
            first.display(),
            second.display()
        ),
    }
}
