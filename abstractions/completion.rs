// SPDX-License-Identifier: GPL-2.0

//! Completions with waits that end: by a signal that kills, or after a time.
//!
//! `kernel::sync::Completion` has an uninterruptible wait without a limit only, and can be
//! completed only for good.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::{
    bindings,
    prelude::*,
    time::Jiffies,
    types::Opaque, //
};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The completion was signalled.
    Done,
    /// The time is over.
    TimedOut,
    /// The task is being killed.
    Killed,
}

/// A point in time until which one waits.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Jiffies);

impl Deadline {
    fn now() -> Jiffies {
        // SAFETY: `jiffies` is a word that is always valid to read; it changes meanwhile, so the
        // read is volatile.
        unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) }
    }

    /// The point `limit` jiffies from now. At most half of what a `Jiffies` can count.
    pub(crate) fn after(limit: Jiffies) -> Self {
        Self(Self::now().wrapping_add(limit.min(Jiffies::MAX / 2)))
    }

    /// Whether it is over.
    pub(crate) fn is_over(self) -> bool {
        self.left() == 0
    }

    /// How long it is until then; 0 if it is over.
    fn left(self) -> Jiffies {
        // The count of jiffies wraps around: what is more than half of it away is over.
        match self.0.wrapping_sub(Self::now()) {
            left if left <= Jiffies::MAX / 2 => left,
            _ => 0,
        }
    }
}

/// A count of signals that tasks wait for, in the order in which they came.
///
/// Wraps [`struct completion`](srctree/include/linux/completion.h). Each [`signal`](Self::signal)
/// ends one wait, whether that wait has begun or not; so it can say that one thing is done, and as
/// well count how many of a thing are to be had.
#[pin_data]
pub(crate) struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: `struct completion` may be used and freed on any thread.
unsafe impl Send for Completion {}

// SAFETY: `struct completion` has its own lock: its functions may be called concurrently.
unsafe impl Sync for Completion {}

impl Completion {
    /// Makes a completion that is not signalled.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: `slot` points to memory for a `struct completion`.
                unsafe { bindings::init_completion(slot) };
            }),
        })
    }

    /// Ends one wait, the one that began first or else the next. May be called in any context.
    pub(crate) fn signal(&self) {
        // SAFETY: By construction `self.inner` is an initialised completion.
        unsafe { bindings::complete(self.inner.get()) };
    }

    /// Ends all waits, those to come included. Not to be called in hard interrupt context.
    pub(crate) fn signal_for_ever(&self) {
        // SAFETY: By construction `self.inner` is an initialised completion.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// Uses up a signal if there is one, without a wait. May be called in any context.
    pub(crate) fn try_wait(&self) -> bool {
        // SAFETY: By construction `self.inner` is an initialised completion.
        unsafe { bindings::try_wait_for_completion(self.inner.get()) }
    }

    /// Waits for a signal, however long that takes. May sleep.
    pub(crate) fn wait(&self) {
        // SAFETY: By construction `self.inner` is an initialised completion.
        unsafe { bindings::wait_for_completion(self.inner.get()) };
    }

    /// Waits for a signal until `deadline`, even if the task is killed.
    ///
    /// May sleep.
    pub(crate) fn wait_until(&self, deadline: Deadline) -> Wait {
        // SAFETY: By construction `self.inner` is an initialised completion.
        match unsafe { bindings::wait_for_completion_timeout(self.inner.get(), deadline.left()) } {
            0 => Wait::TimedOut,
            _ => Wait::Done,
        }
    }

    /// Waits for a signal until `deadline`, or until the task is killed.
    ///
    /// May sleep.
    pub(crate) fn wait_killable(&self, deadline: Deadline) -> Wait {
        // SAFETY: By construction `self.inner` is an initialised completion.
        let ret = unsafe {
            bindings::wait_for_completion_killable_timeout(self.inner.get(), deadline.left())
        };

        match ret {
            0 => Wait::TimedOut,
            left if left > 0 => Wait::Done,
            _ => Wait::Killed,
        }
    }
}
