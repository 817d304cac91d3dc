// SPDX-License-Identifier: GPL-2.0

//! Device ID 41: the protocol of the VIRTIO standard.
//!
//! Decisions, where the standard leaves room:
//!
//! - at first no line has a direction, as after it was given back;
//! - a line that is no output reads what is outside;
//! - what is wrong with a command is carried out all the same if it does not matter: a value that
//!   should not be there, a line where none is meant. It is counted;
//! - a command whose chain has a wrong shape is not carried out, and comes back with no bytes used;
//! - an errno that a command is to be refused with becomes the status for failure;
//! - a line that is given back while it is armed is disarmed by that, and becoming an output does
//!   not disarm it;
//! - the buffer of a line that is disarmed goes back before the answer to that, after it, or some
//!   time later, as the device is told.
//!
//! What interrupts are about is in [`interrupts`].

pub mod interrupts;

use gpio_virtio_logic::{
    line::{
        Direction,
        Level, //
    },
    message::{
        Message,
        MESSAGE_SIZE, //
    },
    standard::{
        config,
        IrqStatus,
        Kind,
        DIRECTION_IN,
        DIRECTION_NONE,
        DIRECTION_OUT,
        EVENT_QUEUE,
        F_IRQ,
        REQUEST_QUEUE,
        RESPONSE_SIZE,
        STATUS_ERR,
        STATUS_OK, //
    },
};
use interrupts::Interrupts;

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
    faults::{
        FaultError,
        Mutation, //
    },
    forgery::Forgery,
    irq::IrqType,
    lines::{
        Line,
        Lines, //
    },
    ring::Chain,
    stats::Stats,
    violation::Violation, //
};

/// Feature bit: the lines can interrupt.
pub const IRQ: u64 = 1 << F_IRQ;

/// Sizes as descriptors count.
const REQUEST_BYTES: u64 = MESSAGE_SIZE as u64;
const RESPONSE_BYTES: u64 = RESPONSE_SIZE as u64;
const EVENT_READABLE: u64 = 2;
const EVENT_WRITABLE: u64 = 1;

/// What is about no line is about one that no device has.
const NO_LINE: u16 = u16::MAX;

/// A status, or a value, that does not exist.
const NONSENSE: u8 = 0x7f;

/// A device with ID 41.
#[derive(Debug, Default)]
pub struct Standard {
    /// Feature bits that are offered.
    offered: u64,
    /// Feature bits that the driver has accepted.
    accepted: u64,
    interrupts: Interrupts,
    /// Which directions lines have.
    doubts: Doubts,
    /// When the buffer of a line that is disarmed goes back.
    invalid: When,
}

/// A command was not carried out.
struct Refused;

/// What a command has led to, if it was carried out.
#[derive(Default)]
struct Done {
    value: u8,
    news: News,
    /// The buffer of a line that is not armed any more.
    buffer: Option<Chain>,
}

impl Done {
    fn with(value: u8) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }
}

impl Standard {
    /// A device with interrupts or without, that gives the buffer of a line that is disarmed back
    /// in this way.
    pub fn new(irq: bool, invalid: When) -> Self {
        Self {
            offered: if irq { IRQ } else { 0 },
            invalid,
            ..Self::default()
        }
    }

    /// Says what makes a line interrupt.
    fn set_irq_type(
        &mut self,
        message: Message,
        line: Line,
        bench: Bench<'_>,
    ) -> Result<Done, Refused> {
        if self.accepted & IRQ == 0 {
            bench.stats.violation(Violation::TypeFeature);
            return Err(Refused);
        }
        let Some(irq_type) = IrqType::from_wire(message.value) else {
            bench.stats.violation(Violation::ValueRange);
            return Err(Refused);
        };
        if irq_type != IrqType::None && line.is_output() {
            if !self.doubts.is_unsure(message.line) {
                bench.stats.violation(Violation::OutputIrq);
            }
            return Err(Refused);
        }
        if bench.faults.refused(message.value).is_some() {
            self.interrupts.refused(message.line, irq_type);
            return Err(Refused);
        }
        let (news, buffer) = self
            .interrupts
            .set_type(message.line, irq_type, bench.stats);
        Ok(Done {
            value: 0,
            news,
            buffer,
        })
    }

