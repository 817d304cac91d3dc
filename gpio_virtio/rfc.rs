// SPDX-License-Identifier: GPL-2.0

//! The wire protocol of device ID 30: numbers, messages, and what a reply may say.
//!
//! Everything here is pure: no kernel type and no I/O, so that the same source is compiled into the
//! driver, into the device that the driver is tested against, and into the tests that run on the
//! host. What a device wrote is checked here and nowhere else.
//!
//! The layout is that of `include/uapi/linux/virtio_gpio_rfc.h` in [`uapi`](../uapi); the rules are
//! in `Documentation/protocol-rfc.rst`.

use super::{
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    line::{
        Direction,
        Level, //
    },
};
use core::fmt;

pub use super::message::{
    Message,
    RawMessage,
    MESSAGE_SIZE, //
};

/// The virtio device ID.
pub const DEVICE_ID: u32 = 30;

/// Number of the queue on which the device reports levels.
pub const EVENT_QUEUE: u16 = 0;

/// Number of the queue on which the driver sends commands.
pub const COMMAND_QUEUE: u16 = 1;

/// Feature bit: the device reports what it is told to ([`Kind::SetIrqType`]), and nothing else.
pub const F_IRQ_TYPE: u32 = 0;

/// The bits of a message's type that say which message it is.
const KIND_MASK: u16 = 0x0fff;

/// The bits of a message's type of which at least one is set in a reply.
const REPLY_MASK: u16 = 0xf000;

/// The largest errno that a reply can carry.
const MAX_ERRNO: u32 = 4095;

/// The direction that a message's value stands for, if it stands for one.
const fn direction_from_wire(value: u32) -> Option<Direction> {
    match value {
        0 => Some(Direction::Output),
        1 => Some(Direction::Input),
        _ => None,
    }
}

/// The value that stands for a direction in a message.
pub const fn direction_to_wire(direction: Direction) -> u32 {
    match direction {
        Direction::Output => 0,
        Direction::Input => 1,
    }
}

/// What a message is about: the low twelve bits of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// A consumer claims the line.
    Request = 0x01,
    /// The line becomes an input.
    DirectionInput = 0x02,
    /// The line becomes an output; its level is set first.
    DirectionOutput = 0x03,
    /// Which way does the line point?
    GetDirection = 0x04,
    /// Which level is on the line?
    GetValue = 0x05,
    /// Drive the line to a level.
    SetValue = 0x06,
    /// Say which changes of the line to report; only with the feature that allows it.
    SetIrqType = 0x07,
    /// The line has a new level; on the event queue only.
    Level = 0x11,
}

impl Kind {
    /// The kind that a type's low twelve bits stand for, if they stand for one.
    pub const fn from_wire(kind: u16) -> Option<Self> {
        Some(match kind {
            0x01 => Kind::Request,
            0x02 => Kind::DirectionInput,
            0x03 => Kind::DirectionOutput,
            0x04 => Kind::GetDirection,
            0x05 => Kind::GetValue,
            0x06 => Kind::SetValue,
            0x07 => Kind::SetIrqType,
            0x11 => Kind::Level,
            _ => return None,
        })
    }
}

/// The reply that a device sends to `request`: `Ok` holds the result, `Err` an errno.
///
/// The errno is given as a positive number of at most 4095.
pub const fn reply(request: Message, result: core::result::Result<u32, u16>) -> Message {
    Message {
        kind: request.kind | REPLY_MASK,
        line: request.line,
        value: match result {
            Ok(value) => value,
            Err(errno) => (errno as u32).wrapping_neg(),
        },
    }
}

/// The kind of the message that carries a command, if there is one.
const fn kind(command: Command) -> Option<Kind> {
    Some(match command {
        Command::Request => Kind::Request,
        Command::Free => return None,
        Command::DirectionInput => Kind::DirectionInput,
        Command::DirectionOutput(_) => Kind::DirectionOutput,
        Command::GetDirection => Kind::GetDirection,
        Command::GetValue => Kind::GetValue,
        Command::SetValue(_) => Kind::SetValue,
        Command::SetIrqType(_) => Kind::SetIrqType,
    })
}

/// The message that carries a command for `line`. A device is not told that a line is free.
pub fn message(command: Command, line: u16) -> Option<Message> {
    Some(Message {
        kind: kind(command)? as u16,
        line,
        value: match command {
            Command::DirectionOutput(level) | Command::SetValue(level) => level.into(),
            Command::SetIrqType(trigger) => trigger.bits(),
            Command::Request
            | Command::Free
            | Command::DirectionInput
            | Command::GetDirection
            | Command::GetValue => 0,
        },
    })
}

/// What a reply with `value` says to a command, if it says anything.
fn answer(command: Command, value: u32) -> Option<Answer> {
    match command {
        Command::Request
        | Command::Free
        | Command::DirectionInput
        | Command::DirectionOutput(_)
        | Command::SetIrqType(_) => (value == 0).then_some(Answer::Done),
        Command::GetDirection => Some(Answer::Direction(Some(direction_from_wire(value)?))),
        // After a change the reply tells the level that the line has now. Another one than was asked
        // for (a line that somebody else holds down) is the device's business, not a protocol error.
        Command::GetValue | Command::SetValue(_) => Level::from_wire(value).map(Answer::Level),
    }
}

