// SPDX-License-Identifier: GPL-2.0

//! Interrupts of the standard's protocol, and the rules for them.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use std::{
    thread::sleep,
    time::{
        Duration,
        Instant, //
    },
};

use rig::{
    control::Control,
    message,
    queue::FILL,
    Front,
    Rig, //
};
use vhost_gpio::{
    config::Configuration,
    protocol::{
        standard::Standard,
        When, //
    },
};

const SET_DIRECTION: u16 = 3;
const GET_VALUE: u16 = 4;
const SET_VALUE: u16 = 5;
const SET_IRQ_TYPE: u16 = 6;

const OUT: u32 = 1;
const IN: u32 = 2;

const NONE: u32 = 0;
const RISING: u32 = 1;
const FALLING: u32 = 2;
const BOTH: u32 = 3;
const HIGH: u32 = 4;
const LOW: u32 = 8;

const OK: (u8, u8) = (0, 0);
const ERR: (u8, u8) = (1, 0);

const INVALID: u8 = 0;
const VALID: u8 = 1;

fn enable(front: &mut Front, line: u16, irq_type: u32) {
    assert_eq!(front.request(SET_IRQ_TYPE, line, irq_type), OK);
}

/// The next buffer comes back, and it is this one.
fn comes_back(front: &mut Front, head: u16, status: u8) {
    let used = front.events().wait();
    assert_eq!(
        (used.head, used.written, used.bytes),
        (head, 1, vec![status])
    );
}

/// No buffer comes back that is not there before what the device answers next.
fn nothing_comes(front: &mut Front) {
    front.request(GET_VALUE, 0, 0);
    assert_eq!(front.events().poll(), None);
}

fn set(control: &mut Control, line: u16, levels: &[u8]) {
    for level in levels {
        assert_eq!(control.ask(&format!("set {line} {level}")), "ok");
    }
}

fn balance(control: &mut Control) {
    let sum = control.stat("events") + control.stat("merged") + control.stat("owed");
    assert_eq!(control.stat("changes"), sum);
}

/// Only this rule was broken, and so often.
fn broken(control: &mut Control, violation: &str, count: u64) {
    let stats = control.ask("stats");
    assert_eq!(
        control.stat(&format!("violation-{violation}")),
        count,
        "{stats}"
    );
    assert_eq!(control.stat("violations"), count, "{stats}");
}

fn sound(control: &mut Control) {
    let stats = control.ask("stats");
    assert_eq!(control.stat("violations"), 0, "{stats}");
    balance(control);
}

#[test]
fn each_type_has_its_events() {
    let rig = Rig::standard(8);
    let mut front = rig.start();
    let mut control = rig.control();
    for (line, irq_type, name, expected) in [
        (1, RISING, "rising", [true, false, true, false]),
        (2, FALLING, "falling", [false, true, false, true]),
        (3, BOTH, "both", [true; 4]),
        (4, HIGH, "high", [true, false, true, false]),
    ] {
        enable(&mut front, line, irq_type);
        assert_eq!(control.ask(&format!("irq {line}")), format!("ok {name}"));
        let mut head = front.unmask(line);
        nothing_comes(&mut front);
        for (level, expected) in [1, 0, 1, 0].into_iter().zip(expected) {
            set(&mut control, line, &[level]);
            if expected {
                comes_back(&mut front, head, VALID);
                // What is high is low again before it is unmasked.
                if irq_type != HIGH {
                    head = front.unmask(line);
                }
            } else if irq_type == HIGH {
                head = front.unmask(line);
            }
            nothing_comes(&mut front);
        }
    }
    assert_eq!(control.stat("changes"), 10);
    assert_eq!(control.stat("events"), 10);
    sound(&mut control);
}

#[test]
fn an_edge_is_latched_while_masked() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, RISING);
    // Three of them are one.
    set(&mut control, 1, &[1, 0, 1, 0, 1, 0]);
    nothing_comes(&mut front);
    assert_eq!(control.stat("owed"), 1);
    assert_eq!(control.stat("held"), 1);
    assert_eq!(control.stat("merged"), 2);
    balance(&mut control);
    let head = front.unmask(1);
    comes_back(&mut front, head, VALID);
    front.unmask(1);
    nothing_comes(&mut front);
    assert_eq!(control.stat("changes"), 3);
    sound(&mut control);
}

