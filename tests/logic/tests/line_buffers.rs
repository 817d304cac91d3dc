// SPDX-License-Identifier: GPL-2.0

//! Interrupts of a device that has a buffer for each line: that nothing is lost, that the device
//! never has two buffers of a line, and none of one that it has not enabled.

use std::collections::VecDeque;

use gpio_virtio_logic::{
    line_irqs::{
        Finished,
        LineIrq,
        LineIrqs,
        Reporting,
        Returned, //
    },
    standard::IrqStatus::{
        self,
        Invalid,
        Valid, //
    },
    trigger::Trigger, //
};
use proptest::prelude::*;

type Irqs = LineIrqs<Vec<LineIrq>>;

const LINE: u16 = 2;

fn irqs() -> Irqs {
    LineIrqs::new(vec![LineIrq::default(); 4], Reporting::Buffers)
}

/// Interrupts of which that of `LINE` is on, and the device has its buffer.
fn listening(trigger: Trigger) -> Irqs {
    let mut irqs = irqs();
    assert_eq!(irqs.set_trigger(LINE, trigger), Ok(false));
    assert!(!irqs.enable(LINE));
    assert_eq!(irqs.next_buffer(), None);
    assert_eq!(irqs.change(LINE), Some(trigger));
    irqs.is_being_told(LINE);
    assert!(irqs.was_told(LINE, trigger, 0));
    assert_eq!(irqs.next_buffer(), Some(LINE));
    assert_eq!(irqs.next_buffer(), None);
    irqs
}

/// The device is told to report nothing.
fn silence(irqs: &mut Irqs) {
    irqs.is_being_told(LINE);
    irqs.was_told(LINE, Trigger::None, 0);
}

#[test]
fn a_line_that_fired_gets_its_buffer_back_when_it_is_unmasked() {
    let mut irqs = listening(Trigger::Rising);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
    assert_eq!(irqs.next_buffer(), None);
    assert!(irqs.begin(LINE));
    // While the handlers run it is for `finish` to see that the line was unmasked.
    assert!(!irqs.unmask(LINE));
    assert_eq!(irqs.next_buffer(), None);
    assert_eq!(irqs.finish(LINE), Finished::Check);
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn a_line_with_a_thread_gets_it_back_when_that_is_through() {
    let mut irqs = listening(Trigger::High);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
    assert!(irqs.begin(LINE));
    assert_eq!(irqs.finish(LINE), Finished::Done);
    assert_eq!(irqs.next_buffer(), None);
    assert!(irqs.unmask(LINE));
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn an_edge_of_a_line_that_was_masked_too_late_is_kept() {
    let mut irqs = listening(Trigger::Both);
    irqs.mask(LINE);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Nothing);
    assert_eq!(irqs.next_buffer(), None);
    assert!(irqs.unmask(LINE));
    assert_eq!(irqs.next_buffer(), None);
    assert_eq!(irqs.next_latched(), Some(LINE));
}

#[test]
fn a_level_of_such_a_line_is_for_the_device_to_report_again() {
    let mut irqs = listening(Trigger::Low);
    irqs.mask(LINE);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Nothing);
    assert!(irqs.unmask(LINE));
    assert_eq!(irqs.next_latched(), None);
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn a_buffer_that_is_late_is_waited_for() {
    let mut irqs = listening(Trigger::Rising);
    irqs.disable(LINE);
    silence(&mut irqs);
    irqs.enable(LINE);
    irqs.is_being_told(LINE);
    assert!(!irqs.was_told(LINE, Trigger::Rising, 0));
    assert_eq!(irqs.next_buffer(), None);
    // Here it is, and that is no reason to complain.
    assert_eq!(irqs.returned(LINE, Some(Invalid)), Returned::Nothing);
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn a_report_of_before_does_not_count() {
    let mut irqs = listening(Trigger::Rising);
    irqs.disable(LINE);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Nothing);
    silence(&mut irqs);
    irqs.enable(LINE);
    assert_eq!(irqs.next_buffer(), None);
    irqs.is_being_told(LINE);
    assert!(irqs.was_told(LINE, Trigger::Rising, 0));
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn a_report_of_before_does_not_count_for_the_next_one_either() {
    let mut irqs = listening(Trigger::Rising);
    irqs.disable(LINE);
    silence(&mut irqs);
    // Somebody else wants the same, and the buffer is slow to come back.
    irqs.enable(LINE);
    irqs.is_being_told(LINE);
    irqs.was_told(LINE, Trigger::Rising, 0);
    assert_eq!(irqs.next_buffer(), None);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Nothing);
    assert_eq!(irqs.next_buffer(), Some(LINE));
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
}

#[test]
fn a_line_that_is_turned_off_and_on_before_it_is_fired_is_not_fired() {
    let mut irqs = listening(Trigger::Rising);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
    irqs.disable(LINE);
    irqs.enable(LINE);
    assert!(!irqs.begin(LINE));
}

#[test]
fn a_trigger_that_is_set_back_leaves_the_device_with_its_buffer() {
    let mut irqs = listening(Trigger::Rising);
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
    // Both before the device is told, so that it need not be.
    assert_eq!(irqs.set_trigger(LINE, Trigger::Both), Ok(false));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Rising), Ok(true));
    assert!(!irqs.begin(LINE));
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn what_was_refused_is_not_armed() {
    let mut irqs = irqs();
    irqs.is_being_told(LINE);
    irqs.answered(LINE, Trigger::High, Err(5));
    irqs.was_told(LINE, Trigger::None, 0);
    assert_eq!(irqs.set_trigger(LINE, Trigger::High), Err(5));
    assert_eq!(irqs.set_trigger(LINE, Trigger::Low), Ok(false));
    irqs.enable(LINE);
    irqs.is_being_told(LINE);
    irqs.answered(LINE, Trigger::Low, Err(5));
    irqs.was_told(LINE, Trigger::None, 0);
    assert_eq!(irqs.next_buffer(), None);
}

