// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device that has a buffer for each line.
//!
//! To have the buffer is its leave to report that the line has fired, once. So a line that is masked
//! is one whose buffer is here; but one that is masked while the device has the buffer may be reported
//! all the same, and then an edge has to be latched here. What comes while the device has no buffer
//! it latches itself, and a level that is still there it reports again.
//!
//! The buffer also comes back when the device has been told to report nothing. That may be late: the
//! line may have been turned on again. It must not be given a second one until then.

use super::{
    super::standard::IrqStatus,
    LineIrq,
    LineIrqs,
    Trigger, //
};
use core::ops::DerefMut;

/// So often in a row the device may give a line's buffer back for nothing and be given it again.
///
/// One that never stops would keep the guest busy with nothing else.
const MAX_FAILURES: u8 = 100;

/// What a buffer that came back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The line is to be fired now: see [`LineIrqs::begin`].
    Fire,
    /// Nothing, or nothing yet.
    Nothing,
    /// The device had no reason to give it back, and may be given it again.
    Unreasonable,
    /// The same, once too often: the line does not fire until its interrupt is turned on anew.
    GivenUp,
}

impl<S> LineIrqs<S>
where
    S: DerefMut<Target = [LineIrq]>,
{
    /// If the line may fire, has the device given its buffer.
    pub(super) fn look_at_buffer(&mut self, line: u16) -> bool {
        match self.get(line) {
            Some(state) if state.may_be_lent() => self.want_check(line),
            _ => false,
        }
    }

    /// The next line whose buffer is to be given to the device. From now on the device has it, unless
    /// [`put_back_buffer`](Self::put_back_buffer) says something else.
    pub fn next_buffer(&mut self) -> Option<u16> {
        loop {
            let line = self
                .checks
                .pop(&mut self.lines, |line| &mut line.check_list)?;
            let state = self.get_mut(line)?;
            if state.may_be_lent() {
                state.is_lent = true;
                state.is_recalled = false;
                return Some(line);
            }
        }
    }

    /// Whether the device has a line's buffer.
    pub fn is_lent(&self, line: u16) -> bool {
        self.get(line).is_some_and(|line| line.is_lent)
    }

    /// The device could not be given a buffer: it is to be given it later.
    pub fn put_back_buffer(&mut self, line: u16) {
        if let Some(state) = self.get_mut(line) {
            state.is_lent = false;
        }
        self.look_at_buffer(line);
    }

    /// The device has given a line's buffer back, with what it says by that: `None` if that could not
    /// be understood. Afterwards there may be something to do.
    pub fn returned(&mut self, line: u16, status: Option<IrqStatus>) -> Returned {
        let Some(state) = self.get_mut(line) else {
            return Returned::Nothing;
        };
        state.is_lent = false;
        let was_recalled = core::mem::take(&mut state.is_recalled);

        let returned = match status {
            // That was before it was told something else, so it is nothing for who waits now.
            Some(IrqStatus::Valid) if was_recalled => {
                self.counts.reports += 1;
                Returned::Nothing
            }
            Some(IrqStatus::Valid) => self.reported(line),
            // It was told to, however late this is.
            Some(IrqStatus::Invalid) if was_recalled => Returned::Nothing,
            Some(IrqStatus::Invalid) | None => state.failed(),
        };
        if returned != Returned::Fire {
            self.look_at_buffer(line);
        }
        returned
    }

    /// The device says that a line has fired.
    fn reported(&mut self, line: u16) -> Returned {
        self.counts.reports += 1;
        let Some(state) = self.get_mut(line) else {
            return Returned::Nothing;
        };
        state.failures = 0;
        // It has changed; to which level is not said.
        state.level = None;
        state.epoch = state.epoch.wrapping_add(1);
        // If it has been told something else since, then that was for what it had been told before.
        if !state.enabled || state.told != Some(state.trigger) || state.trigger == Trigger::None {
            return Returned::Nothing;
        }
        if !state.masked && !state.firing && !state.latched {
            state.due = 1;
            return Returned::Fire;
        }
        // A level that is still there when it may fire is reported again.
        if state.trigger.active_level().is_none() {
            self.latch(line);
        }
        Returned::Nothing
    }
}

impl LineIrq {
    /// Whether the device may be given the line's buffer.
    fn may_be_lent(&self) -> bool {
        self.enabled
            && !self.masked
            && !self.firing
            && !self.latched
            && self.due == 0
            && !self.is_lent
            && self.trigger != Trigger::None
            && self.told == Some(self.trigger)
            && self.failures < MAX_FAILURES
    }

    /// The device has given the buffer back for nothing.
    fn failed(&mut self) -> Returned {
        self.failures = self.failures.saturating_add(1);
        match self.failures {
            MAX_FAILURES => Returned::GivenUp,
            _ => Returned::Unreasonable,
        }
    }
}
