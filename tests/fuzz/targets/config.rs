// SPDX-License-Identifier: GPL-2.0

//! Fuzzes configuration spaces.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpio_virtio_fuzz::config(data));
