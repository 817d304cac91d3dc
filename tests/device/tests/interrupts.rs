// SPDX-License-Identifier: GPL-2.0

//! Interrupts: events of what the driver has armed, and of nothing else.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use std::collections::VecDeque;

use proptest::prelude::*;
use rig::{
    control::Control,
    fields,
    queue::Queue,
    Front,
    Rig, //
};

const DIRECTION_INPUT: u16 = 2;
const DIRECTION_OUTPUT: u16 = 3;
const SET_IRQ_TYPE: u16 = 7;
const LEVEL: u16 = 0x11;

const NONE: u32 = 0;
const RISING: u32 = 1;
const FALLING: u32 = 2;
const BOTH: u32 = 3;
const HIGH: u32 = 4;
const LOW: u32 = 8;

/// The event that was sent before what the device has last answered.
fn event(queue: &mut Queue) -> Option<(u16, i32)> {
    let used = queue.poll()?;
    assert_eq!(used.written, 8);
    let (kind, line, value) = fields(&used.bytes);
    assert_eq!(kind, LEVEL);
    Some((line, value))
}

fn arm(front: &mut Front, line: u16, irq_type: u32) {
    let reply = front.command(SET_IRQ_TYPE, line, irq_type);
    assert_eq!(reply, (0xf007, line, 0));
}

fn refused(front: &mut Front, line: u16, irq_type: u32) -> i32 {
    let reply = front.command(SET_IRQ_TYPE, line, irq_type);
    assert_eq!((reply.0, reply.1), (0xf007, line));
    reply.2
}

fn balance(control: &mut Control) {
    let sum = control.stat("events") + control.stat("merged") + control.stat("owed");
    assert_eq!(control.stat("changes"), sum);
}

#[test]
fn only_what_is_armed_is_reported() {
    let rig = Rig::with_interrupts(8);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(16);

    for (line, irq_type, name, expected) in [
        (1, RISING, "rising", &[1, 1] as &[i32]),
        (2, FALLING, "falling", &[0, 0]),
        (3, BOTH, "both", &[1, 0, 1, 0]),
        (4, HIGH, "high", &[1, 1]),
        (5, LOW, "low", &[0, 0, 0]),
        (6, NONE, "none", &[]),
    ] {
        arm(&mut front, line, irq_type);
        assert_eq!(control.ask(&format!("irq {line}")), format!("ok {name}"));
        for level in [1, 0, 1, 0] {
            assert_eq!(control.ask(&format!("set {line} {level}")), "ok");
        }
        let queue = front.events();
        for &level in expected {
            assert_eq!(event(queue), Some((line, level)), "{name}");
        }
        assert_eq!(event(queue), None, "{name}");
        queue.provide(expected.len());
    }
    assert_eq!(control.stat("changes"), 13);
    assert_eq!(control.stat("events"), 13);
    assert_eq!(control.stat("merged"), 0);
    assert_eq!(control.stat("violations"), 0);
    assert!(control.ask("irq 8").starts_with("error there is no line 8"));
}

#[test]
fn types_that_do_not_exist_are_refused() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    arm(&mut front, 2, RISING);
    for irq_type in [5, 6, 7, 9, 10, 11, 12, 13, 14, 15] {
        assert_eq!(refused(&mut front, 2, irq_type), -22);
    }
    assert_eq!(control.stat("violations"), 0);
    for irq_type in [16, 17, u32::MAX] {
        assert_eq!(refused(&mut front, 2, irq_type), -22);
    }
    assert_eq!(control.stat("violation-value-range"), 3);
    assert_eq!(refused(&mut front, 4, RISING), -22);
    assert_eq!(control.stat("violation-line-range"), 1);
    assert_eq!(control.ask("irq 2"), "ok rising");
}

#[test]
fn without_the_feature_nothing_can_be_armed() {
    for rig in [Rig::new(4), Rig::with_interrupts(4)] {
        let mut control = rig.control();
        let mut front = rig.connect();
        front.accept = 0;
        front.start(true);
        front.events().provide(1);
        assert_eq!(refused(&mut front, 2, RISING), -95);
        assert_eq!(control.stat("violation-type-feature"), 1);
        assert_eq!(control.ask("irq 2"), "ok all");
        control.ask("set 2 1");
        assert_eq!(event(front.events()), Some((2, 1)));
    }
}

