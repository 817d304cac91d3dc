// SPDX-License-Identifier: GPL-2.0

//! What the device has been told about a line, and is told again when it has forgotten.

use gpio_virtio_logic::{
    command::{
        Answer,
        Command, //
    },
    line::{
        Direction,
        Level, //
    },
    line_states::{
        LineState,
        Part,
        Restored, //
    },
};
use proptest::prelude::*;

/// A line of a device that does what it is told, as both protocols have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DeviceLine {
    requested: bool,
    direction: Option<Direction>,
    level: Option<Level>,
}

impl DeviceLine {
    fn run(&mut self, command: Command) -> Answer {
        match command {
            Command::Request => self.requested = true,
            Command::Free => *self = Self::default(),
            Command::DirectionInput => {
                self.direction = Some(Direction::Input);
                self.level = None;
            }
            Command::DirectionOutput(level) => {
                self.direction = Some(Direction::Output);
                self.level = Some(level);
            }
            Command::SetValue(level) => self.level = Some(level),
            Command::GetDirection => return Answer::Direction(self.direction),
            Command::GetValue => return Answer::Level(self.level.unwrap_or(Level::Low)),
            Command::SetIrqType(_) => (),
        }
        Answer::Done
    }
}

fn level() -> impl Strategy<Value = Level> {
    any::<bool>().prop_map(Level::from)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Request),
        Just(Command::Free),
        Just(Command::DirectionInput),
        level().prop_map(Command::DirectionOutput),
        level().prop_map(Command::SetValue),
        Just(Command::GetDirection),
        Just(Command::GetValue),
    ]
}

proptest! {
    #[test]
    fn a_device_that_has_forgotten_is_brought_to_where_it_was(
        commands in proptest::collection::vec((command(), any::<bool>(), any::<bool>()), 0..20)
    ) {
        let mut device = DeviceLine::default();
        let mut state = LineState::UNUSED;
        for (command, is_done, in_parts) in commands {
            // What it refuses, or never answers, has no reply that counts.
            if !is_done {
                continue;
            }
            let answer = device.run(command);
            match (command, in_parts) {
                (Command::DirectionOutput(_), true) => {
                    state.done(command, Part::First, answer);
                    state.done(command, Part::Second, answer);
                }
                _ => state.done(command, Part::Whole, answer),
            }
        }

        let mut restored = DeviceLine::default();
        for command in state.restore().into_iter().flatten() {
            restored.run(command);
        }
        prop_assert_eq!(restored.requested, device.requested);
        prop_assert_eq!(restored.direction, device.direction);
        // The level of an input is not the driver's.
        if device.direction != Some(Direction::Input) {
            prop_assert_eq!(restored.level, device.level);
        }
    }
}

#[test]
fn half_of_a_command_leaves_the_direction() {
    let mut state = LineState::UNUSED;
    let command = Command::DirectionOutput(Level::High);
    state.done(command, Part::First, Answer::Done);
    assert_eq!(
        state.restore(),
        [None, Some(Command::SetValue(Level::High))]
    );
    state.done(command, Part::Second, Answer::Done);
    assert_eq!(state.restore(), [None, Some(command)]);
}

#[test]
fn an_output_of_unknown_level_is_left_alone() {
    let mut state = LineState::UNUSED;
    let told = Answer::Direction(Some(Direction::Output));
    state.done(Command::GetDirection, Part::Whole, told);
    assert_eq!(state.restore(), [None, None]);
    state.done(Command::SetValue(Level::Low), Part::Whole, Answer::Done);
    assert_eq!(
        state.restore(),
        [None, Some(Command::DirectionOutput(Level::Low))]
    );
}

#[test]
fn a_level_that_was_refused_is_not_what_is_restored() {
    let mut state = LineState::UNUSED;
    let low = Command::DirectionOutput(Level::Low);
    state.done(low, Part::First, Answer::Done);
    state.done(low, Part::Second, Answer::Done);
    // The device refuses the level, and does the rest.
    let high = Command::DirectionOutput(Level::High);
    state.done(high, Part::Second, Answer::Done);
    assert_eq!(state.restore(), [None, Some(low)]);
}

#[test]
fn a_line_is_restored_or_refused_once() {
    let mut restored = Restored::default();
    for (line, is_done, is_half) in [
        // Of one message, and of two.
        (1, true, false),
        (2, true, false),
        (2, true, false),
        // Neither the level nor the direction.
        (3, false, false),
        (3, false, false),
        // The level only.
        (4, true, false),
        (4, false, false),
        // The direction only: that is an output of some level.
        (5, false, false),
        (5, true, true),
        (6, true, false),
    ] {
        assert_eq!(restored.note(line, is_done), is_half, "line {line}");
    }
    assert_eq!(
        (restored.lines, restored.refused, restored.first_refused),
        (3, 3, Some(3))
    );
}
