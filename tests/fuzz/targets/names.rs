// SPDX-License-Identifier: GPL-2.0

//! Fuzzes blocks of names.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpio_virtio_fuzz::names(data));