#[test]
fn a_device_that_returns_it_for_nothing_ends_up_without_it() {
    let mut irqs = listening(Trigger::Both);
    let mut refused = 0;
    loop {
        let status = if refused % 2 == 0 {
            None
        } else {
            Some(Invalid)
        };
        refused += 1;
        match irqs.returned(LINE, status) {
            Returned::Unreasonable => assert_eq!(irqs.next_buffer(), Some(LINE)),
            Returned::GivenUp => break,
            other => assert_eq!(other, Returned::GivenUp),
        }
    }
    assert_eq!(refused, 100);
    assert_eq!(irqs.next_buffer(), None);
    assert!(!irqs.unmask(LINE));

    // Until somebody turns the line on anew.
    irqs.disable(LINE);
    silence(&mut irqs);
    irqs.enable(LINE);
    irqs.is_being_told(LINE);
    assert!(irqs.was_told(LINE, Trigger::Both, 0));
    assert_eq!(irqs.next_buffer(), Some(LINE));
}

#[test]
fn one_good_report_makes_up_for_the_bad_ones() {
    let mut irqs = listening(Trigger::Both);
    for _ in 0..1000 {
        assert_eq!(irqs.returned(LINE, None), Returned::Unreasonable);
        assert_eq!(irqs.next_buffer(), Some(LINE));
        assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
        assert!(irqs.begin(LINE));
        irqs.unmask(LINE);
        assert_eq!(irqs.finish(LINE), Finished::Check);
        assert_eq!(irqs.next_buffer(), Some(LINE));
    }
}

#[test]
fn a_line_is_in_use_as_long_as_it_or_its_interrupt_has_a_consumer() {
    let mut irqs = irqs();
    assert!(!irqs.is_in_use(LINE));
    irqs.set_requested(LINE, true);
    irqs.set_claimed(LINE, true);
    irqs.set_requested(LINE, false);
    assert!(irqs.is_in_use(LINE) && irqs.is_claimed(LINE));
    irqs.set_claimed(LINE, false);
    assert!(!irqs.is_in_use(LINE));
    irqs.set_requested(4, true);
    assert!(!irqs.is_in_use(4));
}

#[test]
fn a_buffer_that_could_not_be_given_is_given_later() {
    let mut irqs = listening(Trigger::Both);
    irqs.put_back_buffer(LINE);
    assert!(!irqs.is_lent(LINE));
    assert_eq!(irqs.next_buffer(), Some(LINE));
    assert!(irqs.is_lent(LINE));
}

#[test]
fn lines_that_do_not_exist_are_ignored() {
    let mut irqs = irqs();
    assert_eq!(irqs.returned(4, Some(Valid)), Returned::Nothing);
    assert_eq!(irqs.returned(4, None), Returned::Nothing);
    irqs.put_back_buffer(4);
    assert!(!irqs.is_lent(4));
    assert_eq!(irqs.next_buffer(), None);
}

/// A device with one line, and a consumer of it.
struct World {
    irqs: Irqs,
    trigger: Trigger,
    high: bool,
    /// What the device has.
    enabled: bool,
    has_buffer: bool,
    /// It owes that buffer, as the interrupt was disabled since.
    owes_buffer: bool,
    latched: bool,
    /// Buffers that the driver has not seen yet.
    returned: VecDeque<IrqStatus>,
    in_handler: bool,
    /// Edges that the trigger is for, and those of them that the device has merged.
    edges: u64,
    merged: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Toggle,
    Read,
    MakeUp,
    EndHandler,
    Mask,
    Unmask,
    Rearm,
    ReturnOwed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Toggle),
        Just(Step::Toggle),
        Just(Step::Read),
        Just(Step::MakeUp),
        Just(Step::EndHandler),
        Just(Step::Mask),
        Just(Step::Unmask),
        Just(Step::Rearm),
        Just(Step::ReturnOwed),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    proptest::sample::select(Trigger::ALL.to_vec())
}