    /// Has a line point another way.
    fn set_direction(&mut self, message: Message, line: Line, bench: Bench<'_>) -> Option<Done> {
        let mut done = Done::default();
        match u8::try_from(message.value).ok()? {
            DIRECTION_NONE => {
                (done.news, done.buffer) = self.interrupts.release(message.line, bench.stats);
                bench.lines.release(message.line);
            }
            DIRECTION_IN => bench.lines.make_input(message.line),
            DIRECTION_OUT => {
                if self.interrupts.armed(message.line) != IrqType::None
                    && !self.interrupts.is_unsure(message.line)
                {
                    bench.stats.violation(Violation::ArmedOutput);
                }
                let level = line.output;
                let changed = bench.lines.make_output(message.line, level);
                bench.driven.push(Drive {
                    line: message.line,
                    level,
                    changed,
                });
            }
            _ => return None,
        }
        if let News::Nothing = done.news {
            done.news = News::Direction {
                line: message.line,
                turn: self.doubts.next_turn(message.line),
            };
        }
        Some(done)
    }

    /// Carries out a command that is about a line that exists.
    fn run(
        &mut self,
        message: Message,
        kind: Kind,
        line: Line,
        bench: Bench<'_>,
    ) -> Result<Done, Refused> {
        let stats = &mut *bench.stats;
        match kind {
            Kind::GetLineNames => Err(Refused),
            Kind::GetDirection | Kind::GetValue => {
                if message.value != 0 {
                    stats.violation(Violation::ValueUnused);
                }
                Ok(Done::with(match (kind, line.direction) {
                    (Kind::GetValue, _) => level_to_wire(line.level()),
                    (_, None) => DIRECTION_NONE,
                    (_, Some(Direction::Output)) => DIRECTION_OUT,
                    (_, Some(Direction::Input)) => DIRECTION_IN,
                }))
            }
            Kind::SetDirection => {
                if message.value > DIRECTION_IN.into() {
                    stats.violation(Violation::ValueRange);
                }
                self.set_direction(message, line, bench).ok_or(Refused)
            }
            Kind::SetValue => {
                let Some(level) = Level::from_wire(message.value) else {
                    stats.violation(Violation::ValueRange);
                    return Err(Refused);
                };
                let changed = bench.lines.set(message.line, level);
                if line.is_output() {
                    bench.driven.push(Drive {
                        line: message.line,
                        level,
                        changed,
                    });
                }
                Ok(Done::default())
            }
            Kind::SetIrqType => self.set_irq_type(message, line, bench),
        }
    }

    /// Checks what is in a command, and carries it out.
    fn dispatch(
        &mut self,
        message: Message,
        refusal: Option<u16>,
        bench: Bench<'_>,
    ) -> Result<Done, Refused> {
        let Some(kind) = Kind::from_wire(message.kind) else {
            bench.stats.violation(Violation::TypeUnknown);
            return Err(Refused);
        };
        let Some(line) = bench.lines.get(message.line) else {
            bench.stats.violation(Violation::LineRange);
            return Err(Refused);
        };
        if refusal.is_some() {
            let irq_type = IrqType::from_wire(message.value);
            if let (Kind::SetIrqType, Some(irq_type)) = (kind, irq_type) {
                self.interrupts.refused(message.line, irq_type);
            }
            return Err(Refused);
        }
        self.run(message, kind, line, bench)
    }

    /// What goes back for a command about a line.
    fn answer(&self, message: Message, result: Result<Done, Refused>) -> Answer {
        let (status, done) = match result {
            Ok(done) => (STATUS_OK, done),
            Err(Refused) => (STATUS_ERR, Done::default()),
        };
        Answer {
            bytes: vec![status, done.value],
            line: message.line,
            news: done.news,
            buffer: done
                .buffer
                .map(|chain| invalid(chain, message.line, self.invalid)),
        }
    }
}

