// SPDX-License-Identifier: GPL-2.0

//! What the driver cannot know, because of what the device does wrong: it is not to blame then.

use std::collections::BTreeMap;

/// The state of each line, as far as one sort of command is about it.
#[derive(Debug, Default)]
pub struct Doubts {
    lines: BTreeMap<u16, Doubt>,
}

#[derive(Debug, Default)]
struct Doubt {
    /// How many commands there were.
    turn: u32,
    is_unsure: bool,
}

impl Doubts {
    /// A command about a line comes; returns which one it is.
    pub fn next_turn(&mut self, line: u16) -> u32 {
        let doubt = self.lines.entry(line).or_default();
        doubt.turn = doubt.turn.wrapping_add(1);
        doubt.turn
    }

    /// The driver was not able to have a line as it should be.
    pub fn stuck(&mut self, line: u16) {
        self.lines.entry(line).or_default().is_unsure = true;
    }

    /// The driver does not get to know what became of a command.
    pub fn hidden(&mut self, line: u16, turn: u32) {
        self.note(line, turn, true);
    }

    /// The driver knows what became of a command.
    pub fn delivered(&mut self, line: u16, turn: u32) {
        self.note(line, turn, false);
    }

    /// Only the last command matters.
    fn note(&mut self, line: u16, turn: u32, is_unsure: bool) {
        if let Some(doubt) = self.lines.get_mut(&line) {
            if doubt.turn == turn {
                doubt.is_unsure = is_unsure;
            }
        }
    }

    /// Whether the driver cannot know the state of a line.
    pub fn is_unsure(&self, line: u16) -> bool {
        self.lines.get(&line).is_some_and(|doubt| doubt.is_unsure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_command_matters() {
        let mut doubts = Doubts::default();
        assert!(!doubts.is_unsure(1));
        let first = doubts.next_turn(1);
        doubts.hidden(1, first);
        assert!(doubts.is_unsure(1) && !doubts.is_unsure(2));
        let second = doubts.next_turn(1);
        doubts.delivered(1, first);
        assert!(doubts.is_unsure(1));
        doubts.delivered(1, second);
        doubts.hidden(1, first);
        assert!(!doubts.is_unsure(1));
        doubts.stuck(1);
        assert!(doubts.is_unsure(1));
    }
}
