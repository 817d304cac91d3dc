// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device that is reset while consumers wait for them.
//!
//! It forgets what it was told to report, so it is told again, as if every line had just been turned on.
//! What happened until then nobody has reported. A level that is still there is found as ever: it is
//! asked for, or reported anew. An edge is inferred: if the level is known from before, and is another
//! one now, then the line has changed, and fires once.

use super::{
    super::line::Level,
    LineIrq,
    LineIrqs,
    Reporting,
    Trigger, //
};
use core::ops::DerefMut;

/// What is not known of a line since the device was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsure {
    /// Nothing.
    Nothing,
    /// There is something to do about it.
    Look,
    /// Its level: the device is to be asked, and then [`compared`](LineIrqs::compared) be called with this
    /// epoch.
    Level(u32),
}

impl<S> LineIrqs<S>
where
    S: DerefMut<Target = [LineIrq]>,
{
    /// The system goes to sleep. Until [`wake_up`](Self::wake_up) it is the interrupt core that turns lines
    /// off and on, all of them, and not their consumers: what changes meanwhile is for those who have them.
    pub fn fall_asleep(&mut self) {
        self.is_asleep = true;
    }

    /// Keeps the edges that came and were not fired yet, for when the line is turned on again.
    pub(super) fn keep_pending(&mut self, line: u16) {
        let Some(state) = self.get_mut(line) else {
            return;
        };
        let due = core::mem::take(&mut state.due);
        state.epoch = state.epoch.wrapping_add(1);
        if state.fires_on_edges() {
            for _ in 0..due {
                self.latch(line);
            }
        }
    }

    /// The system has slept.
    pub fn wake_up(&mut self) {
        self.is_asleep = false;
    }

    /// The device was reset. Afterwards [`forget`](Self::forget) is to be called for each line, before
    /// the device is told anything.
    pub fn begin_life(&mut self) {
        self.life = self.life.wrapping_add(1);
    }

    /// The device has forgotten a line. Afterwards there may be something in
    /// [`next_sync`](Self::next_sync).
    pub fn forget(&mut self, line: u16) {
        let Some(state) = self.get_mut(line) else {
            return;
        };
        state.told = Some(Trigger::None);
        state.is_lent = false;
        state.is_recalled = false;
        state.failures = 0;
        state.epoch = state.epoch.wrapping_add(1);
        // An edge is known by the level before; a level has to be seen.
        if !state.enabled || !state.fires_on_edges() {
            state.level = None;
        }
        state.is_unsure = state.enabled;
        if state.enabled {
            self.want_sync(line);
        }
    }

    /// Whether the level of a line has to be known before the device is reset, and the epoch for
    /// [`learn`](Self::learn).
    pub fn is_to_be_noted(&self, line: u16) -> Option<u32> {
        self.get(line)
            .filter(|state| state.enabled && state.fires_on_edges())
            .map(|state| state.epoch)
    }

    /// What is to be done about a line, now that the device has been told about it again.
    pub fn next_unsure(&mut self, line: u16) -> Unsure {
        let reporting = self.reporting;
        let Some(state) = self.get_mut(line) else {
            return Unsure::Nothing;
        };
        if !core::mem::take(&mut state.is_unsure) || !state.enabled {
            return Unsure::Nothing;
        }
        match state.fires_on_edges() {
            true => Unsure::Level(state.epoch),
            // A device that has to be told has just been, and with that it was looked at.
            false if reporting == Reporting::Changes && self.look(line) => Unsure::Look,
            false => Unsure::Nothing,
        }
    }

    /// Nothing came of what [`next_unsure`](Self::next_unsure) said: it has not been done.
    pub fn put_back_unsure(&mut self, line: u16, epoch: u32) {
        if let Some(state) = self.get_mut(line) {
            // What was reported since says more, and who has the line by now wants nothing of before.
            state.is_unsure |= state.epoch == epoch && state.enabled;
        }
    }

    /// The device works again; there may have been tries in vain to tell it something, or to ask it.
    /// Afterwards there may be something in [`next_sync`](Self::next_sync).
    pub fn want_sync_if_needed(&mut self, line: u16) {
        let is_unsure = self.get(line).is_some_and(|line| line.is_unsure);

        if is_unsure || self.change(line).is_some() {
            self.want_sync(line);
        }
    }

    /// The device has said the level of a line, or not; it was asked when `epoch` was what
    /// [`next_unsure`](Self::next_unsure) said. Returns whether there is something to do.
    pub fn compared(&mut self, line: u16, epoch: u32, level: Option<Level>) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        // What it has reported since says more.
        if state.epoch != epoch || !state.enabled {
            return false;
        }
        let before = core::mem::replace(&mut state.level, level);
        let (Some(before), Some(level)) = (before, level) else {
            return false;
        };
        if before == level || !state.trigger.fires_on_edge_to(level == Level::High) {
            return false;
        }
        self.latch(line);
        self.want_latched(line)
    }
}

impl LineIrq {
    fn fires_on_edges(&self) -> bool {
        self.trigger != Trigger::None && self.trigger.active_level().is_none()
    }
}
