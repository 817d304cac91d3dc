// SPDX-License-Identifier: GPL-2.0

//! Device ID 30: the protocol of the RFC.
//!
//! Decisions, where the protocol leaves room:
//!
//! - a level that is set on an input is kept for when the line is an output, and the reply has it;
//! - a command that has no value is carried out even if its value is not zero, but that is counted;
//! - a command whose chain has a wrong shape is not carried out, and comes back with no bytes used;
//! - without the feature that says what to report, each new level of an input that comes from
//!   outside is an event. What the driver does itself is not: it knows;
//! - with it, a line is armed for edges or for one level. The end of an active level is no event;
//! - an event has the level that the line has when it is sent, whatever the change was that it
//!   reports: it may stand for many;
//! - to arm a line again, for whatever, is to begin anew: what was owed for it is forgotten;
//! - a line that is armed should not become an output. It does, and stays armed; that is counted.

use std::collections::VecDeque;

use gpio_virtio_logic::{
    line::{
        Direction,
        Level, //
    },
    rfc::{
        self,
        config,
        Kind,
        Message,
        COMMAND_QUEUE,
        EVENT_QUEUE,
        MESSAGE_SIZE, //
    },
};

use super::{
    size,
    Answer,
    Bench,
    Drive,
    News,
    Protocol,
    Return,
    When, //
};
use crate::{
    config::Configuration,
    doubts::Doubts,
    events::Events,
    faults::{
        FaultError,
        Mutation, //
    },
    forgery::Forgery,
    irq::{
        self,
        IrqType, //
    },
    lines::{
        Line,
        Lines, //
    },
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
    events: Events,
    /// What lines are armed for.
    doubts: Doubts,
}

impl Rfc {
    /// A device that offers to let the driver say what to report, or does not.
    pub fn new(irq_type: bool) -> Self {
        Self {
            offered: if irq_type { F_IRQ_TYPE } else { 0 },
            ..Self::default()
        }
    }

    /// Says which changes of a line to report.
    fn arm(&mut self, message: Message, line: Line, bench: Bench<'_>) -> Result<u32, u16> {
        if !self.events.is_selective() {
            bench.stats.violation(Violation::TypeFeature);
            return Err(EOPNOTSUPP);
        }
        if message.value > irq::LARGEST {
            bench.stats.violation(Violation::ValueRange);
            return Err(EINVAL);
        }
        if let Some(errno) = bench.faults.refused(message.value) {
            self.refused(message);
            return Err(errno);
        }
        match IrqType::from_wire(message.value) {
            None => Err(EINVAL),
            Some(irq_type) if irq_type != IrqType::None && line.is_output() => Err(EINVAL),
            Some(irq_type) => {
                self.events
                    .arm(message.line, irq_type, line.level(), bench.stats);
                Ok(0)
            }
        }
    }

    /// A command is refused for no reason of the driver's.
    fn refused(&mut self, message: Message) {
        let is_irq = Kind::from_wire(message.kind) == Some(Kind::SetIrqType);
        if is_irq && IrqType::from_wire(message.value) == Some(IrqType::None) {
            // What else is it to do?
            self.doubts.stuck(message.line);
        }
    }

    /// What the driver knows by the answer to a message.
    fn news(&mut self, message: Message) -> News {
        if Kind::from_wire(message.kind) != Some(Kind::SetIrqType) {
            return News::Nothing;
        }
        News::Interrupt {
            line: message.line,
            enabled: message.value != 0,
            turn: self.doubts.next_turn(message.line),
        }
    }

