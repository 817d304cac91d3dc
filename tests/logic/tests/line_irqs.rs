// SPDX-License-Identifier: GPL-2.0

//! Interrupts of lines: what fires when, and that nothing is lost, in a world with a device, its
//! queues, and a consumer that takes its time.

use std::collections::VecDeque;

use gpio_virtio_logic::{
    line::Level,
    line_irqs::{
        Finished,
        Left,
        LineIrq,
        LineIrqs,
        Reporting, //
    },
    trigger::Trigger, //
};
use proptest::prelude::*;
use Level::{
    High,
    Low, //
};

type Irqs = LineIrqs<Vec<LineIrq>>;

const LINE: u16 = 2;

fn irqs(selective: bool) -> Irqs {
    let reporting = match selective {
        true => Reporting::Selected,
        false => Reporting::Changes,
    };
    LineIrqs::new(vec![LineIrq::default(); 4], reporting)
}

/// Interrupts of which that of `LINE` is on.
fn listening(trigger: Trigger) -> Irqs {
    let mut irqs = irqs(false);
    assert_eq!(irqs.set_trigger(LINE, trigger), Ok(false));
    irqs.enable(LINE);
    irqs
}

/// The same, of a device that has been told what to report.
fn irqs_told(trigger: Trigger) -> Irqs {
    let mut irqs = irqs(true);
    assert!(irqs.set_trigger(LINE, trigger).is_ok());
    irqs.enable(LINE);
    let life = irqs.is_being_told(LINE);
    irqs.was_told(LINE, trigger, life);
    irqs
}

/// What happens at a report when nothing is in the way: whether the line fires.
fn fires(irqs: &mut Irqs, level: Level) -> bool {
    let fired = irqs.report(LINE, level) && irqs.begin(LINE);
    if fired {
        irqs.unmask(LINE);
        assert_ne!(irqs.finish(LINE), Finished::Again);
    }
    fired
}

/// Fires what was latched, and returns for how many lines.
fn fire_latched(irqs: &mut Irqs) -> usize {
    let mut count = 0;
    while let Some(line) = irqs.next_latched() {
        assert_eq!(irqs.finish(line), Finished::Done);
        count += 1;
    }
    count
}

#[test]
fn each_trigger_fires_on_its_edges() {
    for (trigger, expected) in [
        (Trigger::None, [false, false, false]),
        (Trigger::Rising, [true, false, true]),
        (Trigger::Falling, [false, true, false]),
        (Trigger::Both, [true, true, true]),
    ] {
        let mut irqs = listening(trigger);
        assert_eq!(
            [High, Low, High].map(|level| fires(&mut irqs, level)),
            expected,
            "{trigger:?}"
        );
    }
}

#[test]
fn the_same_level_again_is_two_edges() {
    for trigger in [Trigger::Rising, Trigger::Falling, Trigger::Both] {
        let mut irqs = listening(trigger);
        fires(&mut irqs, High);
        assert!(fires(&mut irqs, High), "{trigger:?}");
    }
}

#[test]
fn a_line_that_nobody_wants_does_not_fire() {
    let mut irqs = irqs(false);
    assert!(!irqs.report(LINE, High));
    irqs.set_trigger(LINE, Trigger::Both).unwrap();
    assert!(!irqs.report(LINE, Low));
    irqs.enable(LINE);
    assert!(irqs.report(LINE, High));
    irqs.disable(LINE);
    assert!(!irqs.begin(LINE));
    assert!(!irqs.report(LINE, Low));
}

#[test]
fn edges_while_masked_fire_once() {
    let mut irqs = listening(Trigger::Both);
    irqs.mask(LINE);
    for level in [High, Low, High] {
        assert!(!irqs.report(LINE, level));
    }
    assert_eq!(fire_latched(&mut irqs), 0);
    assert!(irqs.unmask(LINE));
    assert_eq!(fire_latched(&mut irqs), 1);
    // It is masked until its handlers are through.
    assert!(!irqs.report(LINE, Low));
    assert_eq!(fire_latched(&mut irqs), 0);
    assert!(irqs.unmask(LINE));
    assert_eq!(fire_latched(&mut irqs), 1);
    assert!(!irqs.unmask(LINE));
    assert_eq!(fire_latched(&mut irqs), 0);
    assert_eq!(irqs.counts().reports, 4);
    assert_eq!(irqs.counts().fired, 2);
    assert_eq!(irqs.counts().merged, 2);
}

