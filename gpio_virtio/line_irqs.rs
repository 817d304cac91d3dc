// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device's lines: what a report of the device means for who waits for it.
//!
//! What a consumer wants is an edge or a level, not while it has disabled its interrupt, and later if
//! it has masked it. This keeps, for each line, what is wanted, what the device has been told about
//! that, and what came and was not handed on yet. What the device says is for [`levels`] or for
//! [`buffers`], as its protocol has it.
//!
//! The flow is that of a level interrupt: from [`begin`](LineIrqs::begin) until it is unmasked, and
//! until [`finish`](LineIrqs::finish), a line fires no second time. An edge that comes meanwhile is
//! latched, and more of them are merged into that one. A level is not latched: whether it is still
//! there is for the device to say when the line is unmasked, as only the device knows (a report of
//! its end may be under way, or not to be had).
//!
//! Pure, like the protocols: compiled for the kernel and for the host from this one file and those
//! beside it. The caller provides the storage, the lock, and the messages to the device.

#[path = "line_irqs/buffers.rs"]
mod buffers;
#[path = "line_irqs/levels.rs"]
mod levels;
#[path = "line_irqs/list.rs"]
mod list;
#[path = "line_irqs/refusals.rs"]
mod refusals;
#[path = "line_irqs/resets.rs"]
mod resets;

pub use buffers::Returned;
pub use resets::Unsure;

use super::{
    line::Level,
    trigger::Trigger, //
};
use core::ops::DerefMut;
use list::{
    Link,
    List, //
};
use refusals::Refusals;

/// How a device reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporting {
    /// The level of a line, whenever it changes.
    Changes,
    /// The level of a line, when what it has been told to report happens.
    Selected,
    /// That what it has been told to report has happened, once for each time that it has been given
    /// the line's buffer.
    Buffers,
}

/// The interrupt of one line.
#[derive(Clone, Copy, Debug)]
pub struct LineIrq {
    /// What the consumer wants.
    trigger: Trigger,
    /// What the device has been told to report, if it has to be told. `None` while that is not known:
    /// a command is under way, or was lost.
    told: Option<Trigger>,
    /// While that is not known: before, the device had been told to report nothing.
    was_silent: bool,
    refusals: Refusals,
    /// Somebody has requested it, and has not given it back.
    claimed: bool,
    /// The line itself has a consumer.
    requested: bool,
    enabled: bool,
    masked: bool,
    /// Its handlers are being called.
    firing: bool,
    /// How often it is about to be fired, for what was reported: see [`LineIrqs::begin`]. Once for a
    /// level.
    due: u16,
    /// An edge is to be fired when the line is unmasked.
    latched: bool,
    /// The device has the line's buffer.
    is_lent: bool,
    /// It is to give the buffer back, as it has been told something else since it got it.
    is_recalled: bool,
    /// The last level that is known.
    level: Option<Level>,
    /// The device was reset since it was told something: what changed meanwhile was not reported.
    is_unsure: bool,
    /// Counts what outdates an answer of the device to the question for the level.
    epoch: u32,
    /// How many calls of consumers are under way that may change the line.
    syncing: u32,
    /// There is something to do at the end of one of them.
    is_left: bool,
    /// How often in a row the device did not say the level, or gave the buffer back for nothing.
    failures: u8,
    latch_list: Link,
    check_list: Link,
    sync_list: Link,
}

impl LineIrq {
    /// Drops what came and was not fired yet, and what the device was asked and has not answered yet: it
    /// was for who had the line until now, or for another trigger.
    fn drop_pending(&mut self) {
        self.latched = false;
        self.due = 0;
        self.epoch = self.epoch.wrapping_add(1);
    }
}

impl Default for LineIrq {
    /// A line that nobody waits for, of a device that has just been started.
    fn default() -> Self {
        Self {
            trigger: Trigger::None,
            told: Some(Trigger::None),
            was_silent: false,
            refusals: Refusals::default(),
            claimed: false,
            requested: false,
            enabled: false,
            masked: false,
            firing: false,
            due: 0,
            latched: false,
            is_lent: false,
            is_recalled: false,
            level: None,
            is_unsure: false,
            epoch: 0,
            syncing: 0,
            is_left: false,
            failures: 0,
            latch_list: Link::default(),
            check_list: Link::default(),
            sync_list: Link::default(),
        }
    }
}

/// What is left when a line has been fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Nothing.
    Done,
    /// It is to be fired again: an edge came when the interrupt core would not take it.
    Again,
    /// The device may have to be asked for a level, or given a buffer: see [`LineIrqs::next_check`]
    /// and [`LineIrqs::next_buffer`].
    Check,
}

