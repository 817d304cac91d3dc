// SPDX-License-Identifier: GPL-2.0

//! The model of the lines: what is inside the device, whatever protocol it speaks.

use gpio_virtio_logic::line::{
    Direction,
    Level, //
};

/// The other level.
pub const fn opposite(level: Level) -> Level {
    match level {
        Level::Low => Level::High,
        Level::High => Level::Low,
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which way it points, as the driver has set it; `None` if nobody uses it.
    pub direction: Option<Direction>,
    /// The level that something outside of the device puts on the line.
    pub outside: Level,
    /// The level that the driver has set: on the line while it is an output, kept while it is not.
    pub output: Level,
}

impl Line {
    /// A line that is low, with this direction.
    pub const fn new(direction: Option<Direction>) -> Self {
        Self {
            direction,
            outside: Level::Low,
            output: Level::Low,
        }
    }

    /// Whether the driver drives it.
    pub fn is_output(&self) -> bool {
        self.direction == Some(Direction::Output)
    }

    /// The level that is on the line, which is what the driver reads.
    pub fn level(&self) -> Level {
        match self.direction {
            Some(Direction::Output) => self.output,
            Some(Direction::Input) | None => self.outside,
        }
    }
}

/// All lines of a device.
#[derive(Debug, Default)]
pub struct Lines {
    lines: Vec<Line>,
    /// The direction that they have at first.
    first: Option<Direction>,
}

impl Lines {
    /// `count` lines, all of them low, with this direction.
    pub fn new(count: u16, first: Option<Direction>) -> Self {
        Self {
            lines: vec![Line::new(first); usize::from(count)],
            first,
        }
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        u16::try_from(self.lines.len()).unwrap_or(u16::MAX)
    }

    /// One of them, if it exists.
    pub fn get(&self, line: u16) -> Option<Line> {
        self.lines.get(usize::from(line)).copied()
    }

    /// Makes `count` lines as they are for a driver that has just come: not outputs, with output
    /// levels that are low.
    ///
    /// What is outside does not know about drivers: those levels stay.
    pub fn restart(&mut self, count: u16) {
        let new = Line::new(self.first);
        self.lines.resize(usize::from(count), new);
        for line in &mut self.lines {
            *line = Line {
                outside: line.outside,
                ..new
            };
        }
    }

    /// Makes a line an input.
    pub fn make_input(&mut self, line: u16) {
        if let Some(line) = self.lines.get_mut(usize::from(line)) {
            line.direction = Some(Direction::Input);
        }
    }

    /// Nobody uses a line any more: what the driver has set is gone.
    pub fn release(&mut self, line: u16) {
        if let Some(line) = self.lines.get_mut(usize::from(line)) {
            *line = Line {
                outside: line.outside,
                ..Line::new(None)
            };
        }
    }

    /// Makes a line an output that starts at `level`, and tells whether anything has changed on it.
    pub fn make_output(&mut self, line: u16, level: Level) -> bool {
        let Some(line) = self.lines.get_mut(usize::from(line)) else {
            return false;
        };
        let changed = !line.is_output() || line.output != level;
        line.output = level;
        line.direction = Some(Direction::Output);
        changed
    }

    /// Sets the level that a line has as an output, and tells whether anything has changed on it.
    ///
    /// While the line is no output, the level is kept for later and nothing changes.
    pub fn set(&mut self, line: u16, level: Level) -> bool {
        let Some(line) = self.lines.get_mut(usize::from(line)) else {
            return false;
        };
        let changed = line.is_output() && line.output != level;
        line.output = level;
        changed
    }

    /// Drives a line from outside, and tells whether it has a new level by it.
    ///
    /// While the line is an output, the level is kept for later and nothing changes.
    pub fn drive(&mut self, line: u16, level: Level) -> bool {
        let Some(line) = self.lines.get_mut(usize::from(line)) else {
            return false;
        };
        let changed = !line.is_output() && line.outside != level;
        line.outside = level;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{
        High,
        Low, //
    };

    const NEW: Line = Line::new(Some(Direction::Input));

    fn inputs(count: u16) -> Lines {
        Lines::new(count, Some(Direction::Input))
    }

    fn level(lines: &Lines, line: u16) -> Level {
        lines.get(line).unwrap().level()
    }

    #[test]
    fn lines_start_as_low_inputs() {
        let lines = inputs(3);
        assert_eq!(lines.count(), 3);
        assert_eq!(lines.get(2), Some(NEW));
        assert_eq!(lines.get(3), None);
    }

    #[test]
    fn there_can_be_as_many_as_the_protocol_can_count() {
        assert_eq!(inputs(u16::MAX).count(), u16::MAX);
        assert!(inputs(u16::MAX).get(u16::MAX - 1).is_some());
    }

    #[test]
    fn an_input_reads_what_is_outside() {
        let mut lines = inputs(2);
        assert!(lines.drive(1, High));
        assert!(!lines.drive(1, High));
        assert_eq!(level(&lines, 1), High);
        assert_eq!(level(&lines, 0), Low);
    }

    #[test]
    fn an_output_reads_itself_and_outside_waits() {
        let mut lines = inputs(1);
        assert!(lines.make_output(0, High));
        assert!(!lines.drive(0, Low));
        assert_eq!(level(&lines, 0), High);
        assert!(lines.set(0, Low));
        assert!(!lines.drive(0, High));
        assert_eq!(level(&lines, 0), Low);
        lines.make_input(0);
        assert_eq!(level(&lines, 0), High);
    }

    #[test]
    fn a_level_set_on_an_input_is_latched() {
        let mut lines = inputs(1);
        assert!(!lines.set(0, High));
        assert_eq!(level(&lines, 0), Low);
        assert_eq!(lines.get(0).unwrap().output, High);
    }

    #[test]
    fn becoming_an_output_is_a_change_at_any_level() {
        let mut lines = inputs(1);
        assert!(lines.make_output(0, Low));
        assert!(!lines.make_output(0, Low));
        assert!(lines.make_output(0, High));
        assert!(!lines.set(0, High));
    }

    #[test]
    fn a_restart_keeps_only_what_is_outside() {
        let mut lines = inputs(3);
        lines.drive(1, High);
        lines.drive(2, High);
        lines.make_output(1, High);
        lines.restart(2);
        let line = lines.get(1).unwrap();
        assert_eq!(
            (line.direction, line.outside, line.output),
            (Some(Direction::Input), High, Low)
        );
        assert_eq!(lines.get(2), None);
        lines.restart(3);
        assert_eq!(lines.get(2), Some(NEW));
    }

    #[test]
    fn a_line_that_is_released_forgets_what_the_driver_has_set() {
        let mut lines = Lines::new(1, None);
        assert_eq!(lines.get(0), Some(Line::new(None)));
        assert!(lines.drive(0, High));
        assert!(!lines.set(0, High));
        assert!(lines.make_output(0, High));
        lines.release(0);
        let line = lines.get(0).unwrap();
        assert_eq!(
            (line.direction, line.level(), line.output),
            (None, High, Low)
        );
        assert!(lines.drive(0, Low));
        lines.make_input(0);
        lines.restart(1);
        assert_eq!(lines.get(0), Some(Line::new(None)));
    }

    #[test]
    fn lines_that_do_not_exist_are_left_alone() {
        let mut lines = inputs(1);
        assert!(!lines.drive(1, High));
        assert!(!lines.set(1, High));
        assert!(!lines.make_output(1, High));
        lines.make_input(1);
        assert_eq!(lines.get(0), Some(NEW));
    }
}