#[test]
fn to_disable_is_to_forget() {
    let mut irqs = listening(Trigger::Both);
    irqs.mask(LINE);
    irqs.report(LINE, High);
    irqs.disable(LINE);
    assert!(!irqs.unmask(LINE));
    irqs.enable(LINE);
    assert!(!irqs.unmask(LINE));
    assert_eq!(irqs.next_latched(), None);
}

#[test]
fn a_latched_edge_that_is_disabled_in_time_does_not_fire() {
    let mut irqs = listening(Trigger::Rising);
    irqs.mask(LINE);
    irqs.report(LINE, High);
    assert!(irqs.unmask(LINE));
    irqs.disable(LINE);
    assert_eq!(irqs.next_latched(), None);
}

#[test]
fn what_cannot_be_fired_is_kept_for_later() {
    let mut irqs = listening(Trigger::Rising);
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    irqs.cancel(LINE);
    assert!(!irqs.report(LINE, High));
    assert!(irqs.opened());
    assert_eq!(fire_latched(&mut irqs), 1);
    assert_eq!(irqs.counts().fired, 1);

    let mut irqs = listening(Trigger::High);
    irqs.next_check();
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    irqs.cancel(LINE);
    assert!(irqs.opened());
    assert!(irqs.next_check().is_some());
}

#[test]
fn what_is_to_be_done_is_left_to_a_call_that_ends() {
    let mut irqs = listening(Trigger::Rising);
    // Nobody is there to leave it to.
    assert!(!irqs.leave_to_sync(LINE));
    irqs.begin_sync(LINE);
    assert_eq!(irqs.end_sync(LINE), Left::Nothing);
    assert!(!irqs.leave_to_sync(LINE));

    // Two calls: the first one that ends does it.
    irqs.begin_sync(LINE);
    irqs.begin_sync(LINE);
    assert!(irqs.leave_to_sync(LINE));
    assert!(!irqs.leave_to_sync(LINE + 1));
    assert_eq!(irqs.end_sync(LINE), Left::ToAsk);
    assert!(irqs.leave_to_sync(LINE));
    assert_eq!(irqs.end_sync(LINE), Left::ToAsk);
    assert!(!irqs.leave_to_sync(LINE));

    // An edge that was latched has to be fired, which is not for every place.
    irqs.mask(LINE);
    irqs.report(LINE, High);
    irqs.begin(LINE);
    irqs.begin_sync(LINE);
    assert!(irqs.unmask(LINE) && irqs.leave_to_sync(LINE));
    assert_eq!(irqs.end_sync(LINE), Left::ToFire);
    assert_eq!(fire_latched(&mut irqs), 1);
}

#[test]
fn what_is_left_to_a_call_is_not_forgotten_meanwhile() {
    let mut irqs = listening(Trigger::High);
    irqs.next_check();
    // A consumer's call is under way, and takes its time.
    irqs.begin_sync(LINE);
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    assert!(irqs.unmask(LINE) && irqs.leave_to_sync(LINE));
    // Whoever fires the line has the level asked for.
    assert_eq!(irqs.finish(LINE), Finished::Check);
    assert!(irqs.next_check().is_some());
}

#[test]
fn an_edge_that_the_core_would_not_take_fires_afterwards() {
    let mut irqs = listening(Trigger::Both);
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    // The handler turns the interrupt off, and somebody else turns it on while it still runs.
    irqs.disable(LINE);
    irqs.enable(LINE);
    assert!(!irqs.report(LINE, Low));
    assert_eq!(irqs.finish(LINE), Finished::Again);
    irqs.unmask(LINE);
    assert_eq!(irqs.finish(LINE), Finished::Done);
    assert_eq!(irqs.counts().fired, 2);
}

#[test]
fn a_level_that_the_core_would_not_take_is_looked_at_afterwards() {
    let mut irqs = listening(Trigger::High);
    irqs.next_check();
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    irqs.report(LINE, Low);
    irqs.unmask(LINE);
    assert_eq!(irqs.next_check(), None);
    assert!(irqs.report(LINE, High) && !irqs.begin(LINE));
    assert_eq!(irqs.finish(LINE), Finished::Check);
    assert!(irqs.next_check().is_some());
}