/// What is left to do at the end of a consumer's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// The device is to be asked for a level, or given a buffer: see [`LineIrqs::next_check`] and
    /// [`LineIrqs::next_buffer`].
    ToAsk,
    /// And a line is to be fired: see [`LineIrqs::next_latched`].
    ToFire,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Well-formed reports by the device of what happened on a line.
    pub reports: u64,
    /// Interrupts fired.
    pub fired: u64,
    /// Edges that were merged into one that was latched already.
    pub merged: u64,
}

/// The interrupts of a device's lines. `S` stores them, by line number.
///
/// Methods ignore lines that do not exist. Those that return whether there is something to do mean
/// [`next_latched`](Self::next_latched) and [`next_check`](Self::next_check) or
/// [`next_buffer`](Self::next_buffer), or [`next_sync`](Self::next_sync) where they say so.
#[derive(Debug)]
pub struct LineIrqs<S> {
    lines: S,
    reporting: Reporting,
    latched: List,
    /// Lines about which the device is to be asked: for their level, or for the next report.
    checks: List,
    syncs: List,
    counts: Counts,
    open: bool,
    /// Counts the resets of the device.
    life: u32,
    /// The system goes to sleep, or sleeps: see [`LineIrqs::fall_asleep`].
    is_asleep: bool,
}

