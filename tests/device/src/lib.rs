// SPDX-License-Identifier: GPL-2.0

//! A vhost-user GPIO device with simulated lines.
//!
//! Drivers are tested against it: it speaks a protocol to the letter, counts every rule that the
//! driver breaks, and breaks rules itself when it is told to. The way through it:
//!
//! - [`serve`] listens for front ends, [`backend`] is what the vhost-user crates call;
//! - [`device`] holds everything that belongs to one device under one lock, and moves chains
//!   between [`ring`] and [`protocol`], with [`faults`] and [`outbox`] between an answer and its
//!   way back;
//! - [`lines`] is the model, [`config`] what the device says about itself ([`settings`] is how that
//!   is written), [`events`] which changes it has to report ([`irq`]) and has not yet ([`owed`]),
//!   [`forgery`] what it reports though it should not;
//! - [`control`] is the text protocol by which a test drives lines from outside, with [`bursts`]
//!   and [`wires`] for what goes on without it, [`stats`] and [`violation`] are what it can ask for;
//!   [`doubts`] has what a driver is not blamed for.

pub mod args;
pub mod backend;
pub mod bursts;
pub mod config;
pub mod control;
pub mod device;
pub mod doubts;
pub mod events;
pub mod faults;
pub mod forgery;
pub mod irq;
pub mod lines;
pub mod outbox;
pub mod owed;
pub mod protocol;
pub mod random;
pub mod ring;
pub mod serve;
pub mod settings;
pub mod stats;
pub mod violation;
pub mod watch;
pub mod wires;
