// SPDX-License-Identifier: GPL-2.0

//! Interrupts of lines, in a world with a device, its queues, the interrupt core and consumers, all
//! of which do a step whenever the input says so.
//!
//! The steps are as small as what the driver does without giving up a lock, so each order of them is
//! one that can come about on several processors. What has to hold:
//!
//! - a line fires for a reason, once for each, while it is enabled and unmasked, and not while it is
//!   being fired;
//! - each edge is fired or merged into one that is; as long as a level is there its line fires again;
//! - when nothing happens any more the driver comes to rest, and the next change still fires;
//! - the device is told what to report, and given buffers, by the rules of its protocol.
//!
//! A device may be hostile. Then the driver has to come to rest, and to fire no more often than it has
//! been told to.

mod device;
mod oracle;
mod rest;
mod teller;

use std::collections::VecDeque;

use device::{
    Device,
    Said, //
};
use gpio_virtio_logic::{
    line_irqs::{
        Finished,
        Left,
        LineIrq,
        LineIrqs,
        Reporting,
        Returned, //
    },
    standard::IrqStatus,
    trigger::Trigger, //
};
use oracle::{
    Edge,
    Oracle, //
};
use teller::Telling;

const LINES: u16 = 3;

/// The most steps of one input.
const MAX_STEPS: usize = 300;

/// All triggers there are.
const TRIGGERS: [Trigger; 6] = [
    Trigger::Rising,
    Trigger::Falling,
    Trigger::Both,
    Trigger::High,
    Trigger::Low,
    Trigger::None,
];

/// From where a line is fired. Each is one thing after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The event queue, whose lock is held.
    Events,
    /// The answer to the question for a level.
    Check,
    /// The work that makes up for what could not be fired when it came.
    Work,
}

/// How far the firing of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The interrupt core has not been called yet.
    Begun,
    /// The handlers are being called.
    Handlers,
    /// The interrupt core has returned.
    Ended,
}

/// A line, as the interrupt core and the consumers have it.
#[derive(Clone, Copy, Debug)]
struct Line {
    trigger: Trigger,
    is_disabled: bool,
    is_masked: bool,
    firing: Option<(Source, Stage)>,
    /// A handler's thread was woken, and has not ended.
    has_thread: bool,
    /// How many calls of consumers have not ended.
    syncing: u32,
    /// What the device was told, as far as the driver can know.
    told: Option<Trigger>,
    oracle: Oracle,
}

/// A question for the level of a line.
#[derive(Clone, Copy, Debug)]
struct Check {
    line: u16,
    epoch: u32,
    /// The level that the device says, or that it says none.
    answer: Option<Option<bool>>,
    /// Nothing has happened since that makes the answer worthless.
    is_fresh: bool,
}

impl Check {
    fn new(line: u16, epoch: u32) -> Self {
        Self {
            line,
            epoch,
            answer: None,
            is_fresh: true,
        }
    }
}

/// Something that happens, to one line if it is about one.
#[derive(Clone, Copy, Debug)]
enum Step {
    Toggle,
    ReadReport,
    FireDue,
    GoOnFiring { has_thread: bool },
    EndThread,
    Work,
    Answer { is_in_vain: bool },
    ReadAnswer,
    Disable,
    Enable,
    Mask,
    Unmask,
    SetTrigger(Trigger),
    EndCall,
    Tell { how: u8 },
    ReturnOwed,
    Learn { is_in_vain: bool },
    Open,
    Misbehave { how: u8 },
    FailNext,
    Reset { are_noted: bool },
    FallAsleep,
    WakeUp,
}

