// SPDX-License-Identifier: GPL-2.0

//! A vhost-user GPIO device with simulated lines.
//!
//! Drivers are tested against it: it speaks the protocol to the letter, counts every rule that the
//! driver breaks, and breaks rules itself when it is told to. The way through it:
//!
//! - [`serve`] listens for front ends, [`backend`] is what the vhost-user crates call;
//! - [`device`] holds everything that belongs to one device under one lock, and moves chains
//!   between [`ring`] and [`protocol`], with [`faults`] and [`outbox`] between an answer and its
//!   way back;
//! - [`lines`] is the model, [`config`] what the device says about itself, [`events`] what it still
//!   has to report;
//! - [`control`] is the text protocol by which a test drives lines from outside, [`stats`] and
//!   [`violation`] are what it can ask for.

pub mod args;
pub mod backend;
pub mod config;
pub mod control;
pub mod device;
pub mod events;
pub mod faults;
pub mod lines;
pub mod outbox;
pub mod protocol;
pub mod random;
pub mod ring;
pub mod serve;
pub mod stats;
pub mod violation;
pub mod watch;
