// SPDX-License-Identifier: GPL-2.0

//! Reads what a device with ID 41 says about itself: all but the names is in its configuration.

use crate::{
    abstractions::virtio::Device,
    identity::{
        self,
        Identity,
        Names,
        MAX_NAMES_SIZE, //
    },
    standard::config::{
        self,
        ConfigError, //
    },
};
use kernel::{
    device::Bound,
    prelude::*, //
};

/// Reads what `dev` says about itself.
///
/// A device that cannot be one is refused with [`ENODEV`] and a message. If just the size of the
/// names is no good then they are not used, with a message.
pub(crate) fn read(dev: &Device<Bound>) -> Result<Identity> {
    let config = dev.config();
    let cdev = dev.as_ref();
    let refuse = |error: ConfigError| {
        dev_err!(cdev, "not a GPIO device, left alone: {}\n", error);
        ENODEV
    };

    if config.size() < config::SIZE {
        return Err(refuse(ConfigError::Size(config.size())));
    }
    let (lines, names_size) = config
        .consistent(|config| {
            Ok((
                config.read_le16(config::NGPIO)?,
                config.read_le32(config::NAMES_SIZE)?,
            ))
        })
        .inspect_err(|error| {
            dev_err!(cdev, "cannot read the configuration: {:?}\n", error);
        })?;
    if lines == 0 {
        return Err(refuse(ConfigError::NoLines));
    }

    // CAST: `usize` has 32 bits at least.
    let names = match names_size as usize {
        0 => Names::None,
        size @ 1..=MAX_NAMES_SIZE => Names::ToBeAsked(size),
        size => {
            identity::names_not_used(cdev, fmt!("{size} bytes are more than {MAX_NAMES_SIZE}"));
            Names::None
        }
    };

    Ok(Identity {
        lines,
        label: identity::default_label(cdev)?,
        names,
    })
}
