// SPDX-License-Identifier: GPL-2.0

//! What differs between the protocols: one file each.

pub mod rfc;
pub mod standard;

use std::time::Duration;

use gpio_virtio_logic::line::{
    Direction,
    Level, //
};

use crate::{
    config::Configuration,
    faults::{
        FaultError,
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
    /// What the device says about itself.
    pub config: &'a Configuration,
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
#[derive(Debug, Default)]
pub struct Answer {
    /// The bytes; none for a chain that could not be understood.
    pub bytes: Vec<u8>,
    /// The line that it is about.
    pub line: u16,
    /// What the driver knows when it has got it.
    pub news: News,
    /// A buffer for events that goes back because of the command.
    pub buffer: Option<Return>,
}

/// What the driver knows once it has got a chain back, for the protocol to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum News {
    /// Nothing that matters.
    #[default]
    Nothing,
    /// The interrupt of a line was enabled or disabled.
    Interrupt {
        /// The line.
        line: u16,
        /// Whether it is enabled.
        enabled: bool,
        /// Which of the commands about that it was, counted from 1.
        turn: u32,
    },
    /// A line was given a direction.
    Direction {
        /// The line.
        line: u16,
        /// Which of the commands about that it was.
        turn: u32,
    },
    /// A buffer of this line is the driver's again.
    Buffer(u16),
}

/// A buffer for events that goes back without an event.
#[derive(Debug)]
pub struct Return {
    /// The buffer.
    pub chain: Chain,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// When that is.
    pub when: When,
    /// What the driver knows then.
    pub news: News,
}

/// When a buffer goes back, seen from the answer to the command because of which it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Before it.
    Before,
    /// Right after it.
    #[default]
    After,
    /// That long after the command came, whether the answer is late or not.
    Late(Duration),
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

    /// Whether it matters if a buffer for events was there before a command, or before its answer.
    fn orders_buffers(&self) -> bool {
        false
    }

    /// The direction that lines have before the driver sets it.
    fn first_direction(&self) -> Option<Direction>;

    /// What can be wrong with an event.
    fn forgeries(&self) -> &'static [Forgery];

    /// Whether a reply can be spoilt in this way.
    fn check_mutation(&self, mutation: Mutation) -> Result<(), FaultError>;

    /// The configuration space.
    fn config_space(&self, config: &Configuration) -> Vec<u8>;

    /// A driver has come, and has accepted `features`.
    fn start(&mut self, features: u64);

    /// The driver goes on with the rings of a device that was here before. Until it has reset this one it
    /// cannot know what this one does not.
    fn taken_over(&mut self) {}

    /// The driver has gone: chains that it gave us are its own again.
    fn stop(&mut self, stats: &mut Stats);

    /// Checks a command and carries it out, or refuses it with the errno that is given.
    fn execute(&mut self, chain: &Chain, refusal: Option<u16>, bench: Bench<'_>) -> Answer;

    /// Spoils an answer, and returns how many bytes to say that it has.
    fn spoil(&self, answer: &mut Answer, mutation: Mutation) -> u32;

    /// The driver has got a chain back.
    fn delivered(&mut self, _news: News) {}

    /// The driver does not get to know this by an answer, or only later.
    fn hidden(&mut self, _news: News) {}

    /// Takes a buffer for events of a device with so many lines, or gives it back at once.
    fn take_buffer(&mut self, chain: Chain, lines: u16, stats: &mut Stats) -> Option<Return>;

    /// The buffer for the next event of a line.
    fn buffer(&self, line: u16) -> Option<&Chain>;

    /// That buffer is the driver's again.
    fn drop_buffer(&mut self, line: u16);

    /// The first line from this one on that there is a buffer for.
    fn buffer_from(&self, line: u16) -> Option<u16>;

    /// Whether a malformed event can come before the one of this line.
    fn can_forge(&self, line: u16) -> bool;

    /// One has.
    fn forged(&mut self, _line: u16) {}

    /// The line for an event that nobody has asked for, of so many lines: the first one from a line
    /// on that there can be one of, and not the line to avoid if there is another.
    fn stray_line(&self, from: u16, avoid: u16, lines: u16) -> Option<u16>;

    /// What a line is armed for, if the driver can say that.
    fn armed(&self, line: u16) -> Option<IrqType>;

    /// A line has a new level, and the driver has not set it.
    fn note_change(&mut self, line: u16, level: Level, stats: &mut Stats);

    /// How many changes wait to be reported.
    fn owed(&self) -> usize;

    /// Whether there may be something to report if there is a buffer.
    fn may_report(&self) -> bool;

    /// The line that is next to be reported and has a buffer.
    fn next_event(&mut self, lines: &Lines) -> Option<u16>;

    /// That line was reported.
    fn event_sent(&mut self, line: u16, stats: &mut Stats);

    /// There is no buffer for those that are left: returns how many wait from now on.
    fn hold_events(&mut self) -> usize;

    /// An event: a line has this level.
    fn event(&self, line: u16, level: Level) -> Vec<u8>;

    /// Spoils an event of a device with so many lines, and returns how many bytes to say that it
    /// has.
    fn spoil_event(&self, event: &mut Vec<u8>, forgery: Forgery, lines: u16) -> u32;
}

/// The number of bytes as descriptors count.
pub(crate) fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or_default()
}