#[test]
fn outputs_are_not_armed() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.command(DIRECTION_OUTPUT, 1, 1);
    for irq_type in [RISING, FALLING, BOTH, HIGH, LOW] {
        assert_eq!(refused(&mut front, 1, irq_type), -22);
    }
    arm(&mut front, 1, NONE);
    front.command(DIRECTION_INPUT, 1, 0);
    arm(&mut front, 1, BOTH);
    assert_eq!(control.stat("violations"), 0);

    // It should have been disarmed before.
    let reply = front.command(DIRECTION_OUTPUT, 1, 1);
    assert_eq!(reply, (0xf003, 1, 0));
    assert_eq!(control.stat("violation-armed-output"), 1);
    assert_eq!(control.ask("get 1"), "ok out 1");
}

#[test]
fn an_active_level_is_reported_before_the_reply() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..300 {
        let (line, irq_type) = (line % 2, [LOW, HIGH][usize::from(line % 2)]);
        control.ask("set 1 1");
        front.events().provide(1);
        // The reply is there: so is the event.
        arm(&mut front, line, irq_type);
        assert_eq!(event(front.events()), Some((line, i32::from(line))));
    }
    assert_eq!(control.stat("changes"), 300);
    assert_eq!(control.stat("events"), 300);
}

#[test]
fn an_event_that_waits_has_the_latest_level() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    arm(&mut front, 1, RISING);
    for level in [1, 0, 1, 0] {
        control.ask(&format!("set 1 {level}"));
    }
    assert_eq!(control.stat("changes"), 2);
    assert_eq!(control.stat("merged"), 1);
    assert_eq!(control.stat("held"), 1);
    front.events().provide(2);
    let used = front.events().wait();
    assert_eq!(fields(&used.bytes), (LEVEL, 1, 0));
    control.ask("sync x");
    assert_eq!(event(front.events()), None);
}

#[test]
fn what_is_disarmed_is_silent() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for (line, again) in [(0, NONE), (1, BOTH), (2, LOW), (3, HIGH)] {
        arm(&mut front, line, BOTH);
        control.ask(&format!("set {line} 1"));
        arm(&mut front, line, again);
    }
    // The last one begins anew with a level that is active.
    assert_eq!(control.stat("owed"), 1);
    assert_eq!(control.stat("changes"), 1);
    assert_eq!(control.stat("forgotten"), 4);
    front.events().provide(4);
    let used = front.events().wait();
    assert_eq!(fields(&used.bytes), (LEVEL, 3, 1));

    arm(&mut front, 1, NONE);
    control.ask("set 1 0");
    control.ask("set 0 0");
    assert_eq!(event(front.events()), None);
    balance(&mut control);
}

#[test]
fn a_reset_disarms_everything() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    arm(&mut front, 1, BOTH);
    arm(&mut front, 2, HIGH);
    control.ask("set 1 1");
    assert_eq!(control.stat("owed"), 1);
    front.stop();
    assert_eq!(control.ask("irq 1"), "ok none");
    assert_eq!(control.stat("owed"), 0);
    balance(&mut control);

    front.start(true);
    assert_eq!(control.ask("irq 2"), "ok none");
    front.events().provide(2);
    control.ask("set 1 0");
    control.ask("set 2 1");
    assert_eq!(event(front.events()), None);

    // Nor does it help to start it again without a reset.
    arm(&mut front, 2, BOTH);
    front.start(true);
    assert_eq!(control.ask("irq 2"), "ok none");
}

#[test]
fn a_reset_of_the_counters_keeps_their_balance() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    arm(&mut front, 1, BOTH);
    control.ask("set 1 1");
    control.ask("reset-stats");
    control.ask("set 1 0");
    balance(&mut control);
    front.events().provide(1);
    control.wait_for("events", 1);
    assert_eq!(control.stat("changes"), 2);
    balance(&mut control);
}

#[test]
fn types_are_refused_as_asked() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault refuse-type 4 95");
    control.ask("fault refuse-type 8 5");
    control.ask("fault refuse-type 0 16");
    assert_eq!(refused(&mut front, 1, HIGH), -95);
    assert_eq!(refused(&mut front, 1, LOW), -5);
    arm(&mut front, 1, BOTH);
    // It stays armed.
    assert_eq!(refused(&mut front, 1, NONE), -16);
    assert_eq!(control.ask("irq 1"), "ok both");
    control.ask("fault none");
    arm(&mut front, 1, HIGH);
}

