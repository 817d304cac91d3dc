// SPDX-License-Identifier: GPL-2.0

//! Whether to look for a reply for a moment before one goes to sleep.
//!
//! To interrupt a processor, to put a task to sleep and to wake it up takes longer than a device that is
//! quick takes to answer, most of all where an idle processor is one that the host has given to somebody
//! else. Where a device is not so quick, or its host lacks the processor that the guest keeps busy, it
//! only takes time.

use crate::abstractions::spin::Spinner;
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

/// One of so many looks is without asking the device for no calls.
///
/// There are devices that interrupt whether they were asked to or not, and then there is nothing to be
/// found any more. An interrupt of which that is true of 99.9% the kernel turns off.
const LOUD: u32 = 64;

/// How somebody looks for an answer.
pub(crate) struct Turn {
    /// For how long.
    pub(crate) limit: Delta,
    /// Whether the device may be asked not to call meanwhile.
    pub(crate) is_quiet: bool,
    /// Who looks.
    pub(crate) spinner: Spinner,
}

/// What is known about a device's answers.
pub(crate) struct Spinning {
    limit: Delta,
    /// Counts the looks.
    looks: Atomic<u32>,
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
            looks: Atomic::new(0),
            failures: Atomic::new(0),
            skip: Atomic::new(0),
        }
    }

    /// How to look for the next answer, if it is worth while.
    pub(crate) fn next(&self) -> Option<Turn> {
        if self.limit.is_zero() {
            return None;
        }
        // It does no harm if others change these at the same time.
        match self.skip.load(Relaxed) {
            0 => {
                let spinner = Spinner::new()?;
                let looks = self.looks.load(Relaxed).wrapping_add(1);
                self.looks.store(looks, Relaxed);
                Some(Turn {
                    limit: self.limit,
                    is_quiet: looks % LOUD != 0,
                    spinner,
                })
            }
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