#[test]
fn edges_of_one_line_do_not_wait_for_another() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..4 {
        enable(&mut front, line, BOTH);
        set(&mut control, line, &[1]);
    }
    for line in [2, 0, 3, 1] {
        let head = front.unmask(line);
        comes_back(&mut front, head, VALID);
    }
    sound(&mut control);
}

#[test]
fn a_level_is_not_latched_but_looked_at() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for (line, irq_type, active) in [(1, HIGH, 1), (2, LOW, 0)] {
        set(&mut control, line, &[1 - active]);
        enable(&mut front, line, irq_type);
        // It has come and gone.
        set(&mut control, line, &[active, 1 - active]);
        let head = front.unmask(line);
        nothing_comes(&mut front);
        set(&mut control, line, &[active]);
        comes_back(&mut front, head, VALID);
        // It is still there, as often as it is asked.
        for _ in 0..3 {
            let head = front.unmask(line);
            comes_back(&mut front, head, VALID);
        }
        // It ends and begins anew while masked.
        set(&mut control, line, &[1 - active, active]);
        let head = front.unmask(line);
        comes_back(&mut front, head, VALID);
        set(&mut control, line, &[1 - active]);
        front.unmask(line);
        nothing_comes(&mut front);
    }
    assert_eq!(control.stat("events"), 10);
    assert_eq!(control.stat("merged"), 0);
    sound(&mut control);
}

#[test]
fn disabling_discards_what_is_latched() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    set(&mut control, 1, &[1]);
    assert_eq!(control.stat("owed"), 1);
    enable(&mut front, 1, NONE);
    assert_eq!(control.stat("owed"), 0);
    assert_eq!(control.stat("forgotten"), 1);
    assert_eq!(control.ask("irq 1"), "ok none");
    set(&mut control, 1, &[0]);
    enable(&mut front, 1, BOTH);
    front.unmask(1);
    nothing_comes(&mut front);
    sound(&mut control);
}

#[test]
fn nothing_is_told_of_what_is_not_enabled() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    front.unmask(1);
    set(&mut control, 2, &[1, 0, 1]);
    nothing_comes(&mut front);
    assert_eq!(control.stat("changes"), 0);
    sound(&mut control);
}

#[test]
fn the_buffer_of_what_is_disabled_comes_back() {
    for when in [When::Before, When::After] {
        let rig = Rig::standard_with(4, when);
        let mut front = rig.start();
        let mut control = rig.control();
        for _ in 0..50 {
            enable(&mut front, 1, RISING);
            let head = front.unmask(1);
            enable(&mut front, 1, NONE);
            comes_back(&mut front, head, INVALID);
        }
        // There is none now.
        enable(&mut front, 1, RISING);
        enable(&mut front, 1, NONE);
        nothing_comes(&mut front);
        assert_eq!(control.stat("events"), 0);
        assert_eq!(control.stat("none-again"), 0);
        sound(&mut control);
    }
}

#[test]
fn the_buffer_comes_back_before_the_reply_or_after_it() {
    for (when, before) in [(When::Before, true), (When::After, false)] {
        let rig = Rig::standard_with(4, when);
        let mut front = rig.start();
        let mut control = rig.control();
        enable(&mut front, 1, RISING);
        let head = front.unmask(1);
        // With the reply held up, it can be seen.
        control.ask("fault late 60");
        let queue = front.commands();
        queue.add(&message(SET_IRQ_TYPE, 1, NONE), 2);
        queue.kick();
        sleep(Duration::from_millis(20));
        if before {
            comes_back(&mut front, head, INVALID);
            assert!(front.commands().poll().is_none());
        } else {
            assert!(front.events().poll().is_none());
            comes_back(&mut front, head, INVALID);
            assert!(front.commands().poll().is_some());
        }
        sound(&mut control);
    }
}

#[test]
fn the_buffer_can_come_back_late() {
    let late = Duration::from_millis(80);
    let rig = Rig::standard_with(4, When::Late(late));
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let head = front.unmask(1);
    let start = Instant::now();
    enable(&mut front, 1, NONE);
    // It has no part in what comes after it.
    enable(&mut front, 1, BOTH);
    set(&mut control, 1, &[1]);
    nothing_comes(&mut front);
    assert!(start.elapsed() < late);
    comes_back(&mut front, head, INVALID);
    assert!(start.elapsed() >= late);
    let head = front.unmask(1);
    comes_back(&mut front, head, VALID);
    sound(&mut control);
}

