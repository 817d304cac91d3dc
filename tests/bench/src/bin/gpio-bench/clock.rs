// SPDX-License-Identifier: GPL-2.0

//! The clock that all times here are read from.
//!
//! It is the one that the kernel gives edge events their times by, so that both can be compared.

use rustix::time::{
    clock_gettime,
    ClockId, //
};

/// Nanoseconds since some time before.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}
