// SPDX-License-Identifier: GPL-2.0

//! Limits how often a message is printed.
//!
//! C header: [`include/linux/ratelimit.h`](srctree/include/linux/ratelimit.h)

use super::bindings;
use kernel::{
    bindings as kernel_bindings,
    prelude::*,
    types::Opaque, //
};

/// The state of one limit: ten messages in five seconds, then a line that counts those left out.
///
/// Wraps [`struct ratelimit_state`](srctree/include/linux/ratelimit_types.h).
#[pin_data]
pub(crate) struct RateLimit {
    #[pin]
    state: Opaque<kernel_bindings::ratelimit_state>,
}

// SAFETY: `struct ratelimit_state` may be used and freed on any thread.
unsafe impl Send for RateLimit {}

// SAFETY: `struct ratelimit_state` has its own lock.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// Makes a limit that has let nothing through yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- Opaque::ffi_init(|slot: *mut kernel_bindings::ratelimit_state| {
                // SAFETY: `slot` points to memory for a `struct ratelimit_state`.
                unsafe { bindings::gpio_virtio_ratelimit_init(slot) };
            }),
        })
    }

    /// Says whether a message may be printed now, and counts it. May be called in any context.
    ///
    /// `name` is the origin that the line about left-out messages names.
    pub(crate) fn allows(&self, name: &'static CStr) -> bool {
        // SAFETY: By construction `self.state` is an initialised state; `name` is a C string.
        let ret = unsafe { kernel_bindings::___ratelimit(self.state.get(), name.as_char_ptr()) };
        ret != 0
    }
}
