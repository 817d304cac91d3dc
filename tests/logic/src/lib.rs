// SPDX-License-Identifier: GPL-2.0

//! The pure part of the virtio GPIO driver, compiled for the host.
//!
//! There is no code here: the modules are the driver's own source files. The device that the driver
//! is tested against speaks the protocol through them, and the tests beside this file run them.

#![no_std]

#[path = "../../../gpio_virtio/command.rs"]
pub mod command;
#[path = "../../../gpio_virtio/line.rs"]
pub mod line;
#[path = "../../../gpio_virtio/line_irqs.rs"]
pub mod line_irqs;
#[path = "../../../gpio_virtio/line_states.rs"]
pub mod line_states;
#[path = "../../../gpio_virtio/message.rs"]
pub mod message;
#[path = "../../../gpio_virtio/names.rs"]
pub mod names;
#[path = "../../../gpio_virtio/protocol.rs"]
pub mod protocol;
#[path = "../../../gpio_virtio/rfc.rs"]
pub mod rfc;
#[path = "../../../gpio_virtio/slots.rs"]
pub mod slots;
#[path = "../../../gpio_virtio/standard.rs"]
pub mod standard;
#[path = "../../../abstractions/trigger.rs"]
pub mod trigger;