    /// Carries out a command that is about a line that exists.
    fn run(
        &mut self,
        message: Message,
        kind: Kind,
        line: Line,
        bench: Bench<'_>,
    ) -> Result<u32, u16> {
        let level = match kind {
            Kind::DirectionOutput | Kind::SetValue => match Level::from_wire(message.value) {
                Some(level) => level,
                None => {
                    bench.stats.violation(Violation::ValueRange);
                    return Err(EINVAL);
                }
            },
            // The one has a value of its own, the other is refused whatever it is.
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
                let armed = self.events.armed(message.line);
                if armed.is_some_and(|armed| armed != IrqType::None)
                    && !self.doubts.is_unsure(message.line)
                {
                    bench.stats.violation(Violation::ArmedOutput);
                }
                let changed = bench.lines.make_output(message.line, level);
                bench.driven.push(Drive {
                    line: message.line,
                    level,
                    changed,
                });
                Ok(0)
            }
            Kind::GetDirection => Ok(rfc::direction_to_wire(match line.is_output() {
                true => Direction::Output,
                false => Direction::Input,
            })),
            Kind::GetValue => Ok(line.level().into()),
            Kind::SetValue => {
                let changed = bench.lines.set(message.line, level);
                if line.is_output() {
                    bench.driven.push(Drive {
                        line: message.line,
                        level,
                        changed,
                    });
                }
                Ok(level.into())
            }
            Kind::SetIrqType => self.arm(message, line, bench),
            Kind::Level => {
                bench.stats.violation(Violation::TypeEvent);
                Err(EOPNOTSUPP)
            }
        }
    }

    /// Checks what is in a command, and carries it out.
    fn dispatch(
        &mut self,
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
            Some(errno) => {
                self.refused(message);
                Err(errno)
            }
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

    fn first_direction(&self) -> Option<Direction> {
        Some(Direction::Input)
    }

    fn forgeries(&self) -> &'static [Forgery] {
        Forgery::OF_MESSAGES
    }

    fn check_mutation(&self, mutation: Mutation) -> Result<(), FaultError> {
        match mutation {
            Mutation::BadStatus => Err(FaultError::NoSuchField("status")),
            _ => Ok(()),
        }
    }

    fn config_space(&self, config: &Configuration) -> Vec<u8> {
        let lies = &config.lies;
        if let Some(raw) = &lies.raw {
            return raw.clone();
        }

        let names = config.names_block();
        let true_size = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let num_gpios = config.num_gpios();
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
        self.buffers.clear();
        self.events = Events::new(self.accepted & F_IRQ_TYPE != 0);
        self.doubts = Doubts::default();
    }

    fn stop(&mut self, stats: &mut Stats) {
        self.buffers.clear();
        self.events.stop(stats);
    }

    fn execute(&mut self, chain: &Chain, refusal: Option<u16>, bench: Bench<'_>) -> Answer {
        match message(chain) {
            Ok(message) => {
                let result = self.dispatch(message, refusal, bench);
                Answer {
                    bytes: rfc::reply(message, result).to_bytes().to_vec(),
                    line: message.line,
                    // By a refusal it knows what it knew.
                    news: match result {
                        Ok(_) => self.news(message),
                        Err(_) => News::Nothing,
                    },
                    ..Answer::default()
                }
            }
            Err(violation) => {
                bench.stats.violation(violation);
                Answer::default()
            }
        }
    }

    fn spoil(&self, answer: &mut Answer, mutation: Mutation) -> u32 {
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
            // The one was refused already, the other is not for us.
            Mutation::Errno(_) | Mutation::BadStatus => {}
        }
        answer.bytes = reply.to_bytes().to_vec();
        size(&answer.bytes)
    }

    fn delivered(&mut self, news: News) {
        if let News::Interrupt { line, turn, .. } = news {
            self.doubts.delivered(line, turn);
        }
    }

    fn hidden(&mut self, news: News) {
        if let News::Interrupt { line, turn, .. } = news {
            self.doubts.hidden(line, turn);
        }
    }

    fn take_buffer(&mut self, chain: Chain, _lines: u16, stats: &mut Stats) -> Option<Return> {
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
                Some(Return {
                    chain,
                    bytes: Vec::new(),
                    when: When::Before,
                    news: News::Nothing,
                })
            }
            None => {
                self.buffers.push_back(chain);
                None
            }
        }
    }

    fn buffer(&self, _line: u16) -> Option<&Chain> {
        self.buffers.front()
    }

    fn drop_buffer(&mut self, _line: u16) {
        self.buffers.pop_front();
    }

    fn buffer_from(&self, line: u16) -> Option<u16> {
        (!self.buffers.is_empty()).then_some(line)
    }

    fn can_forge(&self, _line: u16) -> bool {
        // The last buffer is for what is true.
        self.buffers.len() > 1
    }

    fn stray_line(&self, from: u16, avoid: u16, lines: u16) -> Option<u16> {
        let all = || (from..lines).chain(0..from.min(lines));
        let unarmed = all().find(|&line| self.events.armed(line) == Some(IrqType::None));
        // Where all are armed, or none can be, nothing has happened to any other.
        unarmed.or_else(|| all().find(|&line| line != avoid))
    }

    fn armed(&self, line: u16) -> Option<IrqType> {
        self.events.armed(line)
    }

    fn note_change(&mut self, line: u16, level: Level, stats: &mut Stats) {
        self.events.note(line, level, stats);
    }

    fn owed(&self) -> usize {
        self.events.owed()
    }

    fn may_report(&self) -> bool {
        self.events.owed() > 0
    }

    fn next_event(&mut self, _lines: &Lines) -> Option<u16> {
        self.events.next().filter(|_| !self.buffers.is_empty())
    }

    fn event_sent(&mut self, _line: u16, _stats: &mut Stats) {
        self.events.sent();
    }

    fn hold_events(&mut self) -> usize {
        self.events.hold()
    }

    fn event(&self, line: u16, level: Level) -> Vec<u8> {
        let message = Message {
            kind: Kind::Level as u16,
            line,
            value: level.into(),
        };
        message.to_bytes().to_vec()
    }

    fn spoil_event(&self, event: &mut Vec<u8>, forgery: Forgery, lines: u16) -> u32 {
        let Ok(raw) = event.as_slice().try_into() else {
            return size(event);
        };
        let mut message = Message::from_bytes(raw);

        match forgery {
            Forgery::Empty => {
                event.clear();
                return 0;
            }
            Forgery::Short => {
                event.truncate(MESSAGE_SIZE / 2);
                return size(event);
            }
            Forgery::Long => return size(event) * 2,
            Forgery::BadType => message.kind ^= 0x0fff,
            Forgery::BadLine => message.line = lines,
            Forgery::BadLevel => message.value = 2,
            // There are none of these here.
            Forgery::BadStatus | Forgery::Invalid => {}
        }
        *event = message.to_bytes().to_vec();
        size(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpio_virtio_logic::rfc::{
        check_event,
        EventError, //
    };

    #[test]
    fn a_driver_sees_what_is_wrong_with_an_event() {
        let rfc = Rfc::default();
        let check = |forgery| {
            let mut event = rfc.event(3, Level::High);
            let claim = rfc.spoil_event(&mut event, forgery, 4);
            event.resize(MESSAGE_SIZE, 0);
            check_event(4, claim as usize, event.try_into().unwrap()).unwrap_err()
        };
        assert_eq!(check(Forgery::Empty), EventError::Length(0));
        assert_eq!(check(Forgery::Short), EventError::Length(4));
        assert_eq!(check(Forgery::Long), EventError::Length(16));
        assert_eq!(check(Forgery::BadType), EventError::Kind(0xfee));
        assert_eq!(check(Forgery::BadLine), EventError::Line(4));
        assert_eq!(check(Forgery::BadLevel), EventError::Level(2));
    }

    #[test]
    fn the_feature_is_offered_if_asked_for() {
        assert_eq!(Rfc::new(false).features(), 0);
        assert_eq!(Rfc::new(true).features(), 1);
    }
}