#[test]
fn a_level_that_came_back_in_one_go_fires_once() {
    let mut irqs = listening(Trigger::High);
    // All of it is read before the first one is fired.
    assert!(irqs.report(LINE, High) && !irqs.report(LINE, Low) && irqs.report(LINE, High));
    assert!(irqs.begin(LINE));
    irqs.unmask(LINE);
    irqs.finish(LINE);
    assert!(!irqs.begin(LINE));
}

#[test]
fn a_level_that_is_turned_on_again_is_asked_for() {
    // Its end is not reported by a device that is told what to report.
    let mut irqs = irqs(true);
    irqs.set_trigger(LINE, Trigger::High).unwrap();
    irqs.enable(LINE);
    irqs.was_told(LINE, Trigger::High, 0);
    assert!(irqs.next_check().is_some());
    assert!(irqs.report(LINE, High) && irqs.begin(LINE));
    irqs.disable(LINE);
    irqs.finish(LINE);
    // The device was not told of either.
    assert!(irqs.enable(LINE));
    assert!(irqs.next_check().is_some());
}

#[test]
fn what_is_about_to_be_fired_is_dropped_with_the_consumer() {
    for trigger in [Trigger::Rising, Trigger::Both, Trigger::High] {
        let mut irqs = listening(trigger);
        assert!(irqs.report(LINE, High));
        // The line is to be fired, and meanwhile somebody else gets it.
        irqs.disable(LINE);
        irqs.enable(LINE);
        assert!(!irqs.begin(LINE), "{trigger:?}");
        // The next edge is that of the new one, whoever still wants to fire for the old one.
        assert_eq!(fires(&mut irqs, Low), trigger == Trigger::Both);
        assert!(fires(&mut irqs, High), "{trigger:?}");
        assert!(!irqs.begin(LINE), "{trigger:?}");
    }
}

#[test]
fn two_edges_of_one_go_are_two() {
    let mut irqs = listening(Trigger::Both);
    assert!(irqs.report(LINE, High) && irqs.report(LINE, Low));
    assert!(irqs.begin(LINE) && !irqs.begin(LINE));
    irqs.unmask(LINE);
    assert_eq!(irqs.finish(LINE), Finished::Again);
    assert_eq!(irqs.counts().merged, 0);
}

#[test]
fn what_came_for_another_trigger_does_not_fire() {
    // An edge that is just being fired, and one that is latched.
    let mut irqs = listening(Trigger::Falling);
    assert!(irqs.report(LINE, Low));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Rising), Ok(false));
    assert!(!irqs.begin(LINE));
    irqs.mask(LINE);
    assert!(!irqs.report(LINE, High));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Falling), Ok(false));
    assert!(!irqs.unmask(LINE));
    assert_eq!(irqs.next_latched(), None);

    // A level.
    let mut irqs = listening(Trigger::High);
    assert!(irqs.report(LINE, High));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Low), Ok(false));
    assert!(!irqs.begin(LINE));

    // What the device has not been told to stop reporting.
    let mut irqs = irqs_told(Trigger::Rising);
    irqs.set_trigger(LINE, Trigger::Low).unwrap();
    assert!(!irqs.report(LINE, Low) && !irqs.begin(LINE));
}

#[test]
fn an_answer_to_the_question_for_another_trigger_is_dropped() {
    let mut irqs = listening(Trigger::High);
    let (_, epoch) = irqs.next_check().unwrap();
    irqs.set_trigger(LINE, Trigger::Low).unwrap();
    // Before it was set the line was low, and then it went high.
    assert!(!irqs.checked(LINE, epoch, Some(Low)));
    assert!(irqs.next_check().is_some());
}

#[test]
fn a_level_is_asked_for_when_the_device_has_been_told_at_last() {
    let mut irqs = irqs(true);
    irqs.set_trigger(LINE, Trigger::Low).unwrap();
    irqs.enable(LINE);
    // The device refuses it at first; nobody looks whether there is something to be asked then.
    let life = irqs.is_being_told(LINE);
    assert!(!irqs.was_told(LINE, Trigger::None, life));
    let life = irqs.is_being_told(LINE);
    assert!(irqs.was_told(LINE, Trigger::Low, life));
    assert!(irqs.next_check().is_some());
}

#[test]
fn changes_that_were_merged_count_as_soon_as_the_device_may_have_been_told() {
    let mut irqs = irqs(true);
    irqs.set_trigger(LINE, Trigger::Rising).unwrap();
    irqs.enable(LINE);
    irqs.is_being_told(LINE);
    // It has risen and fallen before there was a buffer. It was silent before, so that is what it was
    // told to report.
    assert!(irqs.report(LINE, Low));
}

