// SPDX-License-Identifier: GPL-2.0

//! Fuzzes replies.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpio_virtio_fuzz::replies(data));
