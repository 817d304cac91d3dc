// SPDX-License-Identifier: GPL-2.0

//! What a line has to fire for, and what it may fire for, as the books say that are kept here.

use gpio_virtio_logic::trigger::Trigger;

/// What is known of one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oracle {
    /// Edges that have to be fired, or merged into another one.
    must: u32,
    /// Edges that may be fired. Where a report stands for several changes the driver cannot always
    /// tell which.
    may: u32,
    /// Whether the level is there that fires, as the device has said last; `None` if what it said
    /// has been acted upon, or does not count any more.
    is_active: Option<bool>,
    /// The level that the device has said last.
    known: Option<bool>,
    /// The device was reset since it said that.
    is_unsure: bool,
    /// How often the line was fired.
    pub(super) fired: u64,
    /// How often in a row its level was asked for in vain.
    failures: u8,
}

/// How much an edge counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// It has to be fired.
    Must,
    /// It need not be, but may.
    May,
    /// It must not be.
    MustNot,
}

impl Oracle {
    /// What came until now does not count any more.
    pub(super) fn forget(&mut self) {
        self.must = 0;
        self.may = 0;
        self.is_active = None;
    }

    /// The same, but for edges.
    pub(super) fn forget_level(&mut self) {
        self.is_active = None;
    }

    pub(super) fn enabled(&mut self, trigger: Trigger) {
        self.failures = 0;
        if trigger.active_level().is_some() {
            self.known = None;
        }
    }

    pub(super) fn known(&self) -> Option<bool> {
        self.known
    }

    pub(super) fn set_known(&mut self, known: Option<bool>) {
        self.known = known;
    }

    /// The device has reported a level.
    pub(super) fn reported(&mut self, high: bool) {
        self.known = Some(high);
        self.is_unsure = false;
    }

    /// The device was reset while the line was on.
    pub(super) fn was_reset(&mut self) {
        self.is_unsure = true;
    }

    /// It was looked for what that has changed. If it has not been, it does not count any more what the
    /// device has said before.
    pub(super) fn end_unsure(&mut self, is_looked_for: bool) {
        if std::mem::take(&mut self.is_unsure) && !is_looked_for {
            self.known = None;
        }
    }

    /// An edge was reported to who waits for edges.
    pub(super) fn edge(&mut self, edge: Edge) {
        self.must += u32::from(edge == Edge::Must);
        self.may += u32::from(edge != Edge::MustNot);
    }

    /// A level was reported, or asked for, for who waits for one.
    pub(super) fn level(&mut self, is_active: bool) {
        self.is_active = Some(is_active);
    }

    pub(super) fn asked_in_vain(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.known = None;
    }

    pub(super) fn was_answered(&mut self) {
        self.failures = 0;
    }

    /// Whether the driver may take no notice of a level by now.
    pub(super) fn is_given_up(&self) -> bool {
        self.failures >= 3
    }

    /// Edges were merged into one.
    pub(super) fn merged(&mut self, count: u64) {
        for _ in 0..count {
            assert!(self.may > 0, "merged an edge that there was not");
            self.may -= 1;
            self.must = self.must.saturating_sub(1);
        }
    }

    pub(super) fn fires(&mut self, trigger: Trigger) {
        if trigger.active_level().is_some() {
            assert_eq!(self.is_active, Some(true), "fires without a reason");
        } else {
            assert!(self.may > 0, "fires without a reason");
            self.may -= 1;
            self.must = self.must.saturating_sub(1);
        }
        self.is_active = None;
        self.fired += 1;
    }

    /// There was nobody to call.
    pub(super) fn cancelled(&mut self, trigger: Trigger) {
        self.fired -= 1;
        if trigger.active_level().is_some() {
            self.known = None;
        } else {
            // Those that were latched meanwhile are one with it.
            self.must = 1;
            self.may += 1;
        }
    }

    pub(super) fn has_all(&self) -> bool {
        self.must == 0
    }
}