#[test]
fn a_level_that_has_ended_is_not_fired_whatever_it_was_reported_for() {
    let mut irqs = irqs_told(Trigger::Falling);
    irqs.set_trigger(LINE, Trigger::Low).unwrap();
    let life = irqs.is_being_told(LINE);
    assert!(irqs.report(LINE, Low));
    irqs.was_told(LINE, Trigger::None, life);
    assert!(!irqs.report(LINE, High));
    irqs.is_being_told(LINE);
    assert!(!irqs.begin(LINE));
}

#[test]
fn a_level_from_before_a_reset_is_not_taken_for_that_of_now() {
    let mut irqs = listening(Trigger::None);
    irqs.report(LINE, High);
    irqs.begin_life();
    irqs.forget(LINE);
    // It is low by now, and nobody has said so.
    assert_eq!(irqs.set_trigger(LINE, Trigger::Low), Ok(true));

    let mut irqs = listening(Trigger::Falling);
    irqs.report(LINE, High);
    irqs.begin_life();
    irqs.forget(LINE);
    assert_eq!(irqs.set_trigger(LINE, Trigger::Low), Ok(true));
}

#[test]
fn a_new_trigger_is_looked_at() {
    let mut irqs = irqs(false);
    irqs.enable(LINE);
    irqs.report(LINE, High);
    assert_eq!(irqs.set_trigger(LINE, Trigger::Low), Ok(false));
    assert_eq!(irqs.set_trigger(LINE, Trigger::High), Ok(true));
}

#[test]
fn a_level_that_cannot_be_had_is_asked_for_three_times() {
    let mut irqs = listening(Trigger::High);
    for _ in 0..3 {
        let (_, epoch) = irqs.next_check().unwrap();
        assert!(!irqs.checked(LINE, epoch, None));
    }
    assert_eq!(irqs.next_check(), None);
    assert!(fires(&mut irqs, High));
}

#[test]
fn lines_are_made_up_for_in_order() {
    let mut irqs = irqs(false);
    for line in [3, 0, 2] {
        irqs.set_trigger(line, Trigger::Rising).unwrap();
        irqs.enable(line);
        irqs.mask(line);
        irqs.report(line, High);
        irqs.unmask(line);
    }
    assert_eq!(irqs.next_latched(), Some(3));
    irqs.unmask(3);
    irqs.finish(3);
    assert_eq!(irqs.next_latched(), Some(0));
    assert_eq!(irqs.next_latched(), Some(2));
    assert_eq!(irqs.next_latched(), None);
}

#[test]
fn a_level_is_asked_for_when_the_interrupt_is_turned_on() {
    let mut irqs = irqs(false);
    irqs.set_trigger(LINE, Trigger::Low).unwrap();
    assert!(irqs.enable(LINE));
    let (line, epoch) = irqs.next_check().unwrap();
    assert_eq!(line, LINE);
    assert!(irqs.checked(LINE, epoch, Some(Low)));
    assert!(irqs.begin(LINE));

    // And when it is turned on again, as it may have been an output meanwhile.
    let mut irqs = listening(Trigger::Low);
    irqs.report(LINE, High);
    irqs.disable(LINE);
    irqs.next_check();
    assert!(irqs.enable(LINE));
}

#[test]
fn a_level_that_was_learned_does_not_undo_a_report() {
    let mut irqs = irqs(false);
    let epoch = irqs.epoch(LINE);
    irqs.report(LINE, High);
    irqs.learn(LINE, epoch, Some(Low));
    irqs.set_trigger(LINE, Trigger::Rising).unwrap();
    irqs.enable(LINE);
    assert!(!fires(&mut irqs, Low));

    // What is known no more may have been anything.
    irqs.learn(LINE, irqs.epoch(LINE), None);
    assert!(!fires(&mut irqs, Low));
}

#[test]
fn an_answer_that_is_outdated_is_asked_for_again() {
    let mut irqs = listening(Trigger::High);
    let (_, epoch) = irqs.next_check().unwrap();
    // The device has said "low", then the line went high, and the driver sees that first.
    assert!(fires(&mut irqs, High));
    assert!(!irqs.checked(LINE, epoch, Some(Low)));
    assert!(irqs.next_check().is_some());
}

