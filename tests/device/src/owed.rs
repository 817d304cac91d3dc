// SPDX-License-Identifier: GPL-2.0

//! What the driver still has to be told: a change may be merged into another, but is never lost.

use std::collections::{
    HashSet,
    VecDeque, //
};

/// The lines whose last change was not reported yet.
///
/// There are no levels here: an event has the level that the line has when it is sent.
#[derive(Debug, Default)]
pub struct Owed {
    order: VecDeque<u16>,
    lines: HashSet<u16>,
    /// So many of the first ones are known to wait for a buffer.
    held: usize,
}

impl Owed {
    /// Notes that a line has changed; tells whether that took the place of a change which was not
    /// reported yet.
    pub fn note(&mut self, line: u16) -> bool {
        let merged = !self.lines.insert(line);
        if !merged {
            self.order.push_back(line);
        }
        merged
    }

    /// The line that has waited longest.
    pub fn first(&self) -> Option<u16> {
        self.order.front().copied()
    }

    /// All lines that wait, longest first.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.order.iter().copied()
    }

    /// Forgets a line, and tells whether it was there.
    pub fn remove(&mut self, line: u16) -> bool {
        if !self.lines.remove(&line) {
            return false;
        }
        if let Some(place) = self.order.iter().position(|&other| other == line) {
            self.order.remove(place);
            self.held -= usize::from(place < self.held);
        }
        true
    }

    /// Says that there is no buffer for those that are left, and returns how many of them did not
    /// know.
    pub fn hold(&mut self) -> usize {
        let new = self.order.len() - self.held;
        self.held = self.order.len();
        new
    }

    /// How many lines wait.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn changes_of_one_line_merge_and_keep_its_place() {
        let mut owed = Owed::default();
        assert!(!owed.note(5));
        assert!(!owed.note(2));
        assert!(owed.note(5));
        assert!(owed.note(5));
        assert_eq!((owed.len(), owed.first()), (2, Some(5)));
        assert!(owed.remove(5));
        assert!(!owed.remove(5));
        assert_eq!(owed.first(), Some(2));
        assert!(owed.remove(2));
        assert!(owed.is_empty());
        assert!(!owed.note(5));
    }

    #[test]
    fn each_one_is_held_once() {
        let mut owed = Owed::default();
        owed.note(1);
        owed.note(2);
        assert_eq!(owed.hold(), 2);
        owed.note(1);
        assert_eq!(owed.hold(), 0);
        owed.note(3);
        // One that was held, then one that was not.
        owed.remove(1);
        owed.remove(3);
        assert_eq!(owed.hold(), 0);
        owed.note(4);
        assert_eq!(owed.hold(), 1);
    }

    proptest! {
        #[test]
        fn every_line_waits_once(
            steps in proptest::collection::vec((0u16..6, 0..3), 0..60)
        ) {
            let mut owed = Owed::default();
            let mut expected: Vec<u16> = Vec::new();
            for (line, step) in steps {
                let there = expected.contains(&line);
                match step {
                    0 => {
                        prop_assert_eq!(owed.note(line), there);
                        if !there {
                            expected.push(line);
                        }
                    }
                    1 => {
                        prop_assert_eq!(owed.remove(line), there);
                        expected.retain(|&other| other != line);
                    }
                    _ => prop_assert!(owed.hold() <= expected.len()),
                }
                prop_assert_eq!(owed.first(), expected.first().copied());
                prop_assert_eq!(owed.len(), expected.len());
            }
        }
    }
}
