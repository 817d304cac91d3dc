// SPDX-License-Identifier: GPL-2.0

//! The wire protocol of device ID 41, the VIRTIO standard's: numbers, messages, and what a response
//! may say.
//!
//! Everything here is pure, as in [`rfc`](super::rfc). The numbers are those of
//! [`include/uapi/linux/virtio_gpio.h`](srctree/include/uapi/linux/virtio_gpio.h); the rules are in
//! `Documentation/protocol-standard.rst`.

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
    message::Message,
};
use core::fmt;

/// The virtio device ID.
pub const DEVICE_ID: u32 = 41;

/// Number of the queue on which the driver sends requests.
pub const REQUEST_QUEUE: u16 = 0;

/// Number of the queue of the lines' interrupts; there only with [`F_IRQ`].
pub const EVENT_QUEUE: u16 = 1;

/// Feature bit: the lines can interrupt.
pub const F_IRQ: u32 = 0;

/// Bytes of a response, but for the one that has the names.
pub const RESPONSE_SIZE: usize = 2;

/// A response as it stands in memory: the status and the value.
pub type RawResponse = [u8; RESPONSE_SIZE];

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    /// What are the lines called?
    GetLineNames = 1,
    /// Which way does the line point?
    GetDirection = 2,
    /// Have the line point this way.
    SetDirection = 3,
    /// Which level is on the line?
    GetValue = 4,
    /// Drive the line to a level.
    SetValue = 5,
    /// Say what makes the line's interrupt fire; only with [`F_IRQ`].
    SetIrqType = 6,
}

impl Kind {
    /// The kind that a request's type stands for, if it stands for one.
    pub const fn from_wire(kind: u16) -> Option<Self> {
        Some(match kind {
            1 => Kind::GetLineNames,
            2 => Kind::GetDirection,
            3 => Kind::SetDirection,
            4 => Kind::GetValue,
            5 => Kind::SetValue,
            6 => Kind::SetIrqType,
            _ => return None,
        })
    }

    const fn request(self, line: u16, value: u32) -> Message {
        Message {
            kind: self as u16,
            line,
            value,
        }
    }
}

/// The status of a response: the device has done it.
pub const STATUS_OK: u8 = 0;

/// The status of a response: the device has not done it.
pub const STATUS_ERR: u8 = 1;

/// In a message: nobody uses the line, it has no direction.
pub const DIRECTION_NONE: u8 = 0;

/// In a message: the line is an output.
pub const DIRECTION_OUT: u8 = 1;

/// In a message: the line is an input.
pub const DIRECTION_IN: u8 = 2;

/// The request for the names of all lines.
pub const fn names_request() -> Message {
    Kind::GetLineNames.request(0, 0)
}

/// The requests that carry a command for `line`, in the order in which the device does them.
///
/// There is none for a command that this protocol does without, and two for one that it has in two
/// parts.
pub fn requests(command: Command, line: u16) -> [Option<Message>; 2] {
    let first = match command {
        Command::Request => return [None, None],
        Command::Free => Kind::SetDirection.request(line, DIRECTION_NONE.into()),
        Command::DirectionInput => Kind::SetDirection.request(line, DIRECTION_IN.into()),
        // The level comes first, so that the line has it from the moment it is an output.
        Command::DirectionOutput(level) => {
            return [
                Some(Kind::SetValue.request(line, level.into())),
                Some(Kind::SetDirection.request(line, DIRECTION_OUT.into())),
            ];
        }
        Command::GetDirection => Kind::GetDirection.request(line, 0),
        Command::GetValue => Kind::GetValue.request(line, 0),
        Command::SetValue(level) => Kind::SetValue.request(line, level.into()),
        Command::SetIrqType(trigger) => Kind::SetIrqType.request(line, trigger.bits()),
    };
    [Some(first), None]
}

