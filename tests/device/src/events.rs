// SPDX-License-Identifier: GPL-2.0

//! Which changes become events in the RFC's protocol. The standard's has
//! [`interrupts`](crate::protocol::standard::interrupts).
//!
//! The counters keep a balance: each change that has to be reported was sent, was merged into
//! another, or is owed.

use std::collections::HashMap;

use gpio_virtio_logic::line::Level;

use crate::{
    irq::IrqType,
    owed::Owed,
    stats::Stats, //
};

/// What the driver wants to know, and what of that it has not been told.
#[derive(Debug, Default)]
pub struct Events {
    /// What each line is armed for; without it, for every change.
    armed: Option<HashMap<u16, IrqType>>,
    owed: Owed,
}

impl Events {
    /// Events for a driver that has just come: of all changes, or only of those that it arms.
    pub fn new(selective: bool) -> Self {
        Self {
            armed: selective.then(HashMap::new),
            owed: Owed::default(),
        }
    }

    /// Disarms everything, and forgets what is owed: there is nobody to be told any more.
    pub fn stop(&mut self, stats: &mut Stats) {
        for _ in 0..self.owed.len() {
            stats.forget_change();
        }
        *self = Self::new(self.is_selective());
    }

    /// Whether the driver says what it wants to be told about.
    pub fn is_selective(&self) -> bool {
        self.armed.is_some()
    }

    /// What a line is armed for, if the driver can say that.
    pub fn armed(&self, line: u16) -> Option<IrqType> {
        let armed = self.armed.as_ref()?;
        Some(armed.get(&line).copied().unwrap_or_default())
    }

    /// Arms a line, which has a level now. What was owed for it is not any more.
    pub fn arm(&mut self, line: u16, irq_type: IrqType, level: Level, stats: &mut Stats) {
        let Some(armed) = &mut self.armed else {
            return;
        };
        match irq_type {
            IrqType::None => armed.remove(&line),
            _ => armed.insert(line, irq_type),
        };
        if self.owed.remove(line) {
            stats.forget_change();
        }
        if irq_type.is_active(level) {
            self.owe(line, stats);
        }
    }

    /// A line has a new level, and the driver has not set it.
    pub fn note(&mut self, line: u16, level: Level, stats: &mut Stats) {
        if self.armed(line).is_none_or(|armed| armed.wants(level)) {
            self.owe(line, stats);
        }
    }

    fn owe(&mut self, line: u16, stats: &mut Stats) {
        stats.changes += 1;
        if self.owed.note(line) {
            stats.merged += 1;
        }
    }

    /// The line that is next to be reported.
    pub fn next(&self) -> Option<u16> {
        self.owed.first()
    }

    /// The next line was reported.
    pub fn sent(&mut self) {
        if let Some(line) = self.owed.first() {
            self.owed.remove(line);
        }
    }

    /// There is no buffer for those that are left: returns how many wait from now on.
    pub fn hold(&mut self) -> usize {
        self.owed.hold()
    }

