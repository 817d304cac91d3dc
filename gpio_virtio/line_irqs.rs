// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device's lines: what a report of a level means for who waits for it.
//!
//! A device reports levels. What a consumer wants is an edge or a level, not while it has disabled
//! its interrupt, and later if it has masked it. This keeps, for each line, what is wanted, what the
//! device has been told about that, and what came and was not handed on yet.
//!
//! The flow is that of a level interrupt: from [`begin`](LineIrqs::begin) until it is unmasked, and
//! until [`finish`](LineIrqs::finish), a line fires no second time. An edge that comes meanwhile is latched, and more of them are merged into
//! that one. A level is not latched: whether it is still there is asked of the device when the line
//! is unmasked, as only the device knows (a report of its end may be under way, or not to be had).
//!
//! Pure, like [`rfc`](super::rfc): compiled for the kernel and for the host from this one file. The
//! caller provides the storage, the lock, and the messages to the device.

use super::{
    rfc::Level,
    trigger::Trigger, //
};
use core::ops::DerefMut;

/// The errno with which a device has refused each of [`Trigger::ALL`], 0 if it has not.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals([u16; Trigger::ALL.len()]);

impl Refusals {
    fn index(trigger: Trigger) -> Option<usize> {
        Trigger::ALL.iter().position(|&other| other == trigger)
    }

    fn get(&self, trigger: Trigger) -> Option<u16> {
        let errno = *self.0.get(Self::index(trigger)?)?;
        (errno != 0).then_some(errno)
    }

    fn set(&mut self, trigger: Trigger, refusal: Option<u16>) {
        let place = Self::index(trigger).and_then(|index| self.0.get_mut(index));
        if let Some(place) = place {
            *place = refusal.unwrap_or(0);
        }
    }
}

/// The interrupt of one line.
#[derive(Clone, Copy, Debug)]
pub struct LineIrq {
    /// What the consumer wants.
    trigger: Trigger,
    /// What the device has been told to report, if it has to be told. `None` while that is not known:
    /// a command is under way, or was lost.
    told: Option<Trigger>,
    refusals: Refusals,
    enabled: bool,
    masked: bool,
    /// Its handlers are being called.
    firing: bool,
    /// A level was seen that has not been fired yet.
    due: bool,
    /// An edge is to be fired when the line is unmasked.
    latched: bool,
    /// The last level that is known.
    level: Option<Level>,
    /// Counts what outdates an answer of the device to the question for the level.
    epoch: u32,
    /// How often in a row the device did not say the level.
    failures: u8,
    latch_list: Link,
    check_list: Link,
    sync_list: Link,
}

impl Default for LineIrq {
    /// A line that nobody waits for, of a device that has just been started.
    fn default() -> Self {
        Self {
            trigger: Trigger::None,
            told: Some(Trigger::None),
            refusals: Refusals::default(),
            enabled: false,
            masked: false,
            firing: false,
            due: false,
            latched: false,
            level: None,
            epoch: 0,
            failures: 0,
            latch_list: Link::default(),
            check_list: Link::default(),
            sync_list: Link::default(),
        }
    }
}

/// So often in a row a line's level is asked for in vain.
const MAX_FAILURES: u8 = 3;

/// A line's place in a list of lines.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    listed: bool,
    next: Option<u16>,
}

/// A list of lines, first in, first out.
#[derive(Clone, Copy, Debug, Default)]
struct List {
    first: Option<u16>,
    last: Option<u16>,
}

impl List {
    /// Appends a line; tells whether it was not in the list.
    fn push(
        &mut self,
        lines: &mut [LineIrq],
        line: u16,
        link: fn(&mut LineIrq) -> &mut Link,
    ) -> bool {
        match lines.get_mut(usize::from(line)).map(link) {
            Some(place) if !place.listed => {
                *place = Link {
                    listed: true,
                    next: None,
                }
            }
            _ => return false,
        }
        let last = self
            .last
            .and_then(|last| lines.get_mut(usize::from(last)))
            .map(link);
        match last {
            Some(place) => place.next = Some(line),
            None => self.first = Some(line),
        }
        self.last = Some(line);
        true
    }

    /// Takes out the first line.
    fn pop(&mut self, lines: &mut [LineIrq], link: fn(&mut LineIrq) -> &mut Link) -> Option<u16> {
        let line = self.first?;
        let place = lines.get_mut(usize::from(line)).map(link)?;

        self.first = core::mem::take(place).next;
        if self.first.is_none() {
            self.last = None;
        }
        Some(line)
    }
}

/// What is left when a line has been fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Nothing.
    Done,
    /// It is to be fired again: an edge came when the interrupt core would not take it.
    Again,
    /// The device may have to be asked for a level: see [`LineIrqs::next_check`].
    Check,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Well-formed reports by the device.
    pub reports: u64,
    /// Interrupts fired.
    pub fired: u64,
    /// Edges that were merged into one that was latched already.
    pub merged: u64,
}

/// The interrupts of a device's lines. `S` stores them, by line number.
///
/// Methods ignore lines that do not exist. Those that return whether there is something to do mean
/// [`next_latched`](Self::next_latched) and [`next_check`](Self::next_check), or
/// [`next_sync`](Self::next_sync) where they say so.
#[derive(Debug)]
pub struct LineIrqs<S> {
    lines: S,
    /// Whether the device reports only what it has been told to.
    selective: bool,
    latched: List,
    checks: List,
    syncs: List,
    counts: Counts,
}