#[test]
fn a_second_buffer_is_too_many_while_the_first_is_on_its_way_back() {
    let rig = Rig::standard_with(4, When::Late(Duration::from_millis(80)));
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let first = front.unmask(1);
    enable(&mut front, 1, NONE);
    enable(&mut front, 1, BOTH);
    let second = front.unmask(1);
    comes_back(&mut front, second, INVALID);
    comes_back(&mut front, first, INVALID);
    broken(&mut control, "buffer-twice", 1);
}

#[test]
fn a_line_has_one_buffer() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let first = front.unmask(1);
    let second = front.unmask(1);
    comes_back(&mut front, second, INVALID);
    broken(&mut control, "buffer-twice", 1);
    set(&mut control, 1, &[1]);
    comes_back(&mut front, first, VALID);
}

#[test]
fn a_buffer_needs_an_interrupt_that_is_enabled() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let head = front.unmask(1);
    comes_back(&mut front, head, INVALID);
    broken(&mut control, "buffer-disabled", 1);

    enable(&mut front, 1, BOTH);
    enable(&mut front, 1, NONE);
    let head = front.unmask(1);
    comes_back(&mut front, head, INVALID);
    broken(&mut control, "buffer-disabled", 2);
}

#[test]
fn a_buffer_comes_after_the_reply_that_enables() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for fault in ["late 40", "none"] {
        control.ask(&format!("fault {fault}"));
        // Both at once: the device looks at buffers first.
        let queue = front.events();
        queue.add(&1u16.to_le_bytes(), 1);
        let queue = front.commands();
        queue.add(&message(SET_IRQ_TYPE, 1, BOTH), 2);
        queue.kick();
        assert_eq!(queue.wait().bytes, [0, 0]);
        let used = front.events().wait();
        assert_eq!(used.bytes, [INVALID], "{fault}");
        broken(&mut control, "buffer-disabled", 1);
        enable(&mut front, 1, NONE);
        control.ask("reset-stats");
    }

    // It is enabled, but the driver does not know.
    control.ask("fault late 40");
    let queue = front.commands();
    queue.add(&message(SET_IRQ_TYPE, 1, BOTH), 2);
    queue.kick();
    while control.ask("irq 1") != "ok both" {}
    let head = front.unmask(1);
    assert_eq!(front.commands().wait().bytes, [0, 0]);
    broken(&mut control, "buffer-disabled", 1);
    set(&mut control, 1, &[1]);
    comes_back(&mut front, head, VALID);
}

#[test]
fn a_buffer_may_cross_with_the_command_that_disables() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    control.ask("fault late 40");
    let queue = front.commands();
    queue.add(&message(SET_IRQ_TYPE, 1, NONE), 2);
    queue.kick();
    while control.ask("irq 1") != "ok none" {}
    let head = front.unmask(1);
    comes_back(&mut front, head, INVALID);
    assert_eq!(front.commands().wait().bytes, [0, 0]);
    sound(&mut control);
}

#[test]
fn who_is_not_told_is_not_blamed() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for fault in ["short", "never", "bad-status"] {
        control.ask(&format!("fault {fault}"));
        let queue = front.commands();
        queue.add(&message(SET_IRQ_TYPE, 1, BOTH), 2);
        queue.kick();
        while control.ask("irq 1") != "ok both" {}
        if fault != "never" {
            front.commands().wait();
        }
        // Enabled or not? It tries another one, to be sure.
        enable(&mut front, 1, RISING);
        enable(&mut front, 1, NONE);
        control.ask("fault release");
        if fault == "never" {
            front.commands().wait();
        }
    }
    // It cannot be disabled, so it is left as it is.
    enable(&mut front, 2, BOTH);
    control.ask("fault refuse-type 0 5");
    assert_eq!(front.request(SET_IRQ_TYPE, 2, NONE), ERR);
    assert_eq!(front.request(SET_DIRECTION, 2, 0), OK);
    assert_eq!(control.ask("irq 2"), "ok none");
    sound(&mut control);
}

