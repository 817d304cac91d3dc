// SPDX-License-Identifier: GPL-2.0

//! Fuzzes the interrupts of lines.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gpio_virtio_fuzz::line_irqs(data));