/// A buffer that goes back because its line is not armed.
fn invalid(chain: Chain, line: u16, when: When) -> Return {
    Return {
        chain,
        bytes: vec![IrqStatus::Invalid as u8],
        when,
        news: News::Buffer(line),
    }
}

const fn level_to_wire(level: Level) -> u8 {
    match level {
        Level::Low => 0,
        Level::High => 1,
    }
}

/// The block of names: with one for each line, be it empty, if any line has one.
fn names_block(config: &Configuration) -> Vec<u8> {
    let mut block = config.names_block();
    if let (None, Some((&last, _))) = (&config.lies.names, config.last_name()) {
        let rest = config.lines.saturating_sub(last).saturating_sub(1);
        block.resize(block.len() + usize::from(rest), 0);
    }
    block
}

/// The size that the configuration has for the names.
fn names_size(config: &Configuration, names: &[u8]) -> u32 {
    config.lies.names_size.unwrap_or(size(names))
}

/// The size of the answer with the names, for a driver that has had the second look.
fn second_names_size(config: &Configuration) -> Option<u64> {
    let size = config.at_second_look()?.lies.names_size?;
    Some(u64::from(size) + 1)
}

/// What goes back for the names. They are not more than were said to be.
fn names_answer(message: Message, refusal: Option<u16>, bench: Bench<'_>) -> Answer {
    if message.line != 0 {
        bench.stats.violation(Violation::LineUnused);
    }
    if message.value != 0 {
        bench.stats.violation(Violation::ValueUnused);
    }
    let mut names = names_block(bench.config);
    let announced = names_size(bench.config, &names);
    names.truncate(usize::try_from(announced).unwrap_or(usize::MAX));

    let mut status = STATUS_OK;
    if announced == 0 {
        // Who has looked when there were some has a reason to ask.
        if bench.config.at_second_look().is_none() {
            bench.stats.violation(Violation::NamesAbsent);
        }
        status = STATUS_ERR;
    } else if refusal.is_some() {
        names.fill(0);
        status = STATUS_ERR;
    }
    names.insert(0, status);
    Answer {
        bytes: names,
        line: NO_LINE,
        ..Answer::default()
    }
}

/// The message in a command, if it has the right shape.
fn message(chain: &Chain, config: &Configuration) -> Result<Message, Violation> {
    if let Some(defect) = chain.defect() {
        return Err(defect);
    }
    if chain.readable_size() != REQUEST_BYTES {
        return Err(Violation::ReadableSize);
    }
    let raw = chain.readable().try_into();
    let message = raw.map(Message::from_bytes);
    let message = message.map_err(|_| Violation::ReadableSize)?;

    let has = |size| chain.writable_size() == size;
    let is_right = match Kind::from_wire(message.kind) {
        Some(Kind::GetLineNames) => match names_size(config, &names_block(config)) {
            // It is refused, whatever its size.
            0 => chain.writable_size() > 0,
            size => has(u64::from(size) + 1) || second_names_size(config).is_some_and(has),
        },
        _ => has(RESPONSE_BYTES),
    };
    if !is_right {
        return Err(Violation::WritableSize);
    }
    Ok(message)
}

impl Protocol for Standard {
    fn command_queue(&self) -> usize {
        usize::from(REQUEST_QUEUE)
    }

    fn event_queue(&self) -> usize {
        usize::from(EVENT_QUEUE)
    }

    fn features(&self) -> u64 {
        self.offered
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn orders_buffers(&self) -> bool {
        self.accepted & IRQ != 0
    }

    fn first_direction(&self) -> Option<Direction> {
        None
    }

    fn forgeries(&self) -> &'static [Forgery] {
        Forgery::OF_STATUS
    }