impl Step {
    fn new(step: u8, argument: u8) -> Self {
        match step % 22 {
            0 => Step::Toggle,
            1 => Step::ReadReport,
            2 => Step::FireDue,
            3 => Step::GoOnFiring {
                has_thread: argument % 2 == 1,
            },
            4 => Step::EndThread,
            5 => Step::Work,
            6 => Step::Answer {
                is_in_vain: argument % 8 == 1,
            },
            7 => Step::ReadAnswer,
            8 => Step::Disable,
            9 => Step::Enable,
            10 => Step::Mask,
            11 => Step::Unmask,
            12 => Step::SetTrigger(TRIGGERS[usize::from(argument) % TRIGGERS.len()]),
            13 => Step::EndCall,
            14 => Step::Tell { how: argument % 8 },
            15 => Step::ReturnOwed,
            16 => Step::Learn {
                is_in_vain: argument % 8 == 1,
            },
            17 => Step::Open,
            18 => Step::Misbehave { how: argument % 6 },
            19 => Step::FailNext,
            20 => Step::Reset {
                are_noted: argument % 2 == 1,
            },
            _ => match argument % 2 {
                0 => Step::FallAsleep,
                _ => Step::WakeUp,
            },
        }
    }
}

struct World {
    irqs: LineIrqs<Vec<LineIrq>>,
    reporting: Reporting,
    device: Device,
    is_hostile: bool,
    /// The chip is there, so that lines can be fired.
    is_open: bool,
    lines: [Line; LINES as usize],
    /// Lines of which a report was read, and that are to be fired for it.
    due: VecDeque<u16>,
    /// There is something to make up for.
    work: bool,
    check: Option<Check>,
    /// The level of a line whose interrupt is not on yet is being learned: as of when, and which.
    learning: Option<(Check, Option<bool>)>,
    telling: Option<Telling>,
    /// The same, of a line that may have changed while the device was reset.
    comparing: Option<(Check, Option<bool>)>,
    /// The same, of a line that may change while the device is going to be reset.
    noting: Option<Check>,
    /// Counts the resets.
    life: u32,
    /// The system sleeps: it is the interrupt core that turns lines off and on.
    is_asleep: bool,
    /// The next buffer cannot be given to the device.
    queue_fails: bool,
    /// One could not be.
    has_failed: bool,
}

/// Runs an input: a byte that says what sort of device it is, and two for each step.
pub fn line_irqs(data: &[u8]) {
    let Some((&sort, steps)) = data.split_first() else {
        return;
    };
    let mut world = World::new(sort);

    note!(
        "{:?}, hostile: {}, open: {}",
        world.reporting,
        world.is_hostile,
        world.is_open
    );
    for step in steps.chunks_exact(2).take(MAX_STEPS) {
        if let [step, argument] = *step {
            let line = u16::from(argument) % LINES;
            let step = Step::new(step, argument / LINES as u8);
            note!("{step:?}, line {line}");
            world.run(step, line);
        }
    }
    world.come_to_rest();
}

impl World {
    fn new(sort: u8) -> Self {
        let reporting = match sort % 3 {
            0 => Reporting::Changes,
            1 => Reporting::Selected,
            _ => Reporting::Buffers,
        };
        let is_hostile = sort & 0x80 != 0;
        let mut world = Self {
            irqs: LineIrqs::new(vec![LineIrq::default(); usize::from(LINES)], reporting),
            reporting,
            device: Device::new(reporting, is_hostile, LINES),
            is_hostile,
            is_open: false,
            lines: [Line {
                trigger: Trigger::None,
                is_disabled: true,
                is_masked: false,
                firing: None,
                has_thread: false,
                syncing: 0,
                told: Some(Trigger::None),
                oracle: Oracle::default(),
            }; LINES as usize],
            due: VecDeque::new(),
            work: false,
            check: None,
            learning: None,
            telling: None,
            comparing: None,
            noting: None,
            life: 0,
            is_asleep: false,
            queue_fails: false,
            has_failed: false,
        };
        if sort & 0x40 == 0 {
            world.open();
        }
        world
    }

