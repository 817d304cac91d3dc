// SPDX-License-Identifier: GPL-2.0

//! Device ID 30: the protocol of the RFC.
//!
//! Decisions, where the protocol leaves room:
//!
//! - a level that is set on an input is kept for when the line is an output, and the reply has it;
//! - a command that has no value is carried out even if its value is not zero, but that is counted;
//! - a command whose chain has a wrong shape is not carried out, and comes back with no bytes used;
//! - without the feature that says what to report, each new level of an input that comes from
//!   outside is an event. What the driver does itself is not: it knows.

use std::collections::VecDeque;

use gpio_virtio_logic::rfc::{
    config,
    Kind,
    Level,
    Message,
    COMMAND_QUEUE,
    EVENT_QUEUE,
    MESSAGE_SIZE, //
};

use super::{
    Answer,
    Bench,
    Protocol, //
};
use crate::{
    config::Configuration,
    events::Owed,
    faults::Mutation,
    lines::Line,
    ring::Chain,
    stats::Stats,
    violation::Violation, //
};

/// Feature bit: the driver says which changes it wants to be told about.
pub const F_IRQ_TYPE: u64 = 1 << 0;

/// `MESSAGE_SIZE` as descriptors count.
const MESSAGE_BYTES: u64 = MESSAGE_SIZE as u64;

const EINVAL: u16 = 22;
const EOPNOTSUPP: u16 = 95;

/// A device with ID 30.
#[derive(Debug, Default)]
pub struct Rfc {
    /// Feature bits that are offered.
    offered: u64,
    /// Feature bits that the driver has accepted.
    accepted: u64,
    buffers: VecDeque<Chain>,
    owed: Owed,
}

impl Rfc {
    /// Carries out a command that is about a line that exists.
    fn run(&self, message: Message, kind: Kind, line: Line, bench: Bench<'_>) -> Result<u32, u16> {
        let level = match kind {
            Kind::DirectionOutput | Kind::SetValue => match Level::from_wire(message.value) {
                Some(level) => level,
                None => {
                    bench.stats.violation(Violation::ValueRange);
                    return Err(EINVAL);
                }
            },
            // These are refused, whatever the value is.
            Kind::SetIrqType | Kind::Level => Level::Low,
            Kind::Request | Kind::DirectionInput | Kind::GetDirection | Kind::GetValue => {
                if message.value != 0 {
                    bench.stats.violation(Violation::ValueUnused);
                }
                Level::Low
            }
        };

        match kind {
            Kind::Request => Ok(0),
            Kind::DirectionInput => {
                bench.lines.make_input(message.line);
                Ok(0)
            }
            Kind::DirectionOutput => {
                if bench.lines.make_output(message.line, level) {
                    bench.watchers.changed(message.line, level);
                }
                Ok(0)
            }
            Kind::GetDirection => Ok(line.direction.into()),
            Kind::GetValue => Ok(line.level().into()),
            Kind::SetValue => {
                if bench.lines.set(message.line, level) {
                    bench.watchers.changed(message.line, level);
                }
                Ok(level.into())
            }
            Kind::SetIrqType => {
                bench.stats.violation(Violation::TypeFeature);
                Err(EOPNOTSUPP)
            }
            Kind::Level => {
                bench.stats.violation(Violation::TypeEvent);
                Err(EOPNOTSUPP)
            }
        }
    }

    /// Checks what is in a command, and carries it out.
    fn dispatch(
        &self,
        message: Message,
        refusal: Option<u16>,
        bench: Bench<'_>,
    ) -> Result<u32, u16> {
        let Some(kind) = Kind::from_wire(message.kind) else {
            bench.stats.violation(match message.kind & 0xf000 {
                0 => Violation::TypeUnknown,
                _ => Violation::ReplyMark,
            });
            return Err(EOPNOTSUPP);
        };
        let Some(line) = bench.lines.get(message.line) else {
            bench.stats.violation(Violation::LineRange);
            return Err(EINVAL);
        };
        match refusal {
            Some(errno) => Err(errno),
            None => self.run(message, kind, line, bench),
        }
    }
}

/// The message in a command, if it has the right shape.
fn message(chain: &Chain) -> Result<Message, Violation> {
    if let Some(defect) = chain.defect() {
        return Err(defect);
    }
    if chain.readable_size() != MESSAGE_BYTES {
        return Err(Violation::ReadableSize);
    }
    if chain.writable_size() != MESSAGE_BYTES {
        return Err(Violation::WritableSize);
    }
    match chain.readable().try_into() {
        Ok(raw) => Ok(Message::from_bytes(raw)),
        Err(_) => Err(Violation::ReadableSize),
    }
}