#[test]
fn event_buffers_have_their_shape() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let line = 1u16.to_le_bytes();
    for (readable, writable, violation) in [
        (&[][..], 1, "event-readable"),
        (&[1], 1, "event-readable"),
        (&[1, 0, 0], 1, "event-readable"),
        (&message(GET_VALUE, 1, 0), 2, "event-readable"),
        (&line, 0, "event-writable"),
        (&line, 2, "event-writable"),
    ] {
        let queue = front.events();
        queue.add(readable, writable);
        queue.kick();
        let used = queue.wait();
        assert_eq!(used.written, 0);
        assert!(used.bytes.iter().all(|&byte| byte == FILL));
        broken(&mut control, violation, 1);
        control.ask("reset-stats");
    }
    for line in [4, u16::MAX] {
        let head = front.unmask(line);
        comes_back(&mut front, head, INVALID);
    }
    broken(&mut control, "line-range", 2);
}

#[test]
fn without_the_feature_there_are_no_interrupts() {
    let config = Configuration {
        lines: 4,
        ..Configuration::default()
    };
    let without = Rig::with_protocol(Standard::new(false, When::Before), config);
    for rig in [without, Rig::standard(4)] {
        let mut control = rig.control();
        let mut front = rig.connect();
        front.accept = 0;
        front.start(true);
        assert_eq!(front.request(SET_IRQ_TYPE, 1, RISING), ERR);
        broken(&mut control, "type-feature", 1);
        control.ask("reset-stats");
        let head = front.unmask(1);
        comes_back(&mut front, head, INVALID);
        broken(&mut control, "event-feature", 1);
        assert_eq!(control.ask("irq 1"), "ok none");
    }
}

#[test]
fn outputs_do_not_interrupt() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(SET_IRQ_TYPE, 1, RISING), ERR);
    broken(&mut control, "output-irq", 1);
    control.ask("reset-stats");
    // There is nothing wrong with that.
    enable(&mut front, 1, NONE);
    assert_eq!(control.stat("none-again"), 1);
    sound(&mut control);

    front.request(SET_DIRECTION, 1, IN);
    enable(&mut front, 1, BOTH);
    assert_eq!(front.request(SET_DIRECTION, 1, OUT), OK);
    broken(&mut control, "armed-output", 1);
    front.unmask(1);
    front.request(SET_VALUE, 1, 1);
    set(&mut control, 1, &[1, 0]);
    nothing_comes(&mut front);
}

#[test]
fn a_type_is_changed_by_way_of_none() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    set(&mut control, 1, &[1]);
    // The same again is no change.
    enable(&mut front, 1, BOTH);
    assert_eq!(control.stat("owed"), 1);
    sound(&mut control);
    enable(&mut front, 1, RISING);
    broken(&mut control, "irq-change", 1);
    assert_eq!(control.stat("owed"), 0);
    balance(&mut control);
    // It is carried out.
    let head = front.unmask(1);
    set(&mut control, 1, &[0, 1]);
    comes_back(&mut front, head, VALID);
}

#[test]
fn a_line_is_not_given_back_while_it_is_armed() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let head = front.unmask(1);
    assert_eq!(front.request(SET_DIRECTION, 1, 0), OK);
    broken(&mut control, "irq-left", 1);
    comes_back(&mut front, head, INVALID);
    assert_eq!(control.ask("irq 1"), "ok none");
    control.ask("reset-stats");

    enable(&mut front, 1, BOTH);
    enable(&mut front, 1, NONE);
    assert_eq!(front.request(SET_DIRECTION, 1, 0), OK);
    sound(&mut control);
}

#[test]
fn a_reset_disarms_too() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..2 {
        enable(&mut front, line, BOTH);
        set(&mut control, line, &[1]);
    }
    front.unmask(0);
    front.stop();
    assert_eq!(control.stat("left-armed"), 2);
    assert_eq!(control.stat("owed"), 0);
    front.start(true);
    assert_eq!(control.ask("irq 1"), "ok none");
    set(&mut control, 1, &[0]);
    enable(&mut front, 1, BOTH);
    front.unmask(1);
    nothing_comes(&mut front);
    sound(&mut control);
}

#[test]
fn types_can_be_refused() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("fault refuse-type 4 95"), "ok");
    assert_eq!(front.request(SET_IRQ_TYPE, 1, HIGH), ERR);
    assert_eq!(control.ask("irq 1"), "ok none");
    enable(&mut front, 1, BOTH);
    sound(&mut control);
}

