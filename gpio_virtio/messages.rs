// SPDX-License-Identifier: GPL-2.0

//! Messages about what a device does wrong: so many, and no more.

use crate::abstractions::ratelimit::RateLimit;
use kernel::{
    device, fmt,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// Warnings about one device, for one kind of trouble.
#[pin_data]
pub(crate) struct Messages {
    dev: ARef<device::Device>,
    #[pin]
    limit: RateLimit,
}

impl Messages {
    /// Makes room for ten messages in five seconds.
    pub(crate) fn new(dev: &device::Device) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                limit <- RateLimit::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// The device that they are about.
    pub(crate) fn device(&self) -> &device::Device {
        &self.dev
    }

    /// Prints a warning, unless there were too many lately. May be called in any context.
    pub(crate) fn warn(&self, message: fmt::Arguments<'_>) {
        if self.limit.allows(c"gpio_virtio") {
            dev_warn!(self.dev, "{}\n", message);
        }
    }
}