    fn check_mutation(&self, mutation: Mutation) -> Result<(), FaultError> {
        match mutation {
            Mutation::BadType => Err(FaultError::NoSuchField("type")),
            Mutation::BadLine => Err(FaultError::NoSuchField("line")),
            Mutation::BadErrno => Err(FaultError::NoSuchField("errno")),
            _ => Ok(()),
        }
    }

    fn config_space(&self, config: &Configuration) -> Vec<u8> {
        let lies = &config.lies;
        if let Some(raw) = &lies.raw {
            return raw.clone();
        }
        let ngpio = config.num_gpios().to_le_bytes();
        let names_size = names_size(config, &names_block(config)).to_le_bytes();

        let mut space = ngpio.to_vec();
        space.resize(config::NAMES_SIZE, 0);
        space.extend_from_slice(&names_size);
        space
    }

    fn start(&mut self, features: u64) {
        self.accepted = features & self.offered;
        self.interrupts = Interrupts::default();
        self.doubts = Doubts::default();
    }

    fn taken_over(&mut self) {
        self.interrupts.inherit();
    }

    fn stop(&mut self, stats: &mut Stats) {
        self.interrupts.stop(stats);
    }

    fn execute(&mut self, chain: &Chain, refusal: Option<u16>, bench: Bench<'_>) -> Answer {
        match message(chain, bench.config) {
            Ok(message) if message.kind == Kind::GetLineNames as u16 => {
                names_answer(message, refusal, bench)
            }
            Ok(message) => {
                let result = self.dispatch(message, refusal, bench);
                self.answer(message, result)
            }
            Err(violation) => {
                bench.stats.violation(violation);
                Answer {
                    line: NO_LINE,
                    ..Answer::default()
                }
            }
        }
    }

    fn spoil(&self, answer: &mut Answer, mutation: Mutation) -> u32 {
        let bytes = &mut answer.bytes;
        match mutation {
            Mutation::Short => bytes.truncate(bytes.len() / 2),
            Mutation::Long => return size(bytes) * 2,
            Mutation::Empty => bytes.clear(),
            Mutation::BadStatus => bytes.iter_mut().take(1).for_each(|byte| *byte = NONSENSE),
            Mutation::BadValue => {
                let value = bytes.iter_mut().skip(1).take(1);
                value.for_each(|byte| *byte = NONSENSE);
            }
            // The one was refused already, the others are not for us.
            Mutation::Errno(_) | Mutation::BadType | Mutation::BadLine | Mutation::BadErrno => {}
        }
        size(bytes)
    }

    fn delivered(&mut self, news: News) {
        if let News::Direction { line, turn } = news {
            self.doubts.delivered(line, turn);
        }
        self.interrupts.delivered(news);
    }

    fn hidden(&mut self, news: News) {
        if let News::Direction { line, turn } = news {
            self.doubts.hidden(line, turn);
        }
        self.interrupts.hidden(news);
    }

    fn take_buffer(&mut self, chain: Chain, lines: u16, stats: &mut Stats) -> Option<Return> {
        let defect = if chain.defect().is_some() {
            chain.defect()
        } else if chain.readable_size() != EVENT_READABLE {
            Some(Violation::EventReadable)
        } else if chain.writable_size() != EVENT_WRITABLE {
            Some(Violation::EventWritable)
        } else {
            None
        };
        let line = chain.readable().try_into().map(u16::from_le_bytes);
        let (Ok(line), None) = (line, defect) else {
            stats.violation(defect.unwrap_or(Violation::EventReadable));
            return Some(Return {
                chain,
                bytes: Vec::new(),
                when: When::Before,
                news: News::Nothing,
            });
        };

        let refused = if !self.orders_buffers() {
            stats.violation(Violation::EventFeature);
            chain
        } else if line >= lines {
            stats.violation(Violation::LineRange);
            chain
        } else {
            self.interrupts.unmask(line, chain, stats)?
        };
        Some(invalid(refused, line, When::Before))
    }