/// Checks the reply to `command` on `line`: of `raw`, the device says that it wrote `written` bytes.
pub fn check_reply(
    command: Command,
    line: u16,
    written: usize,
    raw: RawMessage,
) -> core::result::Result<Answer, ReplyError> {
    if written != MESSAGE_SIZE {
        return Err(ReplyError::Length {
            written,
            wanted: MESSAGE_SIZE,
        });
    }

    let reply = Message::from_bytes(raw);

    if kind(command).map(|kind| kind as u16) != Some(reply.kind & KIND_MASK)
        || reply.kind & REPLY_MASK == 0
    {
        return Err(ReplyError::Kind(reply.kind));
    }
    if reply.line != line {
        return Err(ReplyError::Line(reply.line));
    }
    if let Some(answer) = answer(command, reply.value) {
        return Ok(answer);
    }

    match reply.value.wrapping_neg() {
        errno @ 1..=MAX_ERRNO if is_known_errno(errno) => Err(ReplyError::Refused(errno as i32)),
        errno @ 1..=MAX_ERRNO => Err(ReplyError::UnknownErrno(errno)),
        _ => Err(ReplyError::Value(reply.value)),
    }
}

/// Whether Linux has an errno of this number for user space (`include/uapi/asm-generic/errno.h`).
///
/// Those above 511 are the kernel's own (`ERESTARTSYS` and its like): to let a device return one
/// would let it restart system calls.
const fn is_known_errno(errno: u32) -> bool {
    // 41 and 58 are unused: they were aliases elsewhere.
    matches!(errno, 1..=40 | 42..=57 | 59..=133)
}

/// Why an event is not dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The device wrote so many bytes instead of [`MESSAGE_SIZE`].
    Length(usize),
    /// The type is not that of an event.
    Kind(u16),
    /// The device has no such line.
    Line(u16),
    /// The value is not a level.
    Level(u32),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventError::Length(written) => {
                write!(f, "event of {written} bytes instead of {MESSAGE_SIZE}")
            }
            EventError::Kind(kind) => write!(f, "event of wrong type {kind:#06x}"),
            EventError::Line(line) => write!(f, "event for line {line}, which does not exist"),
            EventError::Level(value) => write!(f, "event with level {value:#x}"),
        }
    }
}

/// Checks an event from a device with `lines` lines: of `raw`, it says that it wrote `written` bytes.
pub fn check_event(
    lines: u16,
    written: usize,
    raw: RawMessage,
) -> core::result::Result<(u16, Level), EventError> {
    if written != MESSAGE_SIZE {
        return Err(EventError::Length(written));
    }

    let event = Message::from_bytes(raw);

    if event.kind != Kind::Level as u16 {
        return Err(EventError::Kind(event.kind));
    }
    if event.line >= lines {
        return Err(EventError::Line(event.line));
    }
    match Level::from_wire(event.value) {
        Some(level) => Ok((event.line, level)),
        None => Err(EventError::Level(event.value)),
    }
}

/// The configuration space, without the line names.
pub mod config {
    use core::fmt;

    /// Offset of the version, one byte.
    pub const VERSION: usize = 0x00;
    /// Offset of the number of lines, two bytes.
    pub const NUM_GPIOS: usize = 0x02;
    /// Offset of the size of the block of names in bytes, four bytes.
    pub const NAMES_SIZE: usize = 0x04;
    /// Offset of the device's name, [`NAME_SIZE`] bytes.
    pub const NAME: usize = 0x20;
    /// Bytes of the device's name, padded with NUL.
    pub const NAME_SIZE: usize = 32;
    /// Offset of the block of names; also the size of a configuration without one.
    pub const NAMES: usize = 0x40;

    /// The one version there is.
    pub const VERSION_1: u8 = 1;

    /// Why a device is not one of ours.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ConfigError {
        /// The whole configuration space has this many bytes, fewer than [`NAMES`].
        Size(usize),
        /// The version is not [`VERSION_1`].
        Version(u8),
        /// There are no lines.
        NoLines,
    }

    impl fmt::Display for ConfigError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {
                ConfigError::Size(size) => {
                    write!(f, "its configuration has {size} bytes, fewer than {NAMES}")
                }
                ConfigError::Version(version) => {
                    write!(f, "its version is {version}, not {VERSION_1}")
                }
                ConfigError::NoLines => write!(f, "it has no lines"),
            }
        }
    }

    /// Checks the fields that tell a GPIO device from another one that has the same ID.
    pub const fn check(version: u8, num_gpios: u16) -> core::result::Result<(), ConfigError> {
        if version != VERSION_1 {
            return Err(ConfigError::Version(version));
        }
        if num_gpios == 0 {
            return Err(ConfigError::NoLines);
        }
        Ok(())
    }
}