    /// How many lines wait to be reported.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use Level::{
        High,
        Low, //
    };

    /// Changes that are owed after each of a sequence of levels on a line that is sent nothing.
    fn changes(irq_type: IrqType, before: Level, levels: &[Level]) -> Vec<u64> {
        let mut stats = Stats::default();
        let mut events = Events::new(true);
        events.arm(1, irq_type, before, &mut stats);
        let mut counts = vec![stats.changes];
        for &level in levels {
            events.note(1, level, &mut stats);
            counts.push(stats.changes);
        }
        counts
    }

    #[test]
    fn edges_are_reported_as_armed() {
        assert_eq!(
            changes(IrqType::Rising, Low, &[High, Low, High]),
            [0, 1, 1, 2]
        );
        assert_eq!(
            changes(IrqType::Falling, Low, &[High, Low, High]),
            [0, 0, 1, 1]
        );
        assert_eq!(
            changes(IrqType::Both, Low, &[High, Low, High]),
            [0, 1, 2, 3]
        );
        assert_eq!(
            changes(IrqType::None, Low, &[High, Low, High]),
            [0, 0, 0, 0]
        );
    }

    #[test]
    fn a_level_is_reported_when_it_becomes_active_or_is_so() {
        assert_eq!(
            changes(IrqType::High, Low, &[High, Low, High]),
            [0, 1, 1, 2]
        );
        assert_eq!(changes(IrqType::High, High, &[Low, High]), [1, 1, 2]);
        assert_eq!(changes(IrqType::Low, Low, &[High, Low]), [1, 1, 2]);
        assert_eq!(changes(IrqType::Low, High, &[Low, High]), [0, 1, 1]);
    }

    #[test]
    fn a_driver_that_does_not_say_what_it_wants_gets_everything() {
        let mut stats = Stats::default();
        let mut events = Events::new(false);
        assert_eq!(events.armed(3), None);
        events.arm(3, IrqType::High, High, &mut stats);
        assert_eq!(events.owed(), 0);
        events.note(3, High, &mut stats);
        events.note(3, Low, &mut stats);
        assert_eq!((stats.changes, stats.merged, events.owed()), (2, 1, 1));
    }

    #[test]
    fn arming_drops_what_is_owed_for_that_line() {
        let mut stats = Stats::default();
        let mut events = Events::new(true);
        for line in 0..3 {
            events.arm(line, IrqType::Both, Low, &mut stats);
            events.note(line, High, &mut stats);
        }
        events.arm(0, IrqType::None, High, &mut stats);
        events.arm(1, IrqType::Both, High, &mut stats);
        assert_eq!((events.next(), events.owed()), (Some(2), 1));
        assert_eq!((stats.changes, stats.forgotten), (1, 2));
        events.stop(&mut stats);
        assert_eq!((events.owed(), stats.changes, stats.forgotten), (0, 0, 3));
        assert_eq!(events.armed(2), Some(IrqType::None));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Toggle(u16),
        Arm(u16, u32),
        Send,
        Hold,
        Stop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let line = 0u16..4;
        let step = prop_oneof![
            8 => line.clone().prop_map(Step::Toggle),
            4 => (line, prop::sample::select(&[0u32, 1, 2, 3, 4, 8][..]))
                .prop_map(|(line, value)| Step::Arm(line, value)),
            6 => Just(Step::Send),
            2 => Just(Step::Hold),
            1 => Just(Step::Stop),
        ];
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn every_change_is_sent_merged_or_owed(selective: bool, steps in steps()) {
            let mut stats = Stats::default();
            let mut events = Events::new(selective);
            let mut levels = [Low; 4];
            // Lines for which the driver has to be told something.
            let mut pending = std::collections::BTreeSet::new();

            for step in steps {
                match step {
                    Step::Toggle(line) => {
                        let level = &mut levels[usize::from(line)];
                        *level = if *level == Low { High } else { Low };
                        if events.armed(line).is_none_or(|armed| armed.wants(*level)) {
                            pending.insert(line);
                        }
                        events.note(line, *level, &mut stats);
                    }
                    Step::Arm(line, value) => {
                        let irq_type = IrqType::from_wire(value).unwrap();
                        let level = levels[usize::from(line)];
                        events.arm(line, irq_type, level, &mut stats);
                        if selective {
                            pending.remove(&line);
                            if irq_type.is_active(level) {
                                pending.insert(line);
                            }
                        }
                    }
                    Step::Send => {
                        if let Some(line) = events.next() {
                            prop_assert!(pending.remove(&line));
                            events.sent();
                            stats.events += 1;
                        }
                    }
                    Step::Hold => prop_assert!(events.hold() <= events.owed()),
                    Step::Stop => {
                        events.stop(&mut stats);
                        pending.clear();
                    }
                }
                prop_assert_eq!(events.owed(), pending.len());
                let owed = u64::try_from(events.owed()).unwrap();
                prop_assert_eq!(stats.changes, stats.events + stats.merged + owed);
            }
        }
    }
}
