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
            (Command::DirectionOutput(level), Part::Whole) => {
                self.direction = Some(Direction::Output);
                self.level = Some(level);
            }
            // The level was the first part, if the device has done that.
            (Command::DirectionOutput(_), Part::Second) => {
                self.direction = Some(Direction::Output);
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

/// What came of telling a device again what it knew of its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// How many lines are as they were.
    pub lines: usize,
    /// How many the device has refused to have as they were.
    pub refused: usize,
    /// The first one of those.
    pub first_refused: Option<u16>,
    last_done: Option<u16>,
    last_refused: Option<u16>,
}

impl Restored {
    /// The device has replied to the message that restores a line, or to one of the two that do: the
    /// first one, and then the other. Whether the line is an output now, and not of the level that it had,
    /// is what this returns.
    pub fn note(&mut self, line: u16, is_done: bool) -> bool {
        let was_refused = self.last_refused == Some(line);
        let was_done = self.last_done == Some(line);

        if is_done {
            if !was_refused && !was_done {
                self.last_done = Some(line);
                self.lines += 1;
            }
            return was_refused;
        }
        if was_done {
            self.lines = self.lines.saturating_sub(1);
        }
        if !was_refused {
            self.last_refused = Some(line);
            self.refused += 1;
            self.first_refused.get_or_insert(line);
        }
        false
    }
}
