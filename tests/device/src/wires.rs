// SPDX-License-Identifier: GPL-2.0

//! Wires outside of the device: what the driver puts on one line comes in on another.

use std::collections::HashMap;

use gpio_virtio_logic::line::Level;

use crate::lines::opposite;

/// Where a wire leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The line at its end.
    pub to: u16,
    /// Whether there is an inverter in it.
    pub inverted: bool,
}

/// All wires, by the line at which they start.
///
/// They carry what the driver drives, and nothing else: what comes in at the end of one does not go
/// out through the next, so no loop of wires makes a level that never settles.
#[derive(Debug, Default)]
pub struct Wires {
    wires: HashMap<u16, Wire>,
}

impl Wires {
    /// Adds a wire, in place of the one that starts at the same line.
    pub fn add(&mut self, from: u16, wire: Wire) {
        self.wires.insert(from, wire);
    }

    /// Removes the wire that starts at a line, and tells whether there was one.
    pub fn remove(&mut self, from: u16) -> bool {
        self.wires.remove(&from).is_some()
    }

    /// What comes in, and where, when the driver drives a line to `level`.
    pub fn follow(&self, from: u16, level: Level) -> Option<(u16, Level)> {
        let wire = self.wires.get(&from)?;
        let level = match wire.inverted {
            true => opposite(level),
            false => level,
        };
        Some((wire.to, level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{
        High,
        Low, //
    };

    #[test]
    fn a_wire_carries_a_level_or_its_opposite() {
        let mut wires = Wires::default();
        let wire = |to, inverted| Wire { to, inverted };
        wires.add(1, wire(2, false));
        wires.add(3, wire(2, true));
        assert_eq!(wires.follow(1, High), Some((2, High)));
        assert_eq!(wires.follow(3, High), Some((2, Low)));
        assert_eq!(wires.follow(2, High), None);
        wires.add(1, wire(4, true));
        assert_eq!(wires.follow(1, Low), Some((4, High)));
        assert!(wires.remove(1));
        assert!(!wires.remove(1));
        assert_eq!(wires.follow(1, High), None);
    }
}
