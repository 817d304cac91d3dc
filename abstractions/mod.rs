// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions that `rust/kernel` does not have yet.
//!
//! Nothing here knows of the driver that uses it: each module is written as one that could move to
//! `rust/kernel` as it is. All `unsafe` code of the driver is in here.

mod bindings;
pub(crate) mod completion;
pub(crate) mod gpio;
pub(crate) mod ratelimit;
pub(crate) mod virtio;

#[cfg(CONFIG_GPIO_VIRTIO_KUNIT_TEST)]
mod tests;