    fn run(&mut self, step: Step, line: u16) {
        match step {
            Step::Toggle => self.device.toggle(line),
            Step::ReadReport => self.read_report(),
            Step::FireDue => self.fire_due(),
            Step::GoOnFiring { has_thread } => self.go_on_firing(line, has_thread),
            Step::EndThread => self.end_thread(line),
            Step::Work => self.work(),
            Step::Answer { is_in_vain } => self.answer(is_in_vain),
            Step::ReadAnswer => self.read_answer(),
            Step::Disable => self.disable(line),
            Step::Enable => self.enable(line),
            Step::Mask => self.mask(line),
            Step::Unmask => self.unmask(line),
            Step::SetTrigger(trigger) => self.set_trigger(line, trigger),
            Step::EndCall => self.end_call(line),
            Step::Tell { how } => self.tell(line, how),
            Step::ReturnOwed => self.device.return_owed(line),
            Step::Learn { is_in_vain } => self.learn(line, is_in_vain),
            Step::Open => self.open(),
            Step::Misbehave { how } if self.is_hostile => self.device.misbehave(line, how),
            Step::Misbehave { .. } => (),
            Step::FailNext => self.queue_fails = true,
            Step::Reset { are_noted } => self.reset(are_noted),
            Step::FallAsleep => {
                self.is_asleep = true;
                self.irqs.fall_asleep();
            }
            Step::WakeUp => self.wake_up(),
        }
    }

    fn line(&mut self, line: u16) -> &mut Line {
        &mut self.lines[usize::from(line)]
    }

    fn open(&mut self) {
        if !std::mem::replace(&mut self.is_open, true) && self.irqs.opened() {
            self.work = true;
        }
    }

    fn is_firing(&self, source: Source) -> bool {
        self.lines
            .iter()
            .any(|line| line.firing.is_some_and(|(from, _)| from == source))
    }

    fn is_firing_events(&self) -> bool {
        self.is_firing(Source::Events)
    }

    /// Answers that are under way are older than what has just happened.
    fn outdate_checks(&mut self, line: u16) {
        let others = [&mut self.learning, &mut self.comparing]
            .into_iter()
            .flatten()
            .map(|(check, _)| check);

        for check in self.check.iter_mut().chain(&mut self.noting).chain(others) {
            check.is_fresh &= check.line != line;
        }
    }

    /// Runs something that may merge edges of a line.
    fn count_merged<R>(&mut self, line: u16, what: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.irqs.counts().merged;
        let result = what(self);
        let merged = self.irqs.counts().merged - before;
        self.line(line).oracle.merged(merged);
        result
    }

    /// There may be something to do: has it done at the end of a consumer's call, or at once.
    fn make_up_if(&mut self, line: u16, something: bool) {
        if something && !self.irqs.leave_to_sync(line) {
            self.work = true;
        }
    }

    /// Asks the device what it is to be asked, or gives it its buffers.
    fn look(&mut self) {
        if self.reporting == Reporting::Buffers {
            while let Some(line) = self.irqs.next_buffer() {
                let state = *self.line(line);
                assert!(!state.is_disabled && !state.is_masked, "lent, but unwanted");
                if std::mem::take(&mut self.queue_fails) {
                    self.has_failed = true;
                    self.irqs.put_back_buffer(line);
                    return;
                }
                note!("  line {line}: the device gets the buffer");
                self.device.lend(line);
            }
        } else if self.check.is_none() {
            let Some((line, epoch)) = self.irqs.next_check() else {
                return;
            };
            if std::mem::take(&mut self.queue_fails) {
                self.has_failed = true;
                self.irqs.put_back_check(line);
                return;
            }
            note!("  line {line} is asked for its level");
            self.check = Some(Check::new(line, epoch));
        }
    }

    fn read_report(&mut self) {
        if self.is_firing_events() {
            return;
        }
        if let Some((line, said)) = self.device.read() {
            self.take_note(line, said);
            if self.reporting == Reporting::Buffers {
                self.look();
            }
        }
    }