#[test]
fn a_device_that_is_told_reports_what_it_was_told() {
    let mut irqs = irqs(true);
    irqs.set_trigger(LINE, Trigger::Rising).unwrap();
    assert!(!irqs.enable(LINE));
    assert_eq!(irqs.change(LINE), Some(Trigger::Rising));
    assert!(irqs.is_silent(LINE));
    // A report from before.
    assert!(!irqs.report(LINE, Low));
    irqs.is_being_told(LINE);
    assert!(!irqs.is_silent(LINE));
    // It is not known whether this is of what it is being told.
    assert!(irqs.report(LINE, High));
    assert_eq!(irqs.change(LINE), Some(Trigger::Rising));
    irqs.was_told(LINE, Trigger::Rising, 0);
    assert_eq!(irqs.change(LINE), None);
    // It has fallen again since, but it has risen.
    assert!(irqs.report(LINE, Low));
    irqs.disable(LINE);
    assert_eq!(irqs.change(LINE), Some(Trigger::None));
}

#[test]
fn lines_to_be_told_about_are_kept() {
    let mut irqs = irqs(true);
    for line in [1, 3, 1] {
        irqs.want_sync(line);
    }
    assert_eq!(irqs.next_sync(), Some(1));
    assert_eq!(irqs.next_sync(), Some(3));
    assert_eq!(irqs.next_sync(), None);
}

#[test]
fn a_refusal_is_remembered_until_the_device_accepts() {
    let mut irqs = irqs(true);
    irqs.answered(LINE, Trigger::High, Err(95));
    irqs.answered(LINE, Trigger::Both, Ok(()));
    assert_eq!(irqs.set_trigger(LINE, Trigger::High), Err(95));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Both), Ok(false));
    irqs.answered(LINE, Trigger::High, Ok(()));
    assert_eq!(irqs.set_trigger(LINE, Trigger::High), Ok(false));
}

#[test]
fn lines_that_do_not_exist_are_ignored() {
    let mut irqs = irqs(false);
    let line = 4;
    assert_eq!(irqs.set_trigger(line, Trigger::Both), Ok(false));
    assert!(!irqs.enable(line) && !irqs.unmask(line) && !irqs.report(line, High));
    assert!(!irqs.begin(line) && !irqs.checked(line, 0, Some(High)));
    assert!(!irqs.was_told(line, Trigger::Both, 0) && irqs.finish(line) == Finished::Done);
    irqs.put_back_check(line);
    assert_eq!(irqs.next_check(), None);
    assert_eq!(irqs.change(line), None);
}

/// A device with one line, and a consumer of it.
struct World {
    irqs: Irqs,
    trigger: Trigger,
    selective: bool,
    level: Level,
    /// Reports that the driver has not read yet.
    reports: VecDeque<Level>,
    /// A question for the level that is under way: the epoch, and the answer.
    check: Option<(u32, Option<Level>)>,
    in_handler: bool,
    /// Reports that an edge trigger has to react to.
    due: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Toggle,
    ReadReport,
    MakeUp,
    Answer,
    ReadAnswer,
    EndHandler,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Toggle),
        Just(Step::ReadReport),
        Just(Step::MakeUp),
        Just(Step::Answer),
        Just(Step::ReadAnswer),
        Just(Step::EndHandler),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    proptest::sample::select(Trigger::ALL.to_vec())
}

impl World {
    fn new(trigger: Trigger, selective: bool, level: Level) -> Self {
        let mut irqs = irqs(selective);
        if !selective {
            irqs.learn(LINE, irqs.epoch(LINE), Some(level));
        }
        assert_eq!(irqs.set_trigger(LINE, trigger), Ok(false));
        irqs.enable(LINE);
        let mut world = Self {
            irqs,
            trigger,
            selective,
            level,
            reports: VecDeque::new(),
            check: None,
            in_handler: false,
            due: 0,
        };
        if selective {
            world.irqs.is_being_told(LINE);
            // The device is told, and reports a level that is there already.
            if world.is_active() {
                world.reports.push_back(level);
            }
            world.irqs.was_told(LINE, trigger, 0);
        }
        world
    }

    fn is_active(&self) -> bool {
        self.trigger.active_level() == Some(self.level == High)
    }

    fn fire(&mut self) {
        assert!(!self.in_handler, "fired while it was being handled");
        // The handlers' thread is woken up, and the line stays masked. (What the device was to be asked
        // before that may still be to be asked.)
        assert_ne!(self.irqs.finish(LINE), Finished::Again);
        self.in_handler = true;
    }