/// Checks the status of a response.
const fn check_status(status: u8) -> core::result::Result<(), ReplyError> {
    match status {
        STATUS_OK => Ok(()),
        STATUS_ERR => Err(ReplyError::Failed),
        _ => Err(ReplyError::Status(status)),
    }
}

/// Checks the response to a request that is `command`, or a part of it: of `raw`, the device says
/// that it wrote `written` bytes.
pub fn check_response(
    command: Command,
    written: usize,
    raw: RawResponse,
) -> core::result::Result<Answer, ReplyError> {
    if written != RESPONSE_SIZE {
        return Err(ReplyError::Length {
            written,
            wanted: RESPONSE_SIZE,
        });
    }

    let [status, value] = raw;
    check_status(status)?;

    match command {
        Command::GetDirection => match value {
            DIRECTION_NONE => Ok(Answer::Direction(None)),
            DIRECTION_OUT => Ok(Answer::Direction(Some(Direction::Output))),
            DIRECTION_IN => Ok(Answer::Direction(Some(Direction::Input))),
            _ => Err(ReplyError::Value(value.into())),
        },
        Command::GetValue => match Level::from_wire(value.into()) {
            Some(level) => Ok(Answer::Level(level)),
            None => Err(ReplyError::Value(value.into())),
        },
        // The value means nothing.
        Command::Request
        | Command::Free
        | Command::DirectionInput
        | Command::DirectionOutput(_)
        | Command::SetValue(_)
        | Command::SetIrqType(_) => Ok(Answer::Done),
    }
}

/// Checks the response to [`names_request`]: the device says that it wrote `written` bytes, of which
/// `status` is the first. The block of names after it should have `names_size`.
pub fn check_names(
    written: usize,
    status: u8,
    names_size: usize,
) -> core::result::Result<(), ReplyError> {
    // One that failed need not have any names.
    if written > 0 {
        check_status(status)?;
    }

    let wanted = names_size.saturating_add(1);
    if written != wanted {
        return Err(ReplyError::Length { written, wanted });
    }
    Ok(())
}

/// What a returned buffer of the event queue says of the line that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IrqStatus {
    /// Its interrupt is not enabled any more, or never was.
    Invalid = 0,
    /// Its interrupt has fired.
    Valid = 1,
}

/// A buffer of the event queue, as the driver fills it in for a line.
pub const fn event_request(line: u16) -> [u8; 2] {
    line.to_le_bytes()
}

/// Why what the device says of an interrupt does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The device wrote this many bytes instead of one.
    Length(usize),
    /// The status is none that exists.
    Status(u8),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventError::Length(written) => write!(f, "event of {written} bytes instead of 1"),
            EventError::Status(status) => write!(f, "event with status {status:#04x}"),
        }
    }
}

/// Checks a returned buffer of the event queue: the device says that it wrote `written` bytes, the
/// first of which is `status`.
pub const fn check_event(
    written: usize,
    status: u8,
) -> core::result::Result<IrqStatus, EventError> {
    if written != 1 {
        return Err(EventError::Length(written));
    }
    match status {
        0 => Ok(IrqStatus::Invalid),
        1 => Ok(IrqStatus::Valid),
        _ => Err(EventError::Status(status)),
    }
}

/// The configuration space.
pub mod config {
    use core::fmt;

    /// Offset of the number of lines, two bytes.
    pub const NGPIO: usize = 0x00;
    /// Offset of the size of the block of names in bytes, four bytes.
    pub const NAMES_SIZE: usize = 0x04;
    /// Bytes of the whole.
    pub const SIZE: usize = 0x08;

    /// Why a device is not driven.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ConfigError {
        /// The whole configuration space has this many bytes, fewer than [`SIZE`].
        Size(usize),
        /// There are no lines.
        NoLines,
    }

    impl fmt::Display for ConfigError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {
                ConfigError::Size(size) => {
                    write!(f, "its configuration has {size} bytes, fewer than {SIZE}")
                }
                ConfigError::NoLines => write!(f, "it has no lines"),
            }
        }
    }
}
