// SPDX-License-Identifier: GPL-2.0

//! A count of signals, as the kernel's `struct completion` is.

use loom::sync::{
    Condvar,
    Mutex,
    MutexGuard, //
};

/// More signals than there are waits.
const MANY: usize = usize::MAX / 2;

/// Each signal ends one wait, whether that has begun or not.
#[derive(Debug)]
pub struct Completion {
    count: Mutex<usize>,
    waiters: Condvar,
}

/// A lock, which no thread leaves behind poisoned: a panic ends the model.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits for a signal of `waiters`.
pub(crate) fn wait<'a, T>(waiters: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    waiters
        .wait(guard)
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Default for Completion {
    fn default() -> Self {
        Self {
            count: Mutex::new(0),
            waiters: Condvar::new(),
        }
    }
}

impl Completion {
    /// Ends one wait.
    pub fn signal(&self) {
        *lock(&self.count) += 1;
        self.waiters.notify_one();
    }

    /// Ends all waits, those to come included.
    pub fn signal_for_ever(&self) {
        *lock(&self.count) = MANY;
        self.waiters.notify_all();
    }

    /// Uses up a signal if there is one.
    pub fn try_wait(&self) -> bool {
        let mut count = lock(&self.count);
        let is_signalled = *count > 0;

        *count -= usize::from(is_signalled);
        is_signalled
    }

    /// Waits for a signal, however long that takes.
    pub fn wait(&self) {
        let mut count = lock(&self.count);

        while *count == 0 {
            count = wait(&self.waiters, count);
        }
        *count -= 1;
    }
}