impl<S> LineIrqs<S>
where
    S: DerefMut<Target = [LineIrq]>,
{
    /// Takes the lines in `lines`, as they are by default: nobody waits for any of them.
    ///
    /// A `selective` device reports only what it has been told to, others report each change.
    pub fn new(lines: S, selective: bool) -> Self {
        Self {
            lines,
            selective,
            latched: List::default(),
            checks: List::default(),
            syncs: List::default(),
            counts: Counts::default(),
        }
    }

    /// How often what happened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether the device has to be told what to report.
    pub fn is_selective(&self) -> bool {
        self.selective
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

    /// Sets what fires, and returns whether there is something to do. The error is the errno with
    /// which the device has refused it when it was asked last.
    pub fn set_trigger(&mut self, line: u16, trigger: Trigger) -> Result<bool, u16> {
        let selective = self.selective;
        let Some(state) = self.get_mut(line) else {
            return Ok(false);
        };
        if let Some(errno) = state.refusals.get(trigger) {
            return Err(errno);
        }
        state.trigger = trigger;
        Ok(!selective && self.look_at_level(line))
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

    /// Turns the interrupt on, unmasked. Returns whether there is something to do.
    pub fn enable(&mut self, line: u16) -> bool {
        let selective = self.selective;
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        state.enabled = true;
        state.masked = false;
        state.latched = false;
        state.due = false;
        state.failures = 0;
        // An answer to whoever had it before.
        state.epoch = state.epoch.wrapping_add(1);

        // If the device has yet to be told, it is asked when it has been told.
        if selective && state.told != Some(state.trigger) {
            return false;
        }
        if state.trigger.active_level().is_some() {
            // Not everything is reported: what the driver itself does to an output is not.
            state.level = None;
        }
        self.look_at_level(line)
    }

    /// Turns the interrupt off. What did not fire yet is forgotten.
    pub fn disable(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.enabled = false;
            line.latched = false;
            line.due = false;
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

    /// Has done what was left when the line could not be fired.
    fn resume(&mut self, line: u16) -> bool {
        match self.get(line) {
            Some(state) if state.enabled && !state.masked && state.latched => {
                self.want_latched(line)
            }
            // A level that has ended is reported anew when it begins anew.
            _ => self.look_at_level(line),
        }
    }

    /// The chip is there now: what came before could not be fired. Returns whether there is something
    /// to do.
    pub fn opened(&mut self) -> bool {
        let mut some = false;
        for line in 0..=u16::MAX {
            if usize::from(line) >= self.lines.len() {
                break;
            }
            some |= self.resume(line);
        }
        some
    }

    /// The device reports a level. Returns whether the line is to be fired now: see
    /// [`begin`](Self::begin).
    pub fn report(&mut self, line: u16, level: Level) -> bool {
        let selective = self.selective;
        self.counts.reports += 1;
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        let before = state.level.replace(level);
        state.epoch = state.epoch.wrapping_add(1);
        if !state.enabled {
            return false;
        }

        let high = level == Level::High;
        let trigger = match state.told {
            Some(told) if selective => told,
            _ => state.trigger,
        };
        if let Some(active) = trigger.active_level() {
            // While it was known to be there, the device is being asked, or soon will be.
            state.due = active == high && (state.due || before != Some(level)) && !state.masked;
            return state.due;
        }
        let is_due = match trigger {
            Trigger::None => false,
            // It is what the device was told to report, though the line may have changed back since.
            _ if selective && state.told.is_some() => true,
            // The same level again: a change and the one back were merged.
            _ if before == Some(level) => true,
            _ => trigger.fires_on_edge_to(high),
        };
        if !is_due {
            return false;
        }
        if state.masked || state.firing || state.latched {
            self.latch(line);
            return false;
        }
        true
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
        if !state.enabled {
            return false;
        }
        if state.trigger.active_level().is_some() {
            // If it is firing already, then it is looked at again afterwards.
            if !core::mem::take(&mut state.due) || state.masked || state.firing {
                return false;
            }
        } else if state.masked || state.firing {
            self.latch(line);
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
        // Somebody may have looked while it was firing, and gone away.
        match self.look_at_level(line) {
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

    /// The next line whose level the device is to be asked for, and what
    /// [`checked`](Self::checked) needs to know.
    pub fn next_check(&mut self) -> Option<(u16, u32)> {
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
                state.due = state.trigger.active_level() == Some(level == Level::High);
                state.due
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

    /// What the device says to a trigger: an error is the errno with which it refuses it.
    pub fn answered(&mut self, line: u16, trigger: Trigger, answer: Result<(), u16>) {
        if let Some(line) = self.get_mut(line) {
            line.refusals.set(trigger, answer.err());
        }
    }

    /// What the consumers of a line want the device to be told, if it does not know.
    pub fn change(&self, line: u16) -> Option<Trigger> {
        let line = self.get(line).filter(|_| self.selective)?;
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
    pub fn is_being_told(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.told = None;
        }
    }

    /// The device has been told. Returns whether there is something to do.
    pub fn was_told(&mut self, line: u16, trigger: Trigger) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        state.told = Some(trigger);
        state.epoch = state.epoch.wrapping_add(1);
        if trigger.active_level().is_some() {
            // It may have ended before the device was told.
            state.level = None;
        }
        self.look_at_level(line)
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

impl LineIrq {
    /// Whether it fires on a level, and that has to be asked for: it may be there.
    fn wants_level(&self) -> bool {
        match (self.trigger.active_level(), self.level) {
            (Some(active), Some(level)) => active == (level == Level::High),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}
