// SPDX-License-Identifier: GPL-2.0

//! What differs between the protocols: one file each.

pub mod rfc;

use gpio_virtio_logic::rfc::Level;

use crate::{
    config::Configuration,
    faults::{
        Faults,
        Mutation, //
    },
    forgery::Forgery,
    irq::IrqType,
    lines::Lines,
    ring::Chain,
    stats::Stats, //
};

/// What a protocol works on.
pub struct Bench<'a> {
    /// The lines.
    pub lines: &'a mut Lines,
    /// Where rules that the driver breaks are counted.
    pub stats: &'a mut Stats,
    /// What the device is told to do wrong.
    pub faults: &'a Faults,
    /// Gets what the driver puts on outputs.
    pub driven: &'a mut Vec<Drive>,
}

/// What the driver puts on an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drive {
    /// The output.
    pub line: u16,
    /// Its level.
    pub level: Level,
    /// Whether that is something new.
    pub changed: bool,
}

/// What goes back in a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The bytes; none for a chain that could not be understood.
    pub bytes: Vec<u8>,
    /// The line that it is about.
    pub line: u16,
}

/// A protocol, and what a device that speaks it has to remember.
pub trait Protocol: Send {
    /// Number of the queue with commands.
    fn command_queue(&self) -> usize;

    /// Number of the queue with buffers for events.
    fn event_queue(&self) -> usize;

    /// The device's own feature bits.
    fn features(&self) -> u64;

    /// Whether answers about one line have to keep their order.
    fn keeps_order(&self) -> bool;

    /// The configuration space.
    fn config_space(&self, config: &Configuration) -> Vec<u8>;

    /// A driver has come, and has accepted `features`.
    fn start(&mut self, features: u64);

    /// The driver has gone: chains that it gave us are its own again.
    fn stop(&mut self, stats: &mut Stats);

    /// Checks a command and carries it out, or refuses it with the errno that is given.
    fn execute(&mut self, chain: &Chain, refusal: Option<u16>, bench: Bench<'_>) -> Answer;

    /// Spoils an answer, and returns how many bytes to say that it has.
    fn spoil(&self, answer: &mut Answer, mutation: Mutation) -> u32;

    /// Takes a buffer for events, or gives it back because it is none.
    fn take_buffer(&mut self, chain: Chain, stats: &mut Stats) -> Result<(), Chain>;

    /// How many of them there are.
    fn buffers(&self) -> usize;

    /// The buffer for the next event.
    fn buffer(&self) -> Option<&Chain>;

    /// That buffer is the driver's again.
    fn drop_buffer(&mut self);

    /// What a line is armed for, if the driver can say that.
    fn armed(&self, line: u16) -> Option<IrqType>;

    /// A line has a new level, and the driver has not set it.
    fn note_change(&mut self, line: u16, level: Level, stats: &mut Stats);

    /// How many changes wait to be reported.
    fn owed(&self) -> usize;

    /// The line that is next to be reported.
    fn next_event(&self) -> Option<u16>;

    /// That line was reported.
    fn event_sent(&mut self);

    /// There is no buffer for those that are left: returns how many wait from now on.
    fn hold_events(&mut self) -> usize;

    /// An event: a line has this level.
    fn event(&self, line: u16, level: Level) -> Vec<u8>;

    /// Spoils an event of a device with so many lines, and returns how many bytes to say that it
    /// has.
    fn spoil_event(&self, event: &mut Vec<u8>, forgery: Forgery, lines: u16) -> u32;
}