    /// Reads all reports, where that has to be done before something else. (The lock is to be had.)
    fn settle(&mut self) {
        while let Some((line, said)) = self.device.read() {
            self.take_note(line, said);
        }
        if self.reporting == Reporting::Buffers {
            self.look();
        }
        self.work |= !self.due.is_empty();
    }

    fn take_note(&mut self, line: u16, said: Said) {
        note!("  line {line} reported: {said:?}");
        self.expect(line, said);
        let is_hostile = self.is_hostile;
        let epoch = self.irqs.epoch(line);
        let is_due = self.count_merged(line, |world| match said {
            Said::Level { high, .. } => world.irqs.report(line, high.into()),
            Said::Status(status) => match world.irqs.returned(line, status) {
                Returned::Fire => true,
                Returned::Nothing => false,
                other => {
                    assert!(is_hostile, "{other:?}, but the device did nothing wrong");
                    false
                }
            },
        });
        // What says nothing about the line outdates nothing.
        if self.irqs.epoch(line) != epoch {
            self.outdate_checks(line);
        }
        if is_due {
            self.due.push_back(line);
        }
    }

    /// What follows from a report that is just being read.
    fn expect(&mut self, line: u16, said: Said) {
        let telling = self.telling;
        let reporting = self.reporting;
        let state = self.line(line);
        let trigger = state.trigger;
        let known = state.oracle.known();

        if let Said::Level { high, .. } = said {
            state.oracle.reported(high);
        }
        if state.is_disabled {
            return;
        }
        match (said, trigger.active_level()) {
            (Said::Level { high, .. }, Some(active)) => state.oracle.level(high == active),
            (Said::Status(Some(IrqStatus::Valid)), active) if state.told == Some(trigger) => {
                match active {
                    Some(_) => state.oracle.level(true),
                    None if trigger == Trigger::None => (),
                    None => state.oracle.edge(Edge::Must),
                }
            }
            (Said::Status(_), _) => (),
            (Said::Level { edges: None, .. }, None) => state.oracle.edge(Edge::May),
            (
                Said::Level {
                    high,
                    edges: Some(edges),
                },
                None,
            ) => {
                let fires = edges.fire(trigger);
                // The driver sees of changes that were merged what the last one was, or that there were
                // several as nothing seems to have changed.
                let is_seen =
                    !edges.are_merged() || trigger.fires_on_edge_to(high) || known == Some(high);
                let is_being_told = telling.is_some_and(|telling| telling.reports(line, trigger));
                state.oracle.edge(match (reporting, state.told) {
                    (Reporting::Selected, Some(told)) if told != trigger => Edge::MustNot,
                    // It has fired, so it was that.
                    (Reporting::Selected, Some(_)) if fires => Edge::Must,
                    (Reporting::Selected, None) if fires && is_being_told => Edge::Must,
                    // It may be of what the device was told before.
                    (Reporting::Selected, None) => Edge::May,
                    (Reporting::Changes, _) if fires && is_seen => Edge::Must,
                    // An answer of the device may have been faster.
                    _ if fires || known == Some(high) => Edge::May,
                    _ => Edge::MustNot,
                });
            }
        }
    }

    fn fire_due(&mut self) {
        if self.is_firing_events() {
            return;
        }
        if let Some(line) = self.due.pop_front() {
            self.fire(line, Source::Events);
        }
    }

    fn fire(&mut self, line: u16, source: Source) {
        if self.count_merged(line, |world| world.irqs.begin(line)) {
            self.begin(line, source);
        }
    }

    /// The line is being fired now.
    fn begin(&mut self, line: u16, source: Source) {
        let is_open = self.is_open;
        let state = self.line(line);
        let trigger = state.trigger;
        assert!(!state.is_disabled, "fired, but disabled");
        assert!(!state.is_masked, "fired, but masked");
        assert_eq!(state.firing, None, "fired while it is being fired");
        note!("  line {line} fires, from {source:?}");
        state.oracle.fires(trigger);
        self.outdate_checks(line);

        if is_open {
            self.line(line).firing = Some((source, Stage::Begun));
        } else {
            self.irqs.cancel(line);
            self.line(line).oracle.cancelled(trigger);
            self.fired(source, false);
        }
    }