impl Protocol for Rfc {
    fn command_queue(&self) -> usize {
        usize::from(COMMAND_QUEUE)
    }

    fn event_queue(&self) -> usize {
        usize::from(EVENT_QUEUE)
    }

    fn features(&self) -> u64 {
        self.offered
    }

    fn keeps_order(&self) -> bool {
        false
    }

    fn config_space(&self, config: &Configuration) -> Vec<u8> {
        let lies = &config.lies;
        if let Some(raw) = &lies.raw {
            return raw.clone();
        }

        let names = config.names_block();
        let true_size = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let num_gpios = lies.num_gpios.unwrap_or(config.lines);
        let names_size = lies.names_size.unwrap_or(true_size);

        let mut space = vec![0; config::NAMES];
        let mut put = |offset: usize, bytes: &[u8]| {
            for (to, from) in space.iter_mut().skip(offset).zip(bytes) {
                *to = *from;
            }
        };
        put(
            config::VERSION,
            &[lies.version.unwrap_or(config::VERSION_1)],
        );
        put(config::NUM_GPIOS, &num_gpios.to_le_bytes());
        put(config::NAMES_SIZE, &names_size.to_le_bytes());
        let label = config.label_bytes();
        put(
            config::NAME,
            label.get(..config::NAME_SIZE).unwrap_or(label),
        );

        space.extend_from_slice(&names);
        space
    }

    fn start(&mut self, features: u64) {
        self.accepted = features & self.offered;
        self.stop();
    }

    fn stop(&mut self) {
        self.buffers.clear();
        self.owed.clear();
    }

    fn execute(&mut self, chain: &Chain, refusal: Option<u16>, bench: Bench<'_>) -> Answer {
        match message(chain) {
            Ok(message) => {
                let result = self.dispatch(message, refusal, bench);
                Answer {
                    bytes: message.reply(result).to_bytes().to_vec(),
                    line: message.line,
                }
            }
            Err(violation) => {
                bench.stats.violation(violation);
                Answer::default()
            }
        }
    }

    fn spoil(&self, answer: &mut Answer, mutation: Mutation) -> u32 {
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default();
        let Ok(raw) = answer.bytes.as_slice().try_into() else {
            return size(&answer.bytes);
        };
        let mut reply = Message::from_bytes(raw);

        match mutation {
            Mutation::Short => {
                answer.bytes.truncate(MESSAGE_SIZE / 2);
                return size(&answer.bytes);
            }
            Mutation::Long => return size(&answer.bytes) * 2,
            Mutation::Empty => {
                answer.bytes.clear();
                return 0;
            }
            Mutation::BadType => reply.kind ^= 0x0fff,
            Mutation::BadLine => reply.line = reply.line.wrapping_add(1),
            Mutation::BadValue => reply.value = 0x7fff_ffff,
            Mutation::BadErrno => reply.value = 1000u32.wrapping_neg(),
            // Was refused already.
            Mutation::Errno(_) => {}
        }
        answer.bytes = reply.to_bytes().to_vec();
        size(&answer.bytes)
    }

    fn take_buffer(&mut self, chain: Chain, stats: &mut Stats) -> Result<(), Chain> {
        let violation = if chain.defect().is_some() {
            chain.defect()
        } else if chain.readable_size() != 0 {
            Some(Violation::EventReadable)
        } else if chain.writable_size() != MESSAGE_BYTES {
            Some(Violation::EventWritable)
        } else {
            None
        };

        match violation {
            Some(violation) => {
                stats.violation(violation);
                Err(chain)
            }
            None => {
                self.buffers.push_back(chain);
                Ok(())
            }
        }
    }

    fn note_change(&mut self, line: u16, level: Level, stats: &mut Stats) {
        if self.accepted & F_IRQ_TYPE != 0 {
            // Nothing is armed.
            return;
        }
        stats.changes += 1;
        if self.owed.note(line, level) {
            stats.merged += 1;
        }
    }

    fn owed(&self) -> usize {
        self.owed.len()
    }

    fn next_event(&mut self) -> Option<(Chain, Vec<u8>)> {
        if self.owed.is_empty() {
            return None;
        }
        let buffer = self.buffers.pop_front()?;
        let (line, level) = self.owed.pop()?;
        let message = Message {
            kind: Kind::Level as u16,
            line,
            value: level.into(),
        };
        Some((buffer, message.to_bytes().to_vec()))
    }
}
