// SPDX-License-Identifier: GPL-2.0

//! To look for something again and again, instead of being woken up when it is there.
//!
//! This pays where it is there before a task can be put to sleep and woken up.
//!
//! C headers: [`include/linux/preempt.h`](srctree/include/linux/preempt.h),
//! [`include/linux/sched/stat.h`](srctree/include/linux/sched/stat.h)

use super::bindings;
use kernel::{
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::NotThreadSafe, //
};

/// The most looks, for a clock that does not go on meanwhile.
const MAX_LOOKS: u32 = 100_000;

/// How a look has ended.
pub(crate) enum Look<T> {
    /// There was something.
    Found(T),
    /// The time is over.
    TimedOut,
    /// Another task wants this processor.
    Wanted,
}

/// A task that keeps its processor, as others rely on it to look for something. It must not sleep.
pub(crate) struct Spinner {
    /// Preemption is to be enabled where it was disabled.
    _not_send: NotThreadSafe,
}

impl Spinner {
    /// Keeps this processor; `None` if another task wants it, or under `PREEMPT_RT`, where none may be
    /// kept from it.
    pub(crate) fn new() -> Option<Self> {
        if cfg!(CONFIG_PREEMPT_RT) || has_company() {
            return None;
        }
        // SAFETY: May be called anywhere. `drop()` enables preemption again.
        unsafe { bindings::gpio_virtio_preempt_disable() };
        Some(Self {
            _not_send: NotThreadSafe,
        })
    }

    /// Looks with `find`, once at least and for `limit` at the most, until there is something or another
    /// task wants this processor.
    pub(crate) fn look<T>(&self, limit: Delta, mut find: impl FnMut() -> Option<T>) -> Look<T> {
        let start = Instant::<Monotonic>::now();

        for _ in 0..MAX_LOOKS {
            if let Some(found) = find() {
                return Look::Found(found);
            }
            if has_company() {
                return Look::Wanted;
            }
            if start.elapsed() > limit {
                break;
            }
            core::hint::spin_loop();
        }
        Look::TimedOut
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        // SAFETY: `new()` has disabled it.
        unsafe { bindings::gpio_virtio_preempt_enable() };
    }
}

fn has_company() -> bool {
    // SAFETY: May be called anywhere.
    unsafe { bindings::gpio_virtio_has_company() }
}
