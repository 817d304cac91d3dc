// SPDX-License-Identifier: GPL-2.0

//! What the device has been told about its lines, for when it forgets: after a reset it is told again.
//!
//! A command counts when the device has done it, in the order of its replies. What it refused, and what
//! it never answered, leaves a line as it was.
//!
//! Pure, like [`rfc`](super::rfc): compiled for the kernel and for the host from this one file.

use super::{
    command::{
        Answer,
        Command, //
    },
    line::{
        Direction,
        Level, //
    },
};

/// Which part of a command a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The first one of two.
    First,
    /// The second one of two.
    Second,
}

/// What the device knows of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineState {
    /// It has been requested, by a message.
    requested: bool,
    /// Which way it points.
    direction: Option<Direction>,
    /// The level that it was driven to last, or is to be driven to when it is an output.
    level: Option<Level>,
}

impl LineState {
    /// What the device knows of a line that nobody uses.
    pub const UNUSED: Self = Self {
        requested: false,
        direction: None,
        level: None,
    };

    /// The device has done a command, or a part of it; `answer` is what it said.
    pub fn done(&mut self, command: Command, part: Part, answer: Answer) {
        match (command, part) {
            (Command::Request, _) => self.requested = true,
            (Command::Free, _) => *self = Self::UNUSED,
            (Command::DirectionInput, _) => {
                self.direction = Some(Direction::Input);
                self.level = None;
            }
            (Command::DirectionOutput(level), Part::First) | (Command::SetValue(level), _) => {
                self.level = Some(level);
            }
            (Command::DirectionOutput(level), Part::Whole | Part::Second) => {
                self.direction = Some(Direction::Output);
                self.level = Some(level);
            }
            // A line that was an output before anybody here said so, and is used as one.
            (Command::GetDirection, _) => {
                if let (Answer::Direction(told), None) = (answer, self.direction) {
                    self.direction = told;
                }
            }
            (Command::GetValue | Command::SetIrqType(_), _) => (),
        }
    }

    /// Whether a command can change what the device knows; `is_used` is whether somebody uses the line.
    pub const fn is_touched_by(command: Command, is_used: bool) -> bool {
        match command {
            Command::Request
            | Command::Free
            | Command::DirectionInput
            | Command::DirectionOutput(_)
            | Command::SetValue(_) => true,
            // Of a line that nobody uses the device needs not be told what it has said itself.
            Command::GetDirection => is_used,
            Command::GetValue | Command::SetIrqType(_) => false,
        }
    }

    /// The commands that bring a device which has forgotten everything to where it was, in this order;
    /// the second may only be given when the first one is done.
    pub const fn restore(self) -> [Option<Command>; 2] {
        let first = match self.requested {
            true => Some(Command::Request),
            false => None,
        };
        let second = match (self.direction, self.level) {
            (Some(Direction::Input), _) => Some(Command::DirectionInput),
            (Some(Direction::Output), Some(level)) => Some(Command::DirectionOutput(level)),
            (None, Some(level)) => Some(Command::SetValue(level)),
            // Nobody here knows what it was driven to. It is what the device makes of it.
            (Some(Direction::Output), None) | (None, None) => None,
        };
        [first, second]
    }
}