    fn buffer(&self, line: u16) -> Option<&Chain> {
        self.interrupts.buffer(line)
    }

    fn drop_buffer(&mut self, line: u16) {
        self.interrupts.mask(line);
    }

    fn buffer_from(&self, line: u16) -> Option<u16> {
        self.interrupts.unmasked_from(line)
    }

    fn can_forge(&self, line: u16) -> bool {
        self.interrupts.can_forge(line)
    }

    fn forged(&mut self, line: u16) {
        self.interrupts.forged(line);
    }

    fn stray_line(&self, from: u16, avoid: u16, _lines: u16) -> Option<u16> {
        match self.interrupts.unmasked_from(from) {
            // The line itself is next only if there is no other.
            Some(line) if line == avoid => self.interrupts.unmasked_from(avoid.wrapping_add(1)),
            line => line,
        }
    }

    fn armed(&self, line: u16) -> Option<IrqType> {
        Some(self.interrupts.armed(line))
    }

    fn note_change(&mut self, line: u16, level: Level, stats: &mut Stats) {
        self.interrupts.note(line, level, stats);
    }

    fn owed(&self) -> usize {
        self.interrupts.latched()
    }

    fn may_report(&self) -> bool {
        self.interrupts.may_report()
    }

    fn next_event(&mut self, lines: &Lines) -> Option<u16> {
        let level = |line| lines.get(line).map(|line| line.level());
        self.interrupts.next(level)
    }

    fn event_sent(&mut self, line: u16, stats: &mut Stats) {
        self.interrupts.sent(line, stats);
    }

    fn hold_events(&mut self) -> usize {
        self.interrupts.hold()
    }

    fn event(&self, _line: u16, _level: Level) -> Vec<u8> {
        vec![IrqStatus::Valid as u8]
    }

    fn spoil_event(&self, event: &mut Vec<u8>, forgery: Forgery, _lines: u16) -> u32 {
        match forgery {
            Forgery::Empty => event.clear(),
            Forgery::Long => return size(event) * 2,
            Forgery::BadStatus => event.fill(NONSENSE),
            Forgery::Invalid => event.fill(IrqStatus::Invalid as u8),
            // There are none of these here.
            Forgery::Short | Forgery::BadType | Forgery::BadLine | Forgery::BadLevel => {}
        }
        size(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpio_virtio_logic::standard::{
        check_event,
        EventError, //
    };

    #[test]
    fn a_driver_sees_what_is_wrong_with_an_event() {
        let standard = Standard::default();
        let check = |forgery| {
            let mut event = standard.event(3, Level::High);
            let claim = standard.spoil_event(&mut event, forgery, 4);
            check_event(claim as usize, event.first().copied().unwrap_or_default())
        };
        assert_eq!(check(Forgery::Empty), Err(EventError::Length(0)));
        assert_eq!(check(Forgery::Long), Err(EventError::Length(2)));
        assert_eq!(check(Forgery::BadStatus), Err(EventError::Status(0x7f)));
        assert_eq!(check(Forgery::Invalid), Ok(IrqStatus::Invalid));
    }

    #[test]
    fn the_configuration_has_its_size() {
        let standard = Standard::new(true, When::After);
        let mut config = Configuration {
            lines: 0x102,
            label: "not there".to_string(),
            names: [(1, "x".repeat(1000))].into(),
            ..Configuration::default()
        };
        let space = standard.config_space(&config);
        assert_eq!(space, [2, 1, 0, 0, 0xea, 4, 0, 0]);
        config.lies.num_gpios = Some(0);
        config.lies.names_size = Some(u32::MAX);
        let space = standard.config_space(&config);
        assert_eq!(space, [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        config.lies.raw = Some(vec![7]);
        assert_eq!(standard.config_space(&config), [7]);
    }

    #[test]
    fn the_feature_is_offered_unless_it_is_not_wanted() {
        assert_eq!(Standard::new(false, When::After).features(), 0);
        assert_eq!(Standard::new(true, When::After).features(), 1);
    }
}
