// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device that reports levels: each change, or those that it has been told to.
//!
//! It keeps nothing for a line that is masked, so an edge that comes then is latched here. Whether a
//! level is still there has to be asked of it.

use super::{
    super::line::Level,
    LineIrq,
    LineIrqs,
    Reporting,
    Trigger, //
};
use core::ops::DerefMut;

/// So often in a row a line's level is asked for in vain.
const MAX_FAILURES: u8 = 3;

impl<S> LineIrqs<S>
where
    S: DerefMut<Target = [LineIrq]>,
{
    /// A point in time, for [`learn`](Self::learn).
    pub fn epoch(&self, line: u16) -> u32 {
        self.get(line).map_or(0, |line| line.epoch)
    }

    /// The line has this level, or one that is not known: the device was asked since `epoch`.
    ///
    /// To be called before the line is turned on. From one change to the next the level is what was
    /// reported; but a device does not report what the driver does to an output.
    pub fn learn(&mut self, line: u16, epoch: u32, level: Option<Level>) {
        match self.get_mut(line) {
            Some(line) if line.epoch == epoch => line.level = level,
            // What was reported meanwhile is newer, or the same.
            _ => (),
        }
    }

    /// The device reports a level. Returns whether the line is to be fired now: see
    /// [`begin`](Self::begin).
    pub fn report(&mut self, line: u16, level: Level) -> bool {
        let selective = self.is_selective();
        self.counts.reports += 1;
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        // What the device was told to report, if it has to be told and that is known.
        let told = state.told.filter(|_| selective);
        let is_of_another = told.is_some_and(|told| told != state.trigger);
        if is_of_another && state.is_unsure {
            // It fires nobody. What it says is found out when the device has been told everything again.
            return false;
        }
        let before = state.level.replace(level);
        state.epoch = state.epoch.wrapping_add(1);
        state.is_unsure = false;
        if !state.enabled {
            return false;
        }

        let high = level == Level::High;
        let active = state.trigger.active_level();
        if active.is_some_and(|active| active != high) {
            state.due = 0;
            return false;
        }

        // Whether this can only be what the device was told to report.
        if is_of_another {
            return false;
        }
        let is_told = selective && (told.is_some() || state.was_silent);
        if active.is_some() {
            // While it was known to be there, the device is being asked, or soon will be.
            let is_due = (state.due > 0 || before != Some(level)) && !state.masked;
            state.due = is_due.into();
            return is_due;
        }
        let is_due = match state.trigger {
            Trigger::None => false,
            // It is what the device was told to report, though the line may have changed back since.
            _ if is_told => true,
            // The same level again: a change and the one back were merged.
            _ if before == Some(level) => true,
            trigger => trigger.fires_on_edge_to(high),
        };
        if !is_due {
            return false;
        }
        if state.masked || state.firing || state.latched {
            self.latch(line);
            return false;
        }
        state.due = state.due.saturating_add(1);
        true
    }

    /// The next line whose level the device is to be asked for, and what
    /// [`checked`](Self::checked) needs to know.
    pub fn next_check(&mut self) -> Option<(u16, u32)> {
        if self.reporting == Reporting::Buffers {
            return None;
        }
        loop {
            let line = self
                .checks
                .pop(&mut self.lines, |line| &mut line.check_list)?;
            let state = self.get(line)?;
            if state.enabled && !state.masked {
                return Some((line, state.epoch));
            }
        }
    }

    /// A check that was begun cannot be made now: it stays to be done.
    pub fn put_back_check(&mut self, line: u16) {
        self.want_check(line);
    }

    /// The device was asked for a level, when `epoch` was what [`next_check`](Self::next_check) said,
    /// and has answered, or has not said it. Returns whether the line is to be fired now: see
    /// [`begin`](Self::begin).
    pub fn checked(&mut self, line: u16, epoch: u32, level: Option<Level>) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        if state.epoch != epoch {
            // The level may have been another one since, and the line may have been fired.
            self.look_at_level(line);
            return false;
        }
        state.level = level;
        match level {
            Some(level) => {
                state.failures = 0;
                let Some(active) = state.trigger.active_level() else {
                    return false;
                };
                let is_due = active == (level == Level::High);
                state.due = is_due.into();
                is_due
            }
            None => {
                // In the end, the next report counts.
                state.failures = state.failures.saturating_add(1);
                if state.failures < MAX_FAILURES {
                    self.look_at_level(line);
                }
                false
            }
        }
    }
}

impl LineIrq {
    /// Whether it fires on a level, and that has to be asked for: it may be there.
    pub(super) fn wants_level(&self) -> bool {
        match (self.trigger.active_level(), self.level) {
            (Some(active), Some(level)) => active == (level == Level::High),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}