    /// The interrupt core goes on; when it is through, so is whoever has fired the line. Handlers may
    /// have a thread to be woken.
    fn go_on_firing(&mut self, line: u16, has_thread: bool) {
        let state = self.line(line);
        let Some((source, stage)) = state.firing else {
            return;
        };
        match stage {
            Stage::Begun => {
                let is_disabled = state.is_disabled;
                let was_masked = std::mem::replace(&mut state.is_masked, true);
                state.firing = Some((
                    source,
                    match is_disabled {
                        true => Stage::Ended,
                        false => Stage::Handlers,
                    },
                ));
                if !was_masked {
                    self.irqs.mask(line);
                }
            }
            Stage::Handlers => {
                state.firing = Some((source, Stage::Ended));
                state.has_thread |= has_thread;
                if !state.has_thread && !state.is_disabled && state.is_masked {
                    self.unmask_now(line);
                }
            }
            Stage::Ended => {
                state.firing = None;
                match self.irqs.finish(line) {
                    Finished::Again => self.begin(line, source),
                    Finished::Check => self.fired(source, true),
                    Finished::Done => self.fired(source, false),
                }
            }
        }
    }

    /// Whoever has fired a line goes on.
    fn fired(&mut self, source: Source, has_check: bool) {
        match source {
            Source::Events if has_check || self.reporting == Reporting::Buffers => self.look(),
            Source::Events => (),
            Source::Check => self.look(),
            // There may be more to fire.
            Source::Work => self.work = true,
        }
    }

    fn work(&mut self) {
        if !self.work || self.is_firing(Source::Work) {
            return;
        }
        if !self.due.is_empty() {
            self.fire_due();
            return;
        }
        if self.reporting == Reporting::Buffers {
            if self.is_firing_events() {
                return;
            }
            self.look();
        }
        match self.irqs.next_latched() {
            Some(line) => self.begin(line, Source::Work),
            None => {
                self.work = false;
                self.look();
            }
        }
    }

    fn end_thread(&mut self, line: u16) {
        let state = self.line(line);
        let is_in_progress = matches!(state.firing, Some((_, Stage::Handlers)));
        if is_in_progress || !std::mem::take(&mut state.has_thread) {
            return;
        }
        self.begin_call(line);
        let state = self.line(line);
        if !state.is_disabled && state.is_masked {
            self.unmask_now(line);
        }
    }

    fn begin_call(&mut self, line: u16) {
        self.line(line).syncing += 1;
        self.irqs.begin_sync(line);
    }

    fn end_call(&mut self, line: u16) {
        let state = self.line(line);
        if state.syncing == 0 {
            return;
        }
        state.syncing -= 1;
        if self.irqs.change(line).is_some() {
            self.irqs.want_sync(line);
        }
        match self.irqs.end_sync(line) {
            Left::Nothing => (),
            Left::ToAsk => self.look(),
            Left::ToFire => self.work = true,
        }
    }

    fn answer(&mut self, is_in_vain: bool) {
        let Some(check) = &mut self.check else {
            return;
        };
        let level = (!is_in_vain).then_some(self.device.is_high(check.line));
        check.answer.get_or_insert(level);
    }

