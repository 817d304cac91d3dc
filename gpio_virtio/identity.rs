// SPDX-License-Identifier: GPL-2.0

//! What a device says about itself, whatever the protocol: how many lines it has, and what they are
//! called.

use crate::{
    abstractions::gpio::LineNames,
    names, //
};
use kernel::{
    device,
    fmt,
    prelude::*,
    str::CString, //
};

/// The largest block of names that is read, in bytes.
///
/// It is what there would be with 16 bytes for each of the most lines there can be.
pub(crate) const MAX_NAMES_SIZE: usize = 1 << 20;

/// What a device says about itself.
pub(crate) struct Identity {
    /// How many lines it has, at least 1.
    pub(crate) lines: u16,
    /// What it is called: its own name if it has a proper one, else that of the virtio device.
    pub(crate) label: CString,
    /// What its lines are called.
    pub(crate) names: Names,
}

/// Where the names of a device's lines are.
pub(crate) enum Names {
    /// There are none, or they are no good.
    None,
    /// They were read.
    Known(LineNames),
    /// The device has to be asked for them: a block of so many bytes.
    ToBeAsked(usize),
}

/// The label of a device that has no name of its own.
pub(crate) fn default_label(cdev: &device::Device) -> Result<CString> {
    CString::try_from_fmt(fmt!("{}", cdev.name()))
}

/// The names in a block, if there are any and they are good; if they are not then there is a message.
pub(crate) fn line_names(
    cdev: &device::Device,
    block: Result<KVVec<u8>>,
    lines: u16,
) -> Option<LineNames> {
    let names = block.and_then(|block| {
        if block.is_empty() {
            return Ok(None);
        }
        if let Err(error) = names::check(&block, lines) {
            names_not_used(cdev, fmt!("{error}"));
            return Ok(None);
        }
        LineNames::new(block, lines).map(Some)
    });

    names
        .inspect_err(|error| names_not_used(cdev, fmt!("{error:?}")))
        .ok()
        .flatten()
}

/// Says why the device's lines have no names.
pub(crate) fn names_not_used(cdev: &device::Device, why: fmt::Arguments<'_>) {
    dev_warn!(cdev, "the names of the lines are not used: {}\n", why);
}
