// SPDX-License-Identifier: GPL-2.0

//! Whether to look for a reply for a moment before one goes to sleep.
//!
//! To put a task to sleep and to wake it up takes longer than a device that is quick takes to answer,
//! most of all where an idle processor is one that the host has given to somebody else. Where a device
//! is not so quick, or its host lacks the processor that the guest keeps busy, it only takes time.

use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};

/// So many failures in a row count at the most: after them one wait in 1024 is tried.
const MAX_FAILURES: u32 = 10;

/// The longest time for which answers are looked for: a task that does so cannot be killed, and takes no
/// notice of its deadline.
const MAX_US: u32 = 1000;

/// What is known about a device's answers.
pub(crate) struct Spinning {
    limit: Delta,
    /// How often in a row there was no answer in time.
    failures: Atomic<u32>,
    /// How many waits are not tried.
    skip: Atomic<u32>,
}

impl Spinning {
    /// For a device whose answers are looked for at most `limit_us` microseconds, or a thousand if that is
    /// more.
    pub(crate) fn new(limit_us: u32) -> Self {
        Self {
            limit: Delta::from_micros(limit_us.min(MAX_US).into()),
            failures: Atomic::new(0),
            skip: Atomic::new(0),
        }
    }

    /// For how long to look for the next answer, if it is worth while.
    pub(crate) fn limit(&self) -> Option<Delta> {
        if self.limit.is_zero() {
            return None;
        }
        // It does no harm if others change these at the same time.
        match self.skip.load(Relaxed) {
            0 => Some(self.limit),
            skip => {
                self.skip.store(skip - 1, Relaxed);
                None
            }
        }
    }

    /// Takes note of whether there was an answer in time.
    pub(crate) fn learn(&self, was_answered: bool) {
        let failures = match was_answered {
            true => 0,
            false => (self.failures.load(Relaxed) + 1).min(MAX_FAILURES),
        };
        self.failures.store(failures, Relaxed);
        if failures > 0 {
            self.skip.store(1 << failures, Relaxed);
        }
    }
}
