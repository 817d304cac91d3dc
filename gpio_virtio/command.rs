// SPDX-License-Identifier: GPL-2.0

//! What the driver wants of a device, and what it may get, whatever the protocol.
//!
//! Pure, like the protocols: compiled for the kernel and for the host from this one file.

use super::{
    line::{
        Direction,
        Level, //
    },
    trigger::Trigger, //
};
use core::fmt;

/// A command that the driver gives about one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A consumer claims the line.
    Request,
    /// The consumer has given the line back.
    Free,
    /// Makes the line an input.
    DirectionInput,
    /// Makes the line an output that starts at the given level.
    DirectionOutput(Level),
    /// Asks for the direction.
    GetDirection,
    /// Asks for the level.
    GetValue,
    /// Drives the line to the given level.
    SetValue(Level),
    /// Says which changes of the line to report; only if the device lets the driver say so.
    SetIrqType(Trigger),
}

impl Command {
    /// Whether it has to be seen through even if the one who gave it is being killed.
    ///
    /// Somebody else may rely on it: one whose interrupt is being turned on, or the next consumer.
    pub const fn must_be_done(self) -> bool {
        matches!(self, Command::Free | Command::SetIrqType(_))
    }
}

/// What a device answers to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// That it is done.
    Done,
    /// The line's direction; `None` if nobody uses the line, so that it has none.
    Direction(Option<Direction>),
    /// The line's level.
    Level(Level),
}

impl Answer {
    /// The level, if that is what the answer says.
    pub const fn level(self) -> Option<Level> {
        match self {
            Answer::Level(level) => Some(level),
            Answer::Done | Answer::Direction(_) => None,
        }
    }
}

/// Why a reply does not carry the answer that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// The device refused the command, with this errno: one of those that Linux defines for user
    /// space, as a positive number.
    Refused(i32),
    /// The device refused the command with a number that is no errno we know.
    UnknownErrno(u32),
    /// The device refused the command, and cannot say why.
    Failed,
    /// The device wrote this many bytes, and not as many as a reply has.
    Length {
        /// How many it says that it wrote.
        written: usize,
        /// How many it should have written.
        wanted: usize,
    },
    /// The type is not that of a reply to the command.
    Kind(u16),
    /// The reply is about another line.
    Line(u16),
    /// The status is none that exists.
    Status(u8),
    /// The value is none that the command can result in.
    Value(u32),
}

impl ReplyError {
    /// Whether the device broke the protocol, rather than used it to say no.
    pub const fn is_violation(self) -> bool {
        !matches!(
            self,
            ReplyError::Refused(_) | ReplyError::UnknownErrno(_) | ReplyError::Failed
        )
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ReplyError::Refused(errno) => write!(f, "refused with errno {errno}"),
            ReplyError::UnknownErrno(errno) => write!(f, "refused with unknown errno {errno}"),
            ReplyError::Failed => write!(f, "refused"),
            ReplyError::Length { written, wanted } => {
                write!(f, "reply of {written} bytes instead of {wanted}")
            }
            ReplyError::Kind(kind) => write!(f, "reply of wrong type {kind:#06x}"),
            ReplyError::Line(line) => write!(f, "reply for wrong line {line}"),
            ReplyError::Status(status) => write!(f, "reply with status {status:#04x}"),
            ReplyError::Value(value) => write!(f, "reply with value {value:#x} out of range"),
        }
    }
}
