// SPDX-License-Identifier: GPL-2.0

//! What comes from outside, and how the driver is told about it.

use gpio_virtio_logic::line::Level;

use super::{
    outside::LineError,
    Core,
    BATCH, //
};
use crate::{
    forgery::Forgery,
    lines::Line,
    protocol::{
        size,
        Return, //
    },
    ring::{
        Breakage,
        Chain,
        Ring, //
    },
};

impl Core {
    /// A line, which has to exist.
    pub(super) fn line(&self, line: u16) -> Result<Line, LineError> {
        let absent = LineError::Absent(line, self.lines.count());
        self.lines.get(line).ok_or(absent)
    }

    /// Drives a line from outside, and tells the driver if it wants to know.
    pub(super) fn drive(&mut self, line: u16, level: Level) {
        if self.lines.drive(line, level) && self.running {
            self.protocol.note_change(line, level, &mut self.stats);
            self.send_events();
        }
    }

    /// Carries what the driver puts on a line to where that is wired to.
    pub(super) fn carry(&mut self, from: u16, level: Level) {
        if let Some((to, level)) = self.wires.follow(from, level) {
            self.drive(to, level);
        }
    }

    /// Takes the buffers that have come, and sends what is owed while there are any.
    ///
    /// What the driver is asked about notifications does not change: the thread that is notified of
    /// these buffers will find fewer of them.
    pub(super) fn send_events(&mut self) {
        let queue = self.protocol.event_queue();
        self.take(queue, Self::take_buffer);
        if self.rings.get(queue).is_some_and(Ring::is_usable) {
            self.send_owed();
            self.send_storm();
        }
        let held = self.protocol.hold_events();
        self.stats.held += u64::try_from(held).unwrap_or_default();
        self.signal(queue);
    }

    /// Sends what is owed.
    fn send_owed(&mut self) {
        while let Some(line) = self.protocol.next_event(&self.lines) {
            // Lines do not go away while a driver is there.
            let Some(state) = self.lines.get(line) else {
                self.protocol.event_sent(line, &mut self.stats);
                self.stats.forget_change();
                continue;
            };
            let mut event = self.protocol.event(line, state.level());
            let plan = self.faults.event_plan(self.protocol.can_forge(line));
            if plan.stray {
                self.send_stray_one(line);
            }
            if let Some(forgery) = plan.before {
                self.send_bad_one(line, &event, forgery);
            }
            if self.protocol.buffer(line).is_none() {
                continue;
            }

            let lines = self.lines.count();
            let claim = match plan.spoil {
                Some(forgery) => self.protocol.spoil_event(&mut event, forgery, lines),
                None => size(&event),
            };
            if !self.send(line, &event, claim, plan.breakage) {
                return;
            }
            self.protocol.event_sent(line, &mut self.stats);
            self.stats.events += 1;
            if plan.spoil.is_some() || plan.breakage.is_some() {
                self.stats.hostile_events += 1;
            }
        }
    }

    /// Sends a malformed event before a real one.
    fn send_bad_one(&mut self, line: u16, event: &[u8], forgery: Forgery) {
        let mut event = event.to_vec();
        let lines = self.lines.count();
        let claim = self.protocol.spoil_event(&mut event, forgery, lines);
        if self.send(line, &event, claim, None) {
            self.protocol.forged(line);
            self.stats.bad_events += 1;
            self.stats.hostile_events += 1;
        }
    }

    /// Sends an event that nobody asked for before a real one, about another line if it can be.
    fn send_stray_one(&mut self, line: u16) {
        let lines = self.lines.count();
        let from = self.faults.next_stray(lines);
        let stray = self.protocol.stray_line(from, line, lines);
        let Some((stray, state)) = stray.and_then(|stray| Some((stray, self.lines.get(stray)?)))
        else {
            return;
        };
        let event = self.protocol.event(stray, state.level());
        if self.send(stray, &event, size(&event), None) {
            if stray == line {
                self.protocol.forged(line);
            }
            self.stats.stray_events += 1;
        }
    }

    /// Fills the buffers that are left with a storm, if there is one.
    fn send_storm(&mut self) {
        for _ in 0..BATCH {
            if self.protocol.buffer_from(0).is_none() {
                return;
            }
            let lines = self.lines.count();
            let Some(gust) = self.faults.gust(lines) else {
                return;
            };
            let Some(line) = self.protocol.buffer_from(gust.line) else {
                return;
            };
            let mut event = self.protocol.event(line, gust.level);
            let claim = match gust.forgery {
                Some(forgery) => self.protocol.spoil_event(&mut event, forgery, lines),
                None => size(&event),
            };
            if !self.send(line, &event, claim, None) {
                return;
            }
            self.stats.storm_events += 1;
            match gust.forgery {
                Some(_) => self.stats.hostile_events += 1,
                None => self.stats.stray_events += 1,
            }
        }
    }

    /// Puts an event of a line into a buffer, of which it is said to fill so many bytes, and tells
    /// whether it was sent.
    fn send(&mut self, line: u16, event: &[u8], claim: u32, breakage: Option<Breakage>) -> bool {
        let queue = self.protocol.event_queue();
        let Some(ring) = self.rings.get_mut(queue) else {
            return false;
        };
        while let Some(buffer) = self.protocol.buffer(line) {
            match ring.complete_broken(buffer, event, claim, breakage) {
                Ok(true) => {
                    self.protocol.drop_buffer(line);
                    return true;
                }
                Ok(false) => return false,
                // The next one may be better.
                Err(violation) => {
                    self.protocol.drop_buffer(line);
                    self.stats.violation(violation);
                }
            }
        }
        false
    }

    /// Takes one buffer for events, or gives it back at once.
    fn take_buffer(&mut self, chain: Chain) {
        let lines = self.lines.count();
        let back = self.protocol.take_buffer(chain, lines, &mut self.stats);
        if let Some(Return { chain, bytes, .. }) = back {
            let queue = self.protocol.event_queue();
            let ring = self.rings.get_mut(queue);
            let result = ring.map(|ring| ring.complete(&chain, &bytes, size(&bytes)));
            if let Some(Err(violation)) = result {
                self.stats.violation(violation);
            }
        }
    }
}
