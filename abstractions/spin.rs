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

/// For how many times its limit a look goes on at the most, as long as there is more and more.
const MAX_LIMITS: i64 = 10;

/// What is there at a moment.
pub(crate) enum Sight<T> {
    /// All that is looked for.
    All(T),
    /// More than before.
    More,
    /// Nothing new.
    Nothing,
}

/// How a look has ended.
pub(crate) enum Look<T> {
    /// It was there.
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

    /// Looks with `find`, once at least, until all is there or another task wants this processor; but
    /// only for `limit` since there was more, and for ten times as long at the most.
    pub(crate) fn look<T>(&self, limit: Delta, mut find: impl FnMut() -> Sight<T>) -> Look<T> {
        let start = Instant::<Monotonic>::now();
        let mut until = limit;

        for _ in 0..MAX_LOOKS {
            let is_more = match find() {
                Sight::All(found) => return Look::Found(found),
                Sight::More => true,
                Sight::Nothing => false,
            };
            if has_company() {
                return Look::Wanted;
            }
            let elapsed = start.elapsed();
            if elapsed > until {
                break;
            }
            if is_more {
                until = (elapsed + limit).min(limit * MAX_LIMITS);
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
