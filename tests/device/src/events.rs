// SPDX-License-Identifier: GPL-2.0

//! What the driver still has to be told: a change may be merged into another, but is never lost.

use std::collections::{
    HashMap,
    VecDeque, //
};

use gpio_virtio_logic::rfc::Level;

/// The lines whose last change was not reported yet, with their latest levels.
#[derive(Debug, Default)]
pub struct Owed {
    order: VecDeque<u16>,
    levels: HashMap<u16, Level>,
}

impl Owed {
    /// Notes that a line has a new level; tells whether that took the place of a change which was
    /// not reported yet.
    pub fn note(&mut self, line: u16, level: Level) -> bool {
        let merged = self.levels.insert(line, level).is_some();
        if !merged {
            self.order.push_back(line);
        }
        merged
    }

    /// Takes the change that has waited longest.
    pub fn pop(&mut self) -> Option<(u16, Level)> {
        let line = self.order.pop_front()?;
        self.levels.remove(&line).map(|level| (line, level))
    }

    /// How many lines wait.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Forgets everything: there is nobody to be told any more.
    pub fn clear(&mut self) {
        self.order.clear();
        self.levels.clear();
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
    fn changes_of_one_line_merge_into_the_latest_level() {
        let mut owed = Owed::default();
        assert!(!owed.note(5, High));
        assert!(!owed.note(2, High));
        assert!(owed.note(5, Low));
        assert!(owed.note(5, High));
        assert!(owed.note(5, Low));
        assert_eq!(owed.len(), 2);
        assert_eq!(owed.pop(), Some((5, Low)));
        assert_eq!(owed.pop(), Some((2, High)));
        assert_eq!(owed.pop(), None);
        assert!(!owed.note(5, Low));
        owed.clear();
        assert!(owed.is_empty());
        assert_eq!(owed.pop(), None);
    }
}
