// SPDX-License-Identifier: GPL-2.0

//! The standard's requests, and what is to be made of responses, written down once more.

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

/// Each command, with the types and values of its requests.
pub const COMMANDS: [(Command, &[(u16, u32)]); 15] = [
    (Command::Request, &[]),
    (Command::Free, &[(3, 0)]),
    (Command::DirectionInput, &[(3, 2)]),
    (Command::DirectionOutput(Level::Low), &[(5, 0), (3, 1)]),
    (Command::DirectionOutput(Level::High), &[(5, 1), (3, 1)]),
    (Command::GetDirection, &[(2, 0)]),
    (Command::GetValue, &[(4, 0)]),
    (Command::SetValue(Level::Low), &[(5, 0)]),
    (Command::SetValue(Level::High), &[(5, 1)]),
    (Command::SetIrqType(Trigger::None), &[(6, 0)]),
    (Command::SetIrqType(Trigger::Rising), &[(6, 1)]),
    (Command::SetIrqType(Trigger::Falling), &[(6, 2)]),
    (Command::SetIrqType(Trigger::Both), &[(6, 3)]),
    (Command::SetIrqType(Trigger::High), &[(6, 4)]),
    (Command::SetIrqType(Trigger::Low), &[(6, 8)]),
];

/// What a good response with this value says, if it can say that.
pub fn answer(command: Command, value: u8) -> Option<Answer> {
    match (command, value) {
        (Command::GetDirection, 0) => Some(Answer::Direction(None)),
        (Command::GetDirection, 1) => Some(Answer::Direction(Some(Direction::Output))),
        (Command::GetDirection, 2) => Some(Answer::Direction(Some(Direction::Input))),
        (Command::GetValue, 0) => Some(Answer::Level(Level::Low)),
        (Command::GetValue, 1) => Some(Answer::Level(Level::High)),
        (Command::GetDirection | Command::GetValue, _) => None,
        _ => Some(Answer::Done),
    }
}

/// What is to be made of a response.
pub fn expected(command: Command, written: usize, raw: [u8; 2]) -> Result<Answer, ReplyError> {
    let [status, value] = raw;

    match (written, status) {
        (2, 0) => answer(command, value).ok_or(ReplyError::Value(value.into())),
        (2, 1) => Err(ReplyError::Failed),
        (2, _) => Err(ReplyError::Status(status)),
        _ => Err(ReplyError::Length { written, wanted: 2 }),
    }
}