#[derive(Clone, Debug)]
enum Step {
    Set(u16, i32),
    Arm(u16, u32),
    Provide,
}

fn step() -> impl Strategy<Value = Step> {
    let line = 0u16..3;
    let types = prop::sample::select(&[NONE, RISING, FALLING, BOTH, HIGH, LOW][..]);
    prop_oneof![
        4 => (line.clone(), 0..2).prop_map(|(line, level)| Step::Set(line, level)),
        2 => (line, types).prop_map(|(line, irq_type)| Step::Arm(line, irq_type)),
        2 => Just(Step::Provide),
    ]
}

/// What the device has to do, as simple as it can be put.
#[derive(Default)]
struct Model {
    levels: [i32; 3],
    armed: [u32; 3],
    owed: VecDeque<u16>,
    buffers: usize,
}

impl Model {
    fn owe(&mut self, line: u16) {
        if !self.owed.contains(&line) {
            self.owed.push_back(line);
        }
    }

    fn set(&mut self, line: u16, level: i32) {
        let place = usize::from(line);
        if std::mem::replace(&mut self.levels[place], level) == level {
            return;
        }
        let wanted = match level {
            0 => [FALLING, BOTH, LOW],
            _ => [RISING, BOTH, HIGH],
        };
        if wanted.contains(&self.armed[place]) {
            self.owe(line);
        }
    }

    fn arm(&mut self, line: u16, irq_type: u32) {
        let place = usize::from(line);
        self.armed[place] = irq_type;
        self.owed.retain(|&other| other != line);
        if (irq_type, self.levels[place]) == (HIGH, 1) || (irq_type, self.levels[place]) == (LOW, 0)
        {
            self.owe(line);
        }
    }

    /// The event that comes next, if one does.
    fn send(&mut self) -> Option<(u16, i32)> {
        if self.buffers == 0 {
            return None;
        }
        let line = self.owed.pop_front()?;
        self.buffers -= 1;
        Some((line, self.levels[usize::from(line)]))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_device_does_what_a_simple_one_would(steps in prop::collection::vec(step(), 0..60)) {
        let rig = Rig::with_interrupts(3);
        let mut front = rig.start();
        let mut control = rig.control();
        let mut model = Model::default();

        for step in steps {
            match step {
                Step::Set(line, level) => {
                    control.ask(&format!("set {line} {level}"));
                    model.set(line, level);
                }
                Step::Arm(line, irq_type) => {
                    arm(&mut front, line, irq_type);
                    model.arm(line, irq_type);
                }
                Step::Provide if front.events().room() == 0 => {}
                Step::Provide => {
                    front.events().provide(1);
                    model.buffers += 1;
                    if let Some(expected) = model.send() {
                        let (_, line, level) = fields(&front.events().wait().bytes);
                        prop_assert_eq!((line, level), expected);
                    }
                }
            }
            loop {
                let expected = model.send();
                prop_assert_eq!(event(front.events()), expected);
                if expected.is_none() {
                    break;
                }
            }
        }
        prop_assert_eq!(control.stat("owed"), model.owed.len() as u64);
        prop_assert_eq!(control.stat("violations"), 0);
        balance(&mut control);
    }
}

#[test]
fn who_cannot_disarm_a_line_is_not_blamed() {
    let rig = Rig::with_interrupts(4);
    let mut front = rig.start();
    let mut control = rig.control();
    // It was refused, by two faults; and it was done, but who was told?
    for (line, fault) in [(0, "refuse-type 0 5"), (1, "errno 5"), (2, "bad-type")] {
        arm(&mut front, line, BOTH);
        assert_eq!(control.ask(&format!("fault {fault}")), "ok");
        front.command(SET_IRQ_TYPE, line, NONE);
        assert_eq!(control.ask("fault none"), "ok");
        front.command(DIRECTION_OUTPUT, line, 1);
        assert_eq!(control.stat("violations"), 0, "{fault}");
        front.command(DIRECTION_INPUT, line, 0);
    }
    // Who can is.
    arm(&mut front, 0, NONE);
    arm(&mut front, 0, BOTH);
    front.command(DIRECTION_OUTPUT, 0, 1);
    assert_eq!(control.stat("violation-armed-output"), 1);
}
