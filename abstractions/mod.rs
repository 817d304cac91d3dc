// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions that `rust/kernel` does not have yet.
//!
//! Nothing here knows of the driver that uses it, but that the events of [`trace`] have its name: each
//! module is written as one that could move to `rust/kernel` as it is. All `unsafe` code of the driver
//! is in here.

mod bindings;
pub(crate) mod completion;
pub(crate) mod deferred;
pub(crate) mod gpio;
pub(crate) mod irq;
pub(crate) mod irq_work;
pub(crate) mod ratelimit;
pub(crate) mod raw_spinlock;
pub(crate) mod spin;
pub(crate) mod trace;
// Pure, and compiled for the host too, where it is public.
#[allow(dead_code, unreachable_pub)]
pub(crate) mod trigger;
pub(crate) mod virtio;

#[cfg(CONFIG_GPIO_VIRTIO_KUNIT_TEST)]
mod tests;