impl<S> LineIrqs<S>
where
    S: DerefMut<Target = [LineIrq]>,
{
    /// Takes the lines in `lines`, as they are by default: nobody waits for any of them.
    pub fn new(lines: S, reporting: Reporting) -> Self {
        Self {
            lines,
            reporting,
            latched: List::default(),
            checks: List::default(),
            syncs: List::default(),
            counts: Counts::default(),
            open: false,
            life: 0,
            is_asleep: false,
        }
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the device has to be told what to report.
    pub fn is_selective(&self) -> bool {
        self.reporting != Reporting::Changes
    }

    fn get(&self, line: u16) -> Option<&LineIrq> {
        self.lines.get(usize::from(line))
    }

    fn get_mut(&mut self, line: u16) -> Option<&mut LineIrq> {
        self.lines.get_mut(usize::from(line))
    }

    /// Has the device asked for the line's level.
    fn want_check(&mut self, line: u16) -> bool {
        self.checks
            .push(&mut self.lines, line, |line| &mut line.check_list)
    }

    /// Has the line's latched edge fired.
    fn want_latched(&mut self, line: u16) -> bool {
        self.latched
            .push(&mut self.lines, line, |line| &mut line.latch_list)
    }

    /// A line's interrupt gets its first consumer, or has lost the last one.
    pub fn set_claimed(&mut self, line: u16, claimed: bool) {
        if let Some(line) = self.get_mut(line) {
            line.claimed = claimed;
        }
    }

    /// A line itself gets a consumer, or has lost it.
    pub fn set_requested(&mut self, line: u16, requested: bool) {
        if let Some(line) = self.get_mut(line) {
            line.requested = requested;
        }
    }

    /// Whether a line has a consumer, or its interrupt has.
    pub fn is_in_use(&self, line: u16) -> bool {
        self.get(line)
            .is_some_and(|line| line.claimed || line.requested)
    }

    /// Whether a line itself has a consumer.
    pub fn is_requested(&self, line: u16) -> bool {
        self.get(line).is_some_and(|line| line.requested)
    }

    /// Whether a line's interrupt has a consumer.
    pub fn is_claimed(&self, line: u16) -> bool {
        self.get(line).is_some_and(|line| line.claimed)
    }

    /// Sets what fires, and returns whether there is something to do. The error is the errno with
    /// which the device has refused it when it was asked last.
    pub fn set_trigger(&mut self, line: u16, trigger: Trigger) -> Result<bool, u16> {
        let selective = self.is_selective();
        let Some(state) = self.get_mut(line) else {
            return Ok(false);
        };
        if let Some(errno) = state.refusals.get(trigger) {
            return Err(errno);
        }
        if state.trigger != trigger {
            state.trigger = trigger;
            state.drop_pending();
        }
        if core::mem::take(&mut state.is_unsure) || selective {
            // A device that reports something else, or was reset, may not have reported the last change.
            state.level = None;
        }
        // If the device has yet to be told, it is asked when it has been told.
        let is_told = !selective || state.told == Some(trigger);
        Ok(is_told && self.look(line))
    }

    /// Has done what it takes for the line to fire next, if it may.
    fn look(&mut self, line: u16) -> bool {
        match self.reporting {
            Reporting::Buffers => self.look_at_buffer(line),
            Reporting::Changes | Reporting::Selected => self.look_at_level(line),
        }
    }

    /// If the line fires on a level that may be there, has the device asked for it.
    fn look_at_level(&mut self, line: u16) -> bool {
        match self.get_mut(line) {
            Some(state) if state.enabled && !state.masked && state.wants_level() => {
                self.want_check(line)
            }
            _ => false,
        }
    }

    /// Turns the interrupt on, unmasked. Returns whether there is something to do.
    pub fn enable(&mut self, line: u16) -> bool {
        let (selective, is_asleep) = (self.is_selective(), self.is_asleep);
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        state.enabled = true;
        state.masked = false;
        if !is_asleep {
            state.drop_pending();
        }
        state.failures = 0;
        if !is_asleep && (core::mem::take(&mut state.is_unsure) || selective) {
            // What changed while it was off was not reported.
            state.level = None;
        }

        if state.latched {
            return self.want_latched(line);
        }
        // If the device has yet to be told, it is asked when it has been told.
        if selective && state.told != Some(state.trigger) {
            return false;
        }
        if state.trigger.active_level().is_some() {
            // Not everything is reported: what the driver itself does to an output is not.
            state.level = None;
        }
        self.look(line)
    }

    /// Turns the interrupt off. What did not fire yet is forgotten, unless the system is just
    /// [falling asleep](Self::fall_asleep).
    pub fn disable(&mut self, line: u16) {
        let is_asleep = self.is_asleep;
        let Some(state) = self.get_mut(line) else {
            return;
        };
        state.enabled = false;
        if is_asleep {
            self.keep_pending(line);
            return;
        }
        state.drop_pending();
        if core::mem::take(&mut state.is_unsure) {
            // What changed when the device was reset was not reported.
            state.level = None;
        }
    }

    /// Lets the line fire no more until it is unmasked.
    pub fn mask(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.masked = true;
        }
    }

    /// Lets the line fire again. Returns whether there is something to do.
    pub fn unmask(&mut self, line: u16) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        state.masked = false;
        self.resume(line)
    }

    /// A consumer's call begins that may change the line. There is a place at its end to do what cannot
    /// be done at once.
    pub fn begin_sync(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.syncing = line.syncing.saturating_add(1);
        }
    }

    /// Leaves what there is to do about the line to the end of a consumer's call. Returns whether there
    /// is such a call.
    pub fn leave_to_sync(&mut self, line: u16) -> bool {
        match self.get_mut(line) {
            Some(state) if state.syncing > 0 => {
                state.is_left = true;
                true
            }
            _ => false,
        }
    }

    /// A consumer's call ends. Returns what was left to it.
    pub fn end_sync(&mut self, line: u16) -> Left {
        let has_latched = !self.latched.is_empty();
        let Some(state) = self.get_mut(line) else {
            return Left::Nothing;
        };
        state.syncing = state.syncing.saturating_sub(1);
        match core::mem::take(&mut state.is_left) {
            false => Left::Nothing,
            true if has_latched => Left::ToFire,
            true => Left::ToAsk,
        }
    }

    /// Has done what was left when the line could not be fired.
    fn resume(&mut self, line: u16) -> bool {
        match self.get(line) {
            Some(state) if state.enabled && !state.masked && state.latched => {
                self.want_latched(line)
            }
            // A level that has ended is reported anew when it begins anew.
            _ => self.look(line),
        }
    }

    /// The chip is there now: what came before could not be fired. Returns whether there is something
    /// to do.
    pub fn opened(&mut self) -> bool {
        let mut some = false;
        self.open = true;
        for line in 0..=u16::MAX {
            if usize::from(line) >= self.lines.len() {
                break;
            }
            some |= self.resume(line);
        }
        some
    }

    /// Whether the chip is there, or was.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Keeps an edge until the line is unmasked.
    fn latch(&mut self, line: u16) {
        if let Some(state) = self.get_mut(line) {
            if core::mem::replace(&mut state.latched, true) {
                self.counts.merged += 1;
            }
        }
    }

    /// The line is about to be fired, because of a report or a check. Returns whether it may be; if
    /// so, [`finish`](Self::finish) is to be called afterwards.
    ///
    /// It is masked then, until [`unmask`](Self::unmask) or [`enable`](Self::enable).
    pub fn begin(&mut self, line: u16) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        if !state.enabled || state.due == 0 {
            // It was turned off since, and perhaps on again; or the level has ended.
            return false;
        }
        state.due -= 1;
        if state.masked || state.firing {
            // A level is looked at again afterwards.
            if state.trigger.active_level().is_none() {
                self.latch(line);
            }
            return false;
        }
        self.start(line);
        true
    }

    fn start(&mut self, line: u16) {
        if let Some(state) = self.get_mut(line) {
            state.masked = true;
            state.firing = true;
            state.epoch = state.epoch.wrapping_add(1);
            self.counts.fired += 1;
        }
    }

    /// The line has been fired. If it is fired again, this is to be called again after that.
    pub fn finish(&mut self, line: u16) -> Finished {
        let Some(state) = self.get_mut(line) else {
            return Finished::Done;
        };
        state.firing = false;
        if state.enabled && !state.masked && core::mem::take(&mut state.latched) {
            self.start(line);
            return Finished::Again;
        }
        // Somebody may have looked while it was firing, and gone away; or has left it to a consumer's
        // call, which may take its time.
        let is_new = self.look(line);
        let is_listed = self
            .get(line)
            .is_some_and(|line| line.check_list.is_listed());
        match is_new || is_listed {
            true => Finished::Check,
            false => Finished::Done,
        }
    }

    /// The line could not be fired: there was nobody to be called. It is kept for when there is.
    pub fn cancel(&mut self, line: u16) {
        if let Some(state) = self.get_mut(line) {
            state.masked = false;
            state.firing = false;
            match state.trigger.active_level() {
                Some(_) => state.level = None,
                None => state.latched = true,
            }
            self.counts.fired = self.counts.fired.saturating_sub(1);
        }
    }

    /// The next line to be fired because of an edge that was latched, as by [`begin`](Self::begin).
    pub fn next_latched(&mut self) -> Option<u16> {
        loop {
            let line = self
                .latched
                .pop(&mut self.lines, |line| &mut line.latch_list)?;
            let state = self.get_mut(line)?;
            // If it is masked again, then unmasking it brings it back here; if it is firing, then
            // that ends with a look at it.
            if state.enabled
                && !state.masked
                && !state.firing
                && core::mem::take(&mut state.latched)
            {
                self.start(line);
                return Some(line);
            }
        }
    }

    /// What the device says to a trigger: an error is the errno with which it refuses it.
    pub fn answered(&mut self, line: u16, trigger: Trigger, answer: Result<(), u16>) {
        if let Some(line) = self.get_mut(line) {
            line.refusals.set(trigger, answer.err());
        }
    }

    /// What the consumers of a line want the device to be told, if it does not know.
    pub fn change(&self, line: u16) -> Option<Trigger> {
        let line = self.get(line).filter(|_| self.is_selective())?;
        let wanted = match line.enabled {
            true => line.trigger,
            false => Trigger::None,
        };
        (line.told != Some(wanted)).then_some(wanted)
    }

    /// Whether the device is silent about a line: it has been told nothing else.
    pub fn is_silent(&self, line: u16) -> bool {
        self.get(line).map(|line| line.told) == Some(Some(Trigger::None))
    }

    /// The device is being told what to report about a line: what it reports until
    /// [`was_told`](Self::was_told) may be of that, or of what it was told before.
    ///
    /// Returns in which of its lives the device is: it begins another one when it is reset.
    pub fn is_being_told(&mut self, line: u16) -> u32 {
        if let Some(line) = self.get_mut(line) {
            line.was_silent = line.told == Some(Trigger::None);
            line.told = None;
            line.is_recalled = line.is_lent;
        }
        self.life
    }

    /// The device has been told, in the life that [`is_being_told`](Self::is_being_told) has returned.
    /// Returns whether there is something to do.
    pub fn was_told(&mut self, line: u16, trigger: Trigger, life: u32) -> bool {
        let is_forgotten = life != self.life;
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        if is_forgotten {
            // Before the reset, or after it: who knows.
            state.told = None;
            return false;
        }
        state.told = Some(trigger);
        state.epoch = state.epoch.wrapping_add(1);
        if trigger.active_level().is_some() {
            // It may have ended before the device was told.
            state.level = None;
        }
        // Else it is on its way to what is wanted, or has refused that.
        trigger == state.trigger && self.look(line)
    }

    /// The device cannot be told about a line now.
    pub fn want_sync(&mut self, line: u16) {
        self.syncs
            .push(&mut self.lines, line, |line| &mut line.sync_list);
    }

    /// The next line about which the device has to be told something.
    pub fn next_sync(&mut self) -> Option<u16> {
        self.syncs.pop(&mut self.lines, |line| &mut line.sync_list)
    }
}