    fn read_answer(&mut self) {
        if self.is_firing(Source::Check) {
            return;
        }
        let Some(check) = self.check.take_if(|check| check.answer.is_some()) else {
            return;
        };
        let Check {
            line,
            epoch,
            answer,
            is_fresh,
        } = check;
        let level = answer.flatten();
        let state = self.line(line);

        if is_fresh {
            state.oracle.set_known(level);
            match (level, state.trigger.active_level()) {
                (None, _) => state.oracle.asked_in_vain(),
                (Some(level), active) => {
                    state.oracle.was_answered();
                    if let Some(active) = active.filter(|_| !state.is_disabled) {
                        state.oracle.level(level == active);
                    }
                }
            }
        }
        if self.irqs.checked(line, epoch, level.map(Into::into)) {
            self.fire(line, Source::Check);
        }
        if !self.is_firing(Source::Check) {
            self.look();
        }
    }

    fn wake_up(&mut self) {
        self.is_asleep = false;
        self.irqs.wake_up();
    }

    fn disable(&mut self, line: u16) {
        let is_asleep = self.is_asleep;
        let state = self.line(line);
        if std::mem::replace(&mut state.is_disabled, true) {
            return;
        }
        state.is_masked = true;
        if is_asleep {
            // It is the interrupt core that turns it off, and on again.
            state.oracle.forget_level();
        } else {
            state.oracle.forget();
            state.oracle.end_unsure(false);
        }
        self.outdate_checks(line);
        self.begin_call(line);
        // Those that were due are latched then.
        self.count_merged(line, |world| world.irqs.disable(line));
    }

    fn enable(&mut self, line: u16) {
        let is_learning = self
            .learning
            .is_some_and(|(learning, _)| learning.line == line);
        let is_selective = self.irqs.is_selective();
        let is_asleep = self.is_asleep;
        let state = self.line(line);
        if is_learning || !std::mem::replace(&mut state.is_disabled, false) {
            return;
        }
        state.is_masked = false;
        let trigger = state.trigger;
        state.oracle.enabled(trigger);
        if is_asleep {
            state.oracle.forget_level();
        } else {
            state.oracle.forget();
            state.oracle.end_unsure(false);
        }
        if !is_asleep && is_selective {
            state.oracle.set_known(None);
        }
        self.outdate_checks(line);
        self.begin_call(line);
        let something = self.irqs.enable(line);
        self.make_up_if(line, something);
    }

    fn mask(&mut self, line: u16) {
        let state = self.line(line);
        if state.is_disabled || std::mem::replace(&mut state.is_masked, true) {
            return;
        }
        self.irqs.mask(line);
    }

    fn unmask(&mut self, line: u16) {
        let state = self.line(line);
        if !state.is_disabled && state.is_masked && state.firing.is_none() && !state.has_thread {
            self.unmask_now(line);
        }
    }

    fn unmask_now(&mut self, line: u16) {
        note!("  line {line} is unmasked");
        self.line(line).is_masked = false;
        let something = self.irqs.unmask(line);
        self.make_up_if(line, something);
    }

    fn set_trigger(&mut self, line: u16, trigger: Trigger) {
        self.begin_call(line);
        if let Ok(something) = self.irqs.set_trigger(line, trigger) {
            let is_selective = self.irqs.is_selective();
            let state = self.line(line);
            state.oracle.end_unsure(false);
            if is_selective {
                state.oracle.set_known(None);
            }
            if std::mem::replace(&mut state.trigger, trigger) != trigger {
                state.oracle.forget();
                self.outdate_checks(line);
            }
            self.make_up_if(line, something);
        }
    }

    /// Finds out which level a line has, before its interrupt is turned on.
    fn learn(&mut self, line: u16, is_in_vain: bool) {
        if self.reporting != Reporting::Changes || self.is_firing_events() {
            return;
        }
        match self.learning.take() {
            None if self.line(line).is_disabled => {
                let check = Check::new(line, self.irqs.epoch(line));
                let level = (!is_in_vain).then_some(self.device.is_high(line));
                self.learning = Some((check, level));
            }
            None => (),
            Some((check, level)) => {
                if check.is_fresh {
                    self.line(check.line).oracle.set_known(level);
                }
                self.irqs
                    .learn(check.line, check.epoch, level.map(Into::into));
                self.settle();
            }
        }
    }
}
