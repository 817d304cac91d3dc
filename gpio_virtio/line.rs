// SPDX-License-Identifier: GPL-2.0

//! What a line has, whatever the protocol: a level and a direction.
//!
//! Pure, like the protocols: compiled for the kernel and for the host from this one file.

/// The level of a line: what is on the wire, with no regard to active-low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Electrically low, 0 in a message.
    Low,
    /// Electrically high, 1 in a message.
    High,
}

impl Level {
    /// The level that a message's value stands for, if it stands for one. It is the same in both
    /// protocols.
    pub const fn from_wire(value: u32) -> Option<Self> {
        match value {
            0 => Some(Level::Low),
            1 => Some(Level::High),
            _ => None,
        }
    }
}

impl From<Level> for u32 {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => 0,
            Level::High => 1,
        }
    }
}

impl From<bool> for Level {
    fn from(high: bool) -> Self {
        if high {
            Level::High
        } else {
            Level::Low
        }
    }
}

/// The direction of a line, seen from the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The driver drives the line.
    Output,
    /// The driver reads the line.
    Input,
}
