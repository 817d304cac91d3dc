// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that spin on every kernel.
//!
//! The other spinlocks sleep on `PREEMPT_RT`, so they cannot be taken where an interrupt chip is
//! called. What is done under one of these must be short and of a bounded length.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use super::bindings;
use kernel::{
    bindings::{
        lock_class_key,
        raw_spinlock_t, //
    },
    prelude::*,
    sync::lock::{
        Backend,
        Lock, //
    },
};

/// A `raw_spinlock_t` around a value. While it is held, the interrupts of this processor are off.
pub(crate) type RawSpinLock<T> = Lock<T, RawSpinLockBackend>;

/// Makes the initialiser of a [`RawSpinLock`], with a lock class of its own.
macro_rules! new_raw_spinlock {
    ($inner:expr, $name:literal) => {
        $crate::abstractions::raw_spinlock::RawSpinLock::new(
            $inner,
            kernel::c_str!($name),
            kernel::static_lock_class!(),
        )
    };
}
pub(crate) use new_raw_spinlock;

/// The backend of [`RawSpinLock`]: `raw_spin_lock_irq_disable()` and its like.
pub(crate) struct RawSpinLockBackend;

// SAFETY: A `raw_spinlock_t` has one owner at a time. `relock()` is the default one, which locks as
// `lock()` does.
unsafe impl Backend for RawSpinLockBackend {
    type State = raw_spinlock_t;
    type GuardState = ();

    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut lock_class_key) {
        // SAFETY: By the requirements of this function `ptr` can be written to, and the other two
        // live for ever.
        unsafe { bindings::gpio_virtio_raw_spin_lock_init(ptr, name, key) }
    }

    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: By the requirement of this function the lock is initialised.
        unsafe { bindings::gpio_virtio_raw_spin_lock(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: By the requirement of this function the lock is initialised.
        unsafe { bindings::gpio_virtio_raw_spin_trylock(ptr) }.then_some(())
    }

    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &Self::GuardState) {
        // SAFETY: By the requirement of this function the caller owns the lock.
        unsafe { bindings::gpio_virtio_raw_spin_unlock(ptr) }
    }

    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: By the requirement of this function the lock is initialised.
        unsafe { bindings::gpio_virtio_assert_raw_spin_locked(ptr) }
    }
}
