// SPDX-License-Identifier: GPL-2.0

//! Trace events of what goes between a driver and its device.
//!
//! What an event says is put together by a closure, which is called only if somebody has turned the
//! event on. Otherwise it costs a call of a function with a static branch, and without
//! `CONFIG_TRACEPOINTS` nothing. All of this may be called in any context.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

use super::bindings;
use kernel::{
    device,
    prelude::*, //
};

/// A message that the device has been given.
pub(crate) struct Request {
    /// The line that it is about.
    pub(crate) line: u16,
    /// What it is, as the protocol codes it.
    pub(crate) kind: u16,
    /// Its argument.
    pub(crate) value: u32,
}

/// What a device has replied to a message.
pub(crate) struct Reply {
    /// The line that the message was about.
    pub(crate) line: u16,
    /// What the message was.
    pub(crate) kind: u16,
    /// How many bytes the device says it wrote.
    pub(crate) written: u32,
    /// What the reply results in: a value as the protocol codes it, or an error.
    pub(crate) outcome: Result<u32>,
}

/// What a device has reported by itself.
pub(crate) struct Event {
    /// The line that it is about, if it is about one that exists.
    pub(crate) line: u16,
    /// How many bytes the device says it wrote.
    pub(crate) written: u32,
    /// What it says, as the protocol codes it.
    pub(crate) value: u32,
    /// Whether it is a report, and not nonsense.
    pub(crate) is_accepted: bool,
}

/// Records the event `gpio_virtio_request`.
#[inline]
pub(crate) fn request(dev: &device::Device, request: impl FnOnce() -> Request) {
    // SAFETY: The function only looks at a static key.
    if !cfg!(CONFIG_TRACEPOINTS) || !unsafe { bindings::gpio_virtio_trace_request_enabled() } {
        return;
    }
    let Request { line, kind, value } = request();
    // SAFETY: The name is a C string, and is copied.
    unsafe {
        bindings::gpio_virtio_trace_request(dev.name().as_char_ptr(), line, kind, value);
    }
}

/// Records the event `gpio_virtio_reply`.
#[inline]
pub(crate) fn reply(dev: &device::Device, reply: impl FnOnce() -> Reply) {
    // SAFETY: The function only looks at a static key.
    if !cfg!(CONFIG_TRACEPOINTS) || !unsafe { bindings::gpio_virtio_trace_reply_enabled() } {
        return;
    }
    let Reply {
        line,
        kind,
        written,
        outcome,
    } = reply();
    let outcome = match outcome {
        // CAST: To the eye values are small and errors are negative; nothing is decided by it.
        Ok(value) => value as i32,
        Err(error) => error.to_errno(),
    };
    // SAFETY: The name is a C string, and is copied.
    unsafe {
        bindings::gpio_virtio_trace_reply(dev.name().as_char_ptr(), line, kind, written, outcome);
    }
}

/// Records the event `gpio_virtio_event`.
#[inline]
pub(crate) fn event(dev: &device::Device, event: impl FnOnce() -> Event) {
    // SAFETY: The function only looks at a static key.
    if !cfg!(CONFIG_TRACEPOINTS) || !unsafe { bindings::gpio_virtio_trace_event_enabled() } {
        return;
    }
    let Event {
        line,
        written,
        value,
        is_accepted,
    } = event();
    // SAFETY: The name is a C string, and is copied.
    unsafe {
        bindings::gpio_virtio_trace_event(
            dev.name().as_char_ptr(),
            line,
            written,
            value,
            is_accepted,
        );
    }
}