impl World {
    fn new(trigger: Trigger, high: bool) -> Self {
        let mut world = Self {
            irqs: irqs(),
            trigger,
            high,
            enabled: false,
            has_buffer: false,
            owes_buffer: false,
            latched: false,
            returned: VecDeque::new(),
            in_handler: false,
            edges: 0,
            merged: 0,
        };
        assert_eq!(world.irqs.set_trigger(LINE, trigger), Ok(false));
        world.arm();
        world
    }

    fn is_active(&self) -> bool {
        self.trigger.active_level() == Some(self.high)
    }

    fn arm(&mut self) {
        self.irqs.enable(LINE);
        self.irqs.is_being_told(LINE);
        self.enabled = true;
        if self.irqs.was_told(LINE, self.trigger, 0) {
            self.make_up();
        }
    }

    /// What the device does when there is something to report, or a buffer to do so with.
    fn report(&mut self) {
        if self.enabled
            && self.has_buffer
            && !self.owes_buffer
            && (self.latched || self.is_active())
        {
            self.latched = false;
            self.has_buffer = false;
            self.returned.push_back(Valid);
        }
    }

    fn fire(&mut self) {
        assert!(!self.in_handler, "fired while it was being handled");
        assert_eq!(self.irqs.finish(LINE), Finished::Done);
        self.in_handler = true;
    }

    fn make_up(&mut self) {
        while let Some(line) = self.irqs.next_latched() {
            assert_eq!(line, LINE);
            self.fire();
        }
        while let Some(line) = self.irqs.next_buffer() {
            assert_eq!(line, LINE);
            assert!(self.enabled, "a buffer of a line that is not enabled");
            assert!(!self.has_buffer, "two buffers of a line");
            self.has_buffer = true;
            self.report();
        }
    }

    fn read(&mut self) {
        let Some(status) = self.returned.pop_front() else {
            return;
        };
        match self.irqs.returned(LINE, Some(status)) {
            Returned::Fire => {
                if self.irqs.begin(LINE) {
                    self.fire();
                }
            }
            // The device has done nothing wrong.
            other => assert_eq!(other, Returned::Nothing),
        }
        self.make_up();
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Toggle => {
                self.high = !self.high;
                if self.enabled && self.trigger.fires_on_edge_to(self.high) {
                    self.edges += 1;
                    self.merged += u64::from(self.latched);
                    self.latched = true;
                }
                self.report();
            }
            Step::Read => self.read(),
            Step::MakeUp => self.make_up(),
            Step::EndHandler => {
                if std::mem::take(&mut self.in_handler) && self.irqs.unmask(LINE) {
                    self.make_up();
                }
            }
            Step::Mask => self.irqs.mask(LINE),
            Step::Unmask => {
                if !self.in_handler && self.irqs.unmask(LINE) {
                    self.make_up();
                }
            }
            Step::Rearm => {
                // The core waits for handlers.
                if self.in_handler {
                    return;
                }
                self.irqs.disable(LINE);
                self.irqs.is_being_told(LINE);
                self.enabled = false;
                self.latched = false;
                self.owes_buffer = self.has_buffer;
                self.irqs.was_told(LINE, Trigger::None, 0);
                // What was reported before is read before anything else is told.
                while !self.returned.is_empty() {
                    self.read();
                }
                self.arm();
            }
            Step::ReturnOwed => {
                if std::mem::take(&mut self.owes_buffer) {
                    self.has_buffer = false;
                    self.returned.push_back(Invalid);
                }
            }
        }
    }

    /// Lets everything that is under way arrive, and tells whether that comes to an end.
    fn settles(&mut self) -> bool {
        for _ in 0..100 {
            let before = self.irqs.counts().fired;
            self.run(Step::ReturnOwed);
            while !self.returned.is_empty() {
                self.read();
            }
            self.make_up();
            let was_in_handler = self.in_handler;
            self.run(Step::EndHandler);
            self.run(Step::Unmask);
            if !was_in_handler && self.returned.is_empty() && self.irqs.counts().fired == before {
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
        high: bool,
    ) {
        prop_assume!(trigger.active_level().is_none());
        let mut world = World::new(trigger, high);
        for step in steps {
            // That forgets edges.
            if !matches!(step, Step::Rearm) {
                world.run(step);
            }
        }
        prop_assert!(world.settles());
        let counts = world.irqs.counts();
        prop_assert_eq!(world.edges, counts.fired + counts.merged + world.merged);
    }

    #[test]
    fn a_line_never_goes_dead(
        steps in proptest::collection::vec(step(), 0..200),
        trigger in trigger(),
        high: bool,
    ) {
        let mut world = World::new(trigger, high);
        for step in steps {
            world.run(step);
        }
        if world.is_active() {
            prop_assert!(!world.settles());
            world.run(Step::Toggle);
        }
        prop_assert!(world.settles());
        prop_assert!(world.has_buffer);

        let before = world.irqs.counts().fired;
        world.run(Step::Toggle);
        if !world.settles() {
            world.run(Step::Toggle);
            prop_assert!(world.settles());
        }
        world.run(Step::Toggle);
        world.settles();
        prop_assert!(world.irqs.counts().fired > before);
    }
}
