// SPDX-License-Identifier: GPL-2.0

//! Fuzzes the life of slots.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpio_virtio_fuzz::slots(data));