#[test]
fn a_malformed_event_comes_before_the_real_one() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    enable(&mut front, 2, HIGH);
    assert_eq!(control.ask("fault bad-event always"), "ok");
    let mut level = 0;
    for (written, status) in [(0, FILL), (2, VALID), (1, 0x7f), (1, INVALID), (0, FILL)] {
        level = 1 - level;
        set(&mut control, 1, &[level]);
        front.unmask(1);
        let used = front.events().wait();
        assert_eq!((used.written, used.bytes), (written, vec![status]));
        nothing_comes(&mut front);
        assert_eq!(control.stat("owed"), 1);
        let head = front.unmask(1);
        comes_back(&mut front, head, VALID);
        assert_eq!(control.stat("owed"), 0);
    }
    assert_eq!(control.stat("bad-events"), 5);
    sound(&mut control);

    // A level that ended meanwhile has no real one.
    front.unmask(2);
    set(&mut control, 2, &[1]);
    let used = front.events().wait();
    assert_eq!((used.written, used.bytes), (2, vec![VALID]));
    set(&mut control, 2, &[0]);
    let head = front.unmask(2);
    nothing_comes(&mut front);
    set(&mut control, 2, &[1]);
    comes_back(&mut front, head, VALID);
    sound(&mut control);
}

#[test]
fn a_storm_takes_all_buffers_that_there_are() {
    for (weather, expected) in [
        ("valid", &[(1, VALID); 4][..]),
        ("invalid", &[(0, FILL), (2, VALID), (1, 0x7f), (1, INVALID)]),
        ("mixed", &[(1, VALID), (0, FILL), (1, VALID), (2, VALID)]),
    ] {
        let rig = Rig::standard(8);
        let mut front = rig.start();
        let mut control = rig.control();
        enable(&mut front, 3, BOTH);
        assert_eq!(control.ask(&format!("fault storm {weather}")), "ok");
        for &(written, status) in expected {
            front.unmask(3);
            let used = front.events().wait();
            assert_eq!(
                (used.written, used.bytes),
                (written, vec![status]),
                "{weather}"
            );
        }
        assert_eq!(control.stat("storm-events"), 4);
        control.ask("fault none");
        set(&mut control, 3, &[1]);
        let head = front.unmask(3);
        comes_back(&mut front, head, VALID);
        sound(&mut control);
    }
}

#[test]
fn a_storm_reaches_all_lines() {
    let rig = Rig::standard(8);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut heads = Vec::new();
    for line in [1, 4, 6] {
        enable(&mut front, line, BOTH);
        heads.push(front.unmask(line));
    }
    nothing_comes(&mut front);
    control.ask("fault storm valid");
    let mut back: Vec<_> = (0..3).map(|_| front.events().wait().head).collect();
    back.sort_unstable();
    heads.sort_unstable();
    assert_eq!(back, heads);
}

#[test]
fn a_burst_is_merged_but_its_last_edge_is_told() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    enable(&mut front, 1, BOTH);
    let mut events = 0;
    control.ask("burst 1 20001");
    front.unmask(1);
    let mut is_over = false;
    loop {
        if front.events().poll().is_some() {
            events += 1;
            front.unmask(1);
            is_over = false;
        } else if is_over {
            break;
        } else {
            is_over = control.stat("bursts") == 0;
            // The device has seen all buffers when this is answered.
            front.request(GET_VALUE, 0, 0);
        }
    }
    assert_eq!(control.stat("changes"), 20001);
    assert_eq!(control.stat("events"), events);
    assert_eq!(front.request(GET_VALUE, 1, 0), (0, 1));
    sound(&mut control);
}

#[test]
fn who_does_not_know_a_line_is_not_blamed() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    // Was it made an output?
    control.ask("fault bad-status");
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(SET_IRQ_TYPE, 1, RISING), ERR);
    // Is it still armed?
    enable(&mut front, 2, RISING);
    control.ask("fault errno 5");
    assert_eq!(front.request(SET_IRQ_TYPE, 2, NONE), ERR);
    assert_eq!(front.request(SET_DIRECTION, 2, OUT), OK);
    assert_eq!(control.stat("violations"), 0);
    // Then it is told.
    assert_eq!(front.request(SET_DIRECTION, 1, OUT), OK);
    assert_eq!(front.request(SET_IRQ_TYPE, 1, RISING), ERR);
    broken(&mut control, "output-irq", 1);
}
