// SPDX-License-Identifier: GPL-2.0

//! Reads what a device with ID 30 says about itself: all of it is in its configuration.

use crate::{
    abstractions::virtio::{
        Config,
        Device, //
    },
    identity::{
        self,
        Identity,
        Names,
        MAX_NAMES_SIZE, //
    },
    names,
    rfc::config, //
};
use kernel::{
    device::Bound,
    prelude::*,
    str::CString, //
};

/// What the configuration holds, not checked.
struct Raw {
    version: u8,
    num_gpios: u16,
    names_size: u32,
    name: [u8; config::NAME_SIZE],
    /// The block of names, or why it cannot be had.
    names: Result<KVVec<u8>>,
}

impl Raw {
    /// Reads a configuration, field by field. [`EINVAL`] if the device has not that much of it.
    fn read(config: &Config<'_>) -> Result<Self> {
        let mut name = [0; config::NAME_SIZE];
        let version = config.read_u8(config::VERSION)?;
        let num_gpios = config.read_le16(config::NUM_GPIOS)?;
        let names_size = config.read_le32(config::NAMES_SIZE)?;
        config.read_row(config::NAME, &mut name)?;

        let names = match names_size_that_fits(config.size(), names_size) {
            Some(size) if config::check(version, num_gpios).is_ok() => {
                KVVec::from_elem(0, size, GFP_KERNEL)
                    .map_err(Error::from)
                    .and_then(|mut names| {
                        config.read_row(config::NAMES, &mut names)?;
                        Ok(names)
                    })
            }
            _ => Err(EINVAL),
        };

        Ok(Self {
            version,
            num_gpios,
            names_size,
            name,
            names,
        })
    }
}

/// The size of the block of names, if the configuration can hold such a block.
fn names_size_that_fits(config_size: usize, names_size: u32) -> Option<usize> {
    // CAST: `usize` has 32 bits at least.
    let size = names_size as usize;
    let room = config_size.saturating_sub(config::NAMES);

    (size <= room.min(MAX_NAMES_SIZE)).then_some(size)
}

/// Reads what `dev` says about itself.
///
/// A device that is not a GPIO device, but has the same ID, is refused with [`ENODEV`] and a
/// message. If just the names are no good then they are not used, with a message.
pub(crate) fn read(dev: &Device<Bound>) -> Result<Identity> {
    let config = dev.config();
    let cdev = dev.as_ref();

    if config.size() < config::NAMES {
        let error = config::ConfigError::Size(config.size());
        dev_err!(cdev, "not a GPIO device, left alone: {}\n", error);
        return Err(ENODEV);
    }

    let raw = config.consistent(Raw::read).inspect_err(|error| {
        dev_err!(cdev, "cannot read the configuration: {:?}\n", error);
    })?;

    if let Err(error) = config::check(raw.version, raw.num_gpios) {
        dev_err!(cdev, "not a GPIO device, left alone: {}\n", error);
        return Err(ENODEV);
    }

    let label = match names::label(&raw.name) {
        Ok(label) => label,
        Err(error) => {
            dev_warn!(cdev, "the device's name is not used: {}\n", error);
            None
        }
    };
    let label = match label.and_then(|label| core::str::from_utf8(label).ok()) {
        Some(label) => CString::try_from_fmt(fmt!("{label}"))?,
        None => identity::default_label(cdev)?,
    };

    let names = if names_size_that_fits(config.size(), raw.names_size).is_none() {
        let size = raw.names_size;
        identity::names_not_used(cdev, fmt!("the configuration has no room for {size} bytes"));
        None
    } else {
        identity::line_names(cdev, raw.names, raw.num_gpios)
    };

    Ok(Identity {
        lines: raw.num_gpios,
        label,
        names: names.map_or(Names::None, Names::Known),
    })
}
