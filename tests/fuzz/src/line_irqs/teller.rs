// SPDX-License-Identifier: GPL-2.0

//! Tells the device what to report, as the driver does: one thing at a time.

use super::{
    Check,
    Edge,
    Source,
    World,
    LINES, //
};
use gpio_virtio_logic::{
    line_irqs::Unsure,
    trigger::Trigger, //
};

const REFUSED: u16 = 22;

/// A command that the device is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    line: u16,
    /// What it is told now.
    trigger: Trigger,
    /// What it is to be told in the end.
    wanted: Trigger,
    reply: Reply,
    /// In which of its lives the device was asked.
    life: u32,
    /// Whether a consumer waits for it; else it is done in the background.
    is_awaited: bool,
}

#[derive(Clone, Copy, Debug)]
enum Reply {
    NotYet,
    Done,
    Refused,
    Lost,
}

impl Telling {
    /// Whether the device reports what it is being told to.
    pub(super) fn reports(&self, line: u16, trigger: Trigger) -> bool {
        self.line == line && self.trigger == trigger && matches!(self.reply, Reply::Done)
    }

    /// The device is reset: it answers nothing any more.
    pub(super) fn was_reset(&mut self) {
        if let Reply::NotYet = self.reply {
            self.reply = Reply::Lost;
        }
    }
}

impl World {
    /// One step of it; `how` says what the device does.
    pub(super) fn tell(&mut self, line: u16, how: u8) {
        // To begin and to end takes the event queue, which whoever fires from it has.
        if self.is_firing_events() {
            return;
        }
        if self.comparing.is_some() {
            self.end_comparing();
            return;
        }
        let Some(telling) = self.telling.take() else {
            match self.irqs.next_sync() {
                Some(line) => self.tell_line(line, false),
                None if self.lines[usize::from(line)].syncing > 0 => self.tell_line(line, true),
                None => (),
            }
            return;
        };
        let Telling {
            line,
            trigger,
            wanted,
            reply,
            life,
            is_awaited,
        } = telling;

        match reply {
            Reply::NotYet => {
                let refuses = how == 1 && (self.is_hostile || trigger != Trigger::None);
                let reply = match how {
                    1 if refuses => Reply::Refused,
                    2 | 3 => Reply::Lost,
                    _ => Reply::Done,
                };
                // What is lost may be the command or the reply.
                if matches!(reply, Reply::Done) || how == 2 {
                    self.device.is_told(line, trigger);
                }
                self.telling = Some(Telling { reply, ..telling });
            }
            Reply::Lost => self.told_all(line, is_awaited),
            Reply::Done | Reply::Refused if trigger == Trigger::None => {
                let answer = match reply {
                    Reply::Refused => Err(REFUSED),
                    _ => Ok(()),
                };
                self.irqs.answered(line, trigger, answer);
                self.was_told(line, trigger, life);
                self.settle();
                match wanted {
                    Trigger::None => self.tell_line(line, is_awaited),
                    wanted => self.ask_for(line, wanted, wanted, is_awaited),
                }
            }
            Reply::Refused => {
                self.irqs.answered(line, trigger, Err(REFUSED));
                self.was_told(line, Trigger::None, life);
                self.told_all(line, is_awaited);
            }
            Reply::Done => {
                self.irqs.answered(line, trigger, Ok(()));
                if self.was_told(line, trigger, life) {
                    self.work = true;
                }
                self.tell_line(line, is_awaited);
            }
        }
    }

    fn tell_line(&mut self, line: u16, is_awaited: bool) {
        let Some(wanted) = self.irqs.change(line) else {
            self.told_all(line, is_awaited);
            return;
        };
        let trigger = match self.irqs.is_silent(line) {
            true => wanted,
            false => Trigger::None,
        };
        self.ask_for(line, trigger, wanted, is_awaited);
    }

    fn ask_for(&mut self, line: u16, trigger: Trigger, wanted: Trigger, is_awaited: bool) {
        let life = self.irqs.is_being_told(line);
        self.lines[usize::from(line)].told = None;
        self.settle();
        self.telling = Some(Telling {
            line,
            trigger,
            wanted,
            reply: Reply::NotYet,
            life,
            is_awaited,
        });
    }

    fn was_told(&mut self, line: u16, trigger: Trigger, life: u32) -> bool {
        if life == self.life {
            note!("  line {line}: the device was told {trigger:?}");
            let state = &mut self.lines[usize::from(line)];
            state.told = Some(trigger);
            if trigger.active_level().is_some() {
                state.oracle.set_known(None);
            }
            self.outdate_checks(line);
        } else {
            self.lines[usize::from(line)].told = None;
        }
        self.irqs.was_told(line, trigger, life)
    }

    /// The device knows what it is to know about a line, or does not want to. Finds out what has changed
    /// while it was reset.
    fn told_all(&mut self, line: u16, is_awaited: bool) {
        if is_awaited {
            return;
        }
        self.lines[usize::from(line)].oracle.end_unsure(true);
        match self.irqs.next_unsure(line) {
            Unsure::Nothing => (),
            Unsure::Look => self.work = true,
            Unsure::Level(epoch) => {
                let check = Check::new(line, epoch);
                self.comparing = Some((check, Some(self.device.is_high(line))));
            }
        }
    }

    fn end_comparing(&mut self) {
        self.settle();
        let Some((check, level)) = self.comparing.take() else {
            return;
        };
        let Check { line, epoch, .. } = check;
        let state = &mut self.lines[usize::from(line)];
        if check.is_fresh && !state.is_disabled {
            let fires = level.is_some_and(|high| state.trigger.fires_on_edge_to(high));
            state.oracle.set_known(level);
            state.oracle.edge(match fires {
                true => Edge::May,
                false => Edge::MustNot,
            });
        }
        if self.count_merged(line, |world| {
            world.irqs.compared(line, epoch, level.map(Into::into))
        }) {
            self.work = true;
        }
    }

    /// The device is reset, and has forgotten everything. It may be asked for the levels before.
    pub(super) fn reset(&mut self, are_noted: bool) {
        if self.is_firing_events() || self.is_firing(Source::Check) {
            return;
        }
        if are_noted {
            for line in 0..LINES {
                if let Some(epoch) = self.irqs.is_to_be_noted(line) {
                    let high = self.device.is_high(line);
                    let mut check = Check::new(line, epoch);
                    std::mem::swap(&mut self.noting, &mut Some(check));
                    self.settle();
                    check = self.noting.take().unwrap_or(check);
                    if check.is_fresh {
                        self.lines[usize::from(line)].oracle.set_known(Some(high));
                    }
                    self.irqs.learn(line, epoch, Some(high.into()));
                }
            }
        }
        self.device.reset();
        self.check = None;
        if let Some(telling) = &mut self.telling {
            telling.was_reset();
        }
        self.life = self.life.wrapping_add(1);
        self.irqs.begin_life();
        for line in 0..LINES {
            self.irqs.forget(line);
            self.outdate_checks(line);
            let state = &mut self.lines[usize::from(line)];
            state.told = Some(Trigger::None);
            let fires_on_edges =
                state.trigger != Trigger::None && state.trigger.active_level().is_none();
            if state.is_disabled || !fires_on_edges {
                state.oracle.set_known(None);
            }
            if !state.is_disabled {
                state.oracle.was_reset();
            }
        }
        // What waited for the answer to a question that is lost is asked now.
        self.look();
    }
}
