// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device's lines: what a report of a level means for who waits for it.
//!
//! A device reports levels. What a consumer wants is an edge or a level, not while it has disabled
//! its interrupt, and later if it has masked it. This keeps, for each line, what is wanted, what the
//! device has been told about that, and what came and was not handed on yet.
//!
//! The flow is that of a level interrupt: from [`begin`](LineIrqs::begin) until it is unmasked a line
//! fires no second time. An edge that comes meanwhile is latched, and more of them are merged into
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
#[derive(Clone, Copy, Debug, Default)]
pub struct LineIrq {
    /// What the consumer wants.
    trigger: Trigger,
    /// What the device has been told to report, if it has to be told.
    told: Trigger,
    refusals: Refusals,
    enabled: bool,
    masked: bool,
    /// An edge is to be fired when the line is unmasked.
    latched: bool,
    /// The last level that is known.
    level: Option<Level>,
    /// Counts what outdates an answer of the device to the question for the level.
    epoch: u32,
    latch_list: Link,
    check_list: Link,
}

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

/// What is to be told to the device, so that it reports what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the device has been told before.
    pub from: Trigger,
    /// What it is to be told now.
    pub to: Trigger,
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
/// [`next_latched`](Self::next_latched) and [`next_check`](Self::next_check).
#[derive(Debug)]
pub struct LineIrqs<S> {
    lines: S,
    /// Whether the device reports only what it has been told to.
    selective: bool,
    latched: List,
    checks: List,
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

    /// Sets what fires. The error is the errno with which the device has refused it when it was
    /// asked last.
    pub fn set_trigger(&mut self, line: u16, trigger: Trigger) -> Result<(), u16> {
        if let Some(line) = self.get_mut(line) {
            if let Some(errno) = line.refusals.get(trigger) {
                return Err(errno);
            }
            line.trigger = trigger;
        }
        Ok(())
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

        // A device that has to be told is asked when it has been told.
        !selective && state.wants_level() && self.want_check(line)
    }

    /// Turns the interrupt off. What did not fire yet is forgotten.
    pub fn disable(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.enabled = false;
            line.latched = false;
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
        if !state.enabled {
            return false;
        }
        if state.latched {
            return self.want_latched(line);
        }
        // A level that has ended is reported anew when it begins anew.
        state.wants_level() && self.want_check(line)
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
        let trigger = if selective { state.told } else { state.trigger };
        if let Some(active) = trigger.active_level() {
            // While it was known to be there, the device is being asked, or soon will be.
            return active == high && before != Some(level) && !state.masked;
        }
        let is_due = match trigger {
            Trigger::None => false,
            // It is what the device was told to report, though the line may have changed back since.
            _ if selective => true,
            // The same level again: a change and the one back were merged.
            _ if before == Some(level) => true,
            _ => trigger.fires_on_edge_to(high),
        };
        if !is_due {
            return false;
        }
        if state.masked || state.latched {
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

    /// The line is about to be fired, because of a report. Returns whether it may be.
    ///
    /// It is masked then, until [`unmask`](Self::unmask) or [`enable`](Self::enable).
    pub fn begin(&mut self, line: u16) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        if !state.enabled {
            return false;
        }
        if let Some(active) = state.trigger.active_level() {
            // It may have ended since.
            if state.masked || state.level.map(|level| level == Level::High) != Some(active) {
                return false;
            }
        } else if state.masked {
            self.latch(line);
            return false;
        }
        state.masked = true;
        state.epoch = state.epoch.wrapping_add(1);
        self.counts.fired += 1;
        true
    }

    /// The line could not be fired: there was nobody to be called.
    pub fn cancel(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.masked = false;
            self.counts.fired -= 1;
        }
    }

    /// The next line to be fired because of an edge that was latched, as by [`begin`](Self::begin).
    pub fn next_latched(&mut self) -> Option<u16> {
        loop {
            let line = self
                .latched
                .pop(&mut self.lines, |line| &mut line.latch_list)?;
            let state = self.get_mut(line)?;
            // If it is masked again, then unmasking it brings it back here.
            if state.enabled && !state.masked && core::mem::take(&mut state.latched) {
                state.masked = true;
                self.counts.fired += 1;
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
    /// and has answered. Returns whether the line is to be fired now: see [`begin`](Self::begin).
    pub fn checked(&mut self, line: u16, epoch: u32, level: Level) -> bool {
        let Some(state) = self.get_mut(line) else {
            return false;
        };
        if state.epoch != epoch {
            // The level may have been another one since, and the line may have been fired.
            if state.enabled && !state.masked && state.wants_level() {
                self.want_check(line);
            }
            return false;
        }
        state.level = Some(level);
        state.trigger.active_level() == Some(level == Level::High)
    }

    /// The device was asked for a level, and has not said it. The next report counts.
    pub fn check_failed(&mut self, line: u16) {
        if let Some(line) = self.get_mut(line) {
            line.level = None;
        }
    }

    /// What the device says to a trigger: an error is the errno with which it refuses it.
    pub fn answered(&mut self, line: u16, trigger: Trigger, answer: Result<(), u16>) {
        if let Some(line) = self.get_mut(line) {
            line.refusals.set(trigger, answer.err());
        }
    }

    /// What the device is to be told about a line, if anything.
    pub fn change(&self, line: u16) -> Option<Change> {
        let line = self.get(line).filter(|_| self.selective)?;
        let to = match line.enabled {
            true => line.trigger,
            false => Trigger::None,
        };
        (line.told != to).then_some(Change {
            from: line.told,
            to,
        })
    }

    /// From now on, reports of the line are taken to be of `trigger`.
    pub fn tell(&mut self, line: u16, trigger: Trigger) {
        if let Some(line) = self.get_mut(line) {
            line.told = trigger;
        }
    }

    /// The device has been told. Returns whether there is something to do.
    pub fn was_told(&mut self, line: u16) -> bool {
        match self.get_mut(line) {
            Some(state) if state.enabled && state.told.active_level().is_some() => {
                // It may have ended before the device was told.
                state.level = None;
                self.want_check(line)
            }
            _ => false,
        }
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
