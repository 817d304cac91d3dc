// SPDX-License-Identifier: GPL-2.0

//! The end of a run: nothing happens any more from outside, and what is under way arrives.

use super::{
    Reporting,
    Trigger,
    World,
    LINES, //
};

/// After so many rounds all that can end has ended.
const ROUNDS: usize = 8;

/// More often than this nothing is done in one round.
const MANY: usize = 500;

impl World {
    /// Does everything that is to be done, once.
    fn round(&mut self) {
        note!("round");
        let mut left = MANY;
        let mut again = || {
            left -= 1;
            assert!(left > 0, "does not come to an end");
        };

        while self.is_telling() {
            again();
            self.end_firing();
            self.tell(0, 0);
        }
        for line in 0..LINES {
            self.device.return_owed(line);
            while self.lines[usize::from(line)].syncing > 0 {
                again();
                self.end_call(line);
            }
        }
        for _ in 0..LINES {
            // (What was left to be told; each has several parts.)
            self.end_firing();
            self.tell(0, 0);
            while self.is_telling() {
                again();
                self.end_firing();
                self.tell(0, 0);
            }
        }
        // (Those that come meanwhile have their turn in the next round.)
        for _ in 0..self.device.report_count() {
            self.read_report();
        }
        for _ in 0..self.due.len() {
            self.fire_due();
            self.end_firing();
        }
        while self.work {
            again();
            self.work();
            self.end_firing();
        }
        for _ in 0..2 * LINES {
            self.answer(false);
            self.read_answer();
            self.end_firing();
        }
        for line in 0..LINES {
            self.end_thread(line);
            self.unmask(line);
        }
        // Where the queue did not take a buffer, it is tried again when others come back.
        self.queue_fails = false;
        if std::mem::take(&mut self.has_failed) {
            self.look();
        }
    }

    fn is_telling(&self) -> bool {
        self.telling.is_some() || self.comparing.is_some()
    }

    fn end_firing(&mut self) {
        let mut left = MANY;
        while let Some(line) =
            (0..LINES).find(|&line| self.lines[usize::from(line)].firing.is_some())
        {
            left -= 1;
            assert!(left > 0, "does not stop firing");
            self.go_on_firing(line, false);
        }
    }

    fn rounds(&mut self) {
        for _ in 0..ROUNDS {
            self.round();
        }
    }

    /// Whether the device is to report what the line's consumers want, and does.
    fn is_armed(&self, line: u16) -> bool {
        let state = &self.lines[usize::from(line)];

        !state.is_disabled
            && (self.reporting == Reporting::Changes
                || (state.told == Some(state.trigger) && self.device.armed(line) == state.trigger))
    }

    /// Whether the level is there that fires.
    fn is_active(&self, line: u16) -> bool {
        let trigger = self.lines[usize::from(line)].trigger;

        trigger.active_level() == Some(self.device.is_high(line))
    }

    fn fired_by_line(&self) -> [u64; LINES as usize] {
        self.lines.map(|line| line.oracle.fired)
    }

    /// Lets everything that is under way arrive, and looks at what has come of it.
    pub(super) fn come_to_rest(&mut self) {
        self.open();
        self.wake_up();
        self.learn(0, false);
        self.rounds();
        let before = self.fired_by_line();
        self.rounds();
        let after = self.fired_by_line();

        for line in 0..LINES {
            let number = usize::from(line);
            let state = self.lines[number];
            let fires = after[number] > before[number];
            if state.is_disabled || !self.is_active(line) {
                assert!(!fires, "line {line} does not come to rest");
            }
            if self.is_hostile || !self.is_armed(line) {
                continue;
            }
            assert!(state.oracle.has_all(), "line {line} lost an edge");
            if self.is_active(line) {
                assert!(
                    fires || state.oracle.is_given_up(),
                    "line {line} lost a level"
                );
            } else if self.reporting == Reporting::Buffers && state.trigger != Trigger::None {
                assert!(self.device.waits(line), "line {line} has gone dead");
            }
        }
        if self.is_hostile {
            return;
        }
        for line in 0..LINES {
            self.still_fires(line);
        }
    }

    /// The next change still counts.
    fn still_fires(&mut self, line: u16) {
        let number = usize::from(line);
        let trigger = self.lines[number].trigger;
        if !self.is_armed(line) || trigger == Trigger::None || self.is_active(line) {
            return;
        }

        let before = self.lines[number].oracle.fired;
        self.device.toggle(line);
        self.rounds();
        self.device.toggle(line);
        self.rounds();
        assert!(
            self.lines[number].oracle.fired > before,
            "line {line} has gone dead"
        );
    }
}
