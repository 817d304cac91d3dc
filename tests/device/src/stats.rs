// SPDX-License-Identifier: GPL-2.0

//! What a device counts.

use std::{
    collections::BTreeMap,
    fmt, //
};

use crate::violation::Violation;

/// Violations are logged in full up to this many: a hostile driver must not fill a disk.
const LOGGED: u64 = 100;

/// The counters of a device, since it started or since they were reset.
#[derive(Debug, Default)]
pub struct Stats {
    /// Commands taken from the command queue, well-formed or not.
    pub requests: u64,
    /// Commands given back.
    pub replies: u64,
    /// Times that the driver notified the device.
    pub notifications: u64,
    /// Times that the device interrupted the driver.
    pub interrupts: u64,
    /// Changes of inputs that the driver has to be told about: as many as there are events sent,
    /// changes merged, and changes owed.
    pub changes: u64,
    /// Events sent.
    pub events: u64,
    /// Changes that were merged into one that was still owed.
    pub merged: u64,
    /// Changes that had to wait for a buffer.
    pub held: u64,
    /// Changes that the driver had to be told about until it did not want to know any more.
    pub forgotten: u64,
    /// Malformed events sent before real ones.
    pub bad_events: u64,
    /// Events sent by a storm, malformed or not.
    pub storm_events: u64,
    /// Replies given back that were not what they should be.
    pub hostile_replies: u64,
    /// Events sent that were not what they should be, of whatever origin.
    pub hostile_events: u64,
    /// Events sent that were well-formed, but that nobody had asked for, of whatever origin.
    pub stray_events: u64,
    /// Times that a driver stopped the device, reset it, or went away.
    pub resets: u64,
    /// Times that an interrupt was disabled which was not enabled. That is no violation, but there
    /// are devices that refuse it.
    pub none_again: u64,
    /// Lines that were armed when the driver stopped the device. That disarms them too.
    pub left_armed: u64,
    /// Commands that the driver never got back, because it reset the device.
    pub dropped: u64,
    violations: BTreeMap<Violation, u64>,
}

impl Stats {
    /// Counts from now on; so many changes are owed.
    pub fn restart(&mut self, owed: usize) {
        *self = Self {
            changes: u64::try_from(owed).unwrap_or_default(),
            ..Self::default()
        };
    }

    /// Takes back a change that was owed.
    pub fn forget_change(&mut self) {
        self.changes = self.changes.saturating_sub(1);
        self.forgotten += 1;
    }

    /// Counts a broken rule.
    pub fn violation(&mut self, violation: Violation) {
        if self.violations.values().sum::<u64>() < LOGGED {
            log::warn!("the driver broke a rule: {}", violation.name());
        }
        *self.violations.entry(violation).or_default() += 1;
    }

    /// How often a rule was broken.
    pub fn count(&self, violation: Violation) -> u64 {
        self.violations.get(&violation).copied().unwrap_or_default()
    }

    /// How many rules were broken in all.
    pub fn violations(&self) -> u64 {
        self.violations.values().sum()
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "requests={} replies={} notifications={} interrupts={} changes={} events={} \
             merged={} held={} forgotten={} bad-events={} storm-events={} \
             hostile-replies={} hostile-events={} stray-events={} none-again={} left-armed={} resets={} \
             dropped={} violations={}",
            self.requests,
            self.replies,
            self.notifications,
            self.interrupts,
            self.changes,
            self.events,
            self.merged,
            self.held,
            self.forgotten,
            self.bad_events,
            self.storm_events,
            self.hostile_replies,
            self.hostile_events,
            self.stray_events,
            self.none_again,
            self.left_armed,
            self.resets,
            self.dropped,
            self.violations(),
        )?;
        for (violation, count) in &self.violations {
            write!(f, " violation-{}={count}", violation.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_is_a_change_after_a_restart_too() {
        let mut stats = Stats {
            changes: 7,
            merged: 4,
            ..Stats::default()
        };
        stats.restart(3);
        assert_eq!((stats.changes, stats.merged), (3, 0));
        for _ in 0..4 {
            stats.forget_change();
        }
        assert_eq!((stats.changes, stats.forgotten), (0, 4));
    }

    #[test]
    fn violations_are_listed_by_name_and_in_sum() {
        let mut stats = Stats::default();
        assert!(stats.to_string().ends_with(" violations=0"));
        stats.violation(Violation::LineRange);
        stats.violation(Violation::LineRange);
        stats.violation(Violation::Address);
        assert_eq!(stats.count(Violation::LineRange), 2);
        assert!(stats
            .to_string()
            .ends_with(" violations=3 violation-address=1 violation-line-range=2"));
    }
}
