// SPDX-License-Identifier: GPL-2.0

//! What is to be made of replies of the RFC's protocol, written down once more.

use gpio_virtio_logic::{
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    line::{
        Direction,
        Level, //
    },
    trigger::Trigger,
};

/// Each command, its number, and the largest result that it can have.
pub const COMMANDS: [(Command, u16, u32); 10] = [
    (Command::Request, 1, 0),
    (Command::DirectionInput, 2, 0),
    (Command::DirectionOutput(Level::Low), 3, 0),
    (Command::DirectionOutput(Level::High), 3, 0),
    (Command::GetDirection, 4, 1),
    (Command::GetValue, 5, 1),
    (Command::SetValue(Level::Low), 6, 1),
    (Command::SetValue(Level::High), 6, 1),
    (Command::SetIrqType(Trigger::None), 7, 0),
    (Command::SetIrqType(Trigger::Both), 7, 0),
];

/// What a result says.
pub fn answer(kind: u16, value: u32) -> Answer {
    match (kind, value) {
        (4, 0) => Answer::Direction(Some(Direction::Output)),
        (4, _) => Answer::Direction(Some(Direction::Input)),
        (5 | 6, value) => Answer::Level(Level::from(value == 1)),
        _ => Answer::Done,
    }
}

/// What is to be made of a reply to one of [`COMMANDS`].
pub fn expected(
    (_, kind, max): (Command, u16, u32),
    line: u16,
    written: usize,
    raw: [u8; 8],
) -> Result<Answer, ReplyError> {
    let [k0, k1, l0, l1, v0, v1, v2, v3] = raw;
    let reply_kind = u16::from_le_bytes([k0, k1]);
    let reply_line = u16::from_le_bytes([l0, l1]);
    let value = u32::from_le_bytes([v0, v1, v2, v3]);

    if written != 8 {
        return Err(ReplyError::Length { written, wanted: 8 });
    }
    if reply_kind & 0xfff != kind || reply_kind >> 12 == 0 {
        return Err(ReplyError::Kind(reply_kind));
    }
    if reply_line != line {
        return Err(ReplyError::Line(reply_line));
    }
    // errno.h ends at EHWPOISON; two numbers in it are free.
    match (value as i32).wrapping_neg() {
        _ if value <= max => Ok(answer(kind, value)),
        errno @ (1..=40 | 42..=57 | 59..=133) => Err(ReplyError::Refused(errno)),
        errno @ 1..=4095 => Err(ReplyError::UnknownErrno(errno as u32)),
        _ => Err(ReplyError::Value(value)),
    }
}
