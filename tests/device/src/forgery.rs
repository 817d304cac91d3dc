// SPDX-License-Identifier: GPL-2.0

//! Events that a device should not send: malformed ones, and more than anybody asked for.

use gpio_virtio_logic::line::Level;

use crate::lines::opposite;

/// What is wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing is in it.
    Empty,
    /// Half of it is there.
    Short,
    /// It says that it has more bytes than there is room for.
    Long,
    /// It has the type of no event.
    BadType,
    /// It is about a line that does not exist.
    BadLine,
    /// Its level is none.
    BadLevel,
    /// It has a status that does not exist.
    BadStatus,
    /// It says that its line is not armed, though it is.
    Invalid,
}

impl Forgery {
    /// Those that there are of events which are a message.
    pub const OF_MESSAGES: &[Forgery] = &[
        Forgery::Empty,
        Forgery::Short,
        Forgery::Long,
        Forgery::BadType,
        Forgery::BadLine,
        Forgery::BadLevel,
    ];

    /// Those that there are of events which are a status.
    pub const OF_STATUS: &[Forgery] = &[
        Forgery::Empty,
        Forgery::Long,
        Forgery::BadStatus,
        Forgery::Invalid,
    ];
}

/// All that a protocol has, in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgeries {
    all: &'static [Forgery],
    next: usize,
}

impl Forgeries {
    /// All of these.
    pub const fn new(all: &'static [Forgery]) -> Self {
        Self { all, next: 0 }
    }
}

impl Iterator for Forgeries {
    type Item = Forgery;

    /// The next one: there is no end to them.
    fn next(&mut self) -> Option<Forgery> {
        let forgery = self.all.get(self.next).copied();
        self.next = (self.next + 1) % self.all.len().max(1);
        forgery
    }
}

/// What a storm consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Well-formed events.
    Valid,
    /// Malformed ones.
    Invalid,
    /// One after the other.
    Mixed,
}

/// One event of a storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gust {
    /// The line that it is about.
    pub line: u16,
    /// The level that it claims.
    pub level: Level,
    /// What is wrong with it, if anything is.
    pub forgery: Option<Forgery>,
}

/// Events without end: all lines in turn go to one level, then all to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    weather: Weather,
    line: u16,
    level: Level,
    forgeries: Forgeries,
    /// Of mixed ones, whether a malformed one is next.
    malformed: bool,
}

impl Storm {
    /// A storm that begins.
    pub fn new(weather: Weather, forgeries: Forgeries) -> Self {
        Self {
            weather,
            line: 0,
            level: Level::High,
            forgeries,
            malformed: false,
        }
    }

    /// The next event for a device with so many lines.
    pub fn gust(&mut self, lines: u16) -> Gust {
        if self.line >= lines {
            self.line = 0;
            self.level = opposite(self.level);
        }
        let (line, level) = (self.line, self.level);

        let malformed = match self.weather {
            Weather::Valid => false,
            Weather::Invalid => true,
            Weather::Mixed => self.malformed,
        };
        self.malformed = !malformed;
        // One that is malformed does not use up the turn of a line: with an even number of lines,
        // each second one would get nothing else.
        let forgery = if malformed {
            self.forgeries.next()
        } else {
            self.line = line.saturating_add(1);
            None
        };
        Gust {
            line,
            level,
            forgery,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{
        High,
        Low, //
    };

    fn gusts(weather: Weather, count: usize) -> Vec<(u16, Level, Option<Forgery>)> {
        let mut storm = Storm::new(weather, Forgeries::new(Forgery::OF_MESSAGES));
        (0..count)
            .map(|_| storm.gust(2))
            .map(|gust| (gust.line, gust.level, gust.forgery))
            .collect()
    }

    #[test]
    fn all_lines_in_turn_go_up_and_down() {
        assert_eq!(
            gusts(Weather::Valid, 5),
            [
                (0, High, None),
                (1, High, None),
                (0, Low, None),
                (1, Low, None),
                (0, High, None),
            ]
        );
    }

    #[test]
    fn malformed_events_are_so_in_turn() {
        let forgeries: Vec<_> = gusts(Weather::Invalid, 7)
            .into_iter()
            .filter_map(|(_, _, forgery)| forgery)
            .collect();
        assert_eq!(forgeries[..6], *Forgery::OF_MESSAGES);
        assert_eq!(forgeries[6], Forgery::Empty);
    }

    #[test]
    fn mixed_events_have_all_lines_too() {
        assert_eq!(
            gusts(Weather::Mixed, 5),
            [
                (0, High, None),
                (1, High, Some(Forgery::Empty)),
                (1, High, None),
                (0, Low, Some(Forgery::Short)),
                (0, Low, None),
            ]
        );
    }

    #[test]
    fn no_number_of_lines_is_too_large_or_too_small() {
        let mut storm = Storm::new(Weather::Valid, Forgeries::default());
        for line in 0..u16::MAX {
            assert_eq!(storm.gust(u16::MAX).line, line);
        }
        assert_eq!(storm.gust(u16::MAX).line, 0);
        assert_eq!(storm.gust(0).line, 0);
    }
}