    fn make_up(&mut self) {
        while let Some(line) = self.irqs.next_latched() {
            assert_eq!(line, LINE);
            self.fire();
        }
        if self.check.is_none() {
            self.check = self.irqs.next_check().map(|(_, epoch)| (epoch, None));
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Toggle => {
                self.level = if self.level == High { Low } else { High };
                let fires = self.trigger.fires_on_edge_to(self.level == High);
                if fires {
                    self.due += 1;
                }
                if !self.selective || fires || self.is_active() {
                    self.reports.push_back(self.level);
                }
            }
            Step::ReadReport => {
                if let Some(level) = self.reports.pop_front() {
                    if self.irqs.report(LINE, level) && self.irqs.begin(LINE) {
                        self.fire();
                    }
                }
            }
            Step::MakeUp => self.make_up(),
            Step::Answer => {
                if let Some((_, answer)) = &mut self.check {
                    answer.get_or_insert(self.level);
                }
            }
            Step::ReadAnswer => {
                if let Some((epoch, Some(level))) = self.check {
                    self.check = None;
                    if self.irqs.checked(LINE, epoch, Some(level)) && self.irqs.begin(LINE) {
                        self.fire();
                    }
                    self.make_up();
                }
            }
            Step::EndHandler => {
                if std::mem::take(&mut self.in_handler) && self.irqs.unmask(LINE) {
                    self.make_up();
                }
            }
        }
    }

    /// Lets everything that is under way arrive, and tells whether that comes to an end.
    fn settles(&mut self) -> bool {
        for _ in 0..100 {
            let before = self.irqs.counts().fired;
            while !self.reports.is_empty() {
                self.run(Step::ReadReport);
            }
            for step in [Step::MakeUp, Step::Answer, Step::ReadAnswer] {
                self.run(step);
            }
            let was_in_handler = self.in_handler;
            self.run(Step::EndHandler);
            if !was_in_handler && self.check.is_none() && self.irqs.counts().fired == before {
                return true;
            }
        }
        false
    }
}

proptest! {
    #[test]
    fn every_edge_fires_or_is_merged(
        steps in proptest::collection::vec(step(), 0..200),
        trigger in trigger(),
        selective in any::<bool>(),
        high in any::<bool>(),
    ) {
        prop_assume!(trigger.active_level().is_none());
        let mut world = World::new(trigger, selective, high.into());
        for step in steps {
            world.run(step);
        }
        prop_assert!(world.settles());
        let counts = world.irqs.counts();
        prop_assert_eq!(world.due, counts.fired + counts.merged);
    }

    #[test]
    fn a_level_fires_as_long_as_it_is_there_and_no_longer(
        steps in proptest::collection::vec(step(), 0..200),
        trigger in trigger(),
        selective in any::<bool>(),
        high in any::<bool>(),
    ) {
        prop_assume!(trigger.active_level().is_some());
        let mut world = World::new(trigger, selective, high.into());
        for step in steps {
            world.run(step);
        }
        let active = world.is_active();
        prop_assert_eq!(world.settles(), !active);

        // When it has come to rest, one more change is one more thing to react to.
        if !active {
            world.run(Step::Toggle);
            prop_assert!(!world.settles());
            world.run(Step::Toggle);
            prop_assert!(world.settles());
        }
    }

    #[test]
    fn a_level_that_the_third_call_ends_is_called_three_times(
        selective in any::<bool>(),
        low in any::<bool>(),
        early in proptest::collection::vec(step(), 0..20),
    ) {
        let (trigger, inactive) = match low {
            true => (Trigger::Low, High),
            false => (Trigger::High, Low),
        };
        let mut world = World::new(trigger, selective, inactive);
        prop_assert!(world.settles());
        world.run(Step::Toggle);
        let mut calls = 0;
        for step in early.into_iter().chain(
            [Step::ReadReport, Step::MakeUp, Step::Answer, Step::ReadAnswer].into_iter().cycle().take(200),
        ) {
            if matches!(step, Step::Toggle | Step::EndHandler) {
                continue;
            }
            world.run(step);
            if world.in_handler {
                calls += 1;
                if calls == 3 {
                    world.run(Step::Toggle);
                }
                world.run(Step::EndHandler);
            }
        }
        prop_assert_eq!(calls, 3);
    }
}
