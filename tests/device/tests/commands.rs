// SPDX-License-Identifier: GPL-2.0

//! Commands, as a driver gives them through a real vhost-user front end.

mod rig;

use std::{
    thread::sleep,
    time::Duration, //
};

use rig::{
    fields,
    message,
    queue::{
        FILL,
        INDIRECT,
        NEXT,
        WRITE, //
    },
    Rig, //
};
use vhost_gpio::config::Configuration;

const REQUEST: u16 = 1;
const DIRECTION_INPUT: u16 = 2;
const DIRECTION_OUTPUT: u16 = 3;
const GET_DIRECTION: u16 = 4;
const GET_VALUE: u16 = 5;
const SET_VALUE: u16 = 6;
const SET_IRQ_TYPE: u16 = 7;
const LEVEL: u16 = 0x11;

#[test]
fn the_configuration_is_read_field_by_field_and_beyond_its_end() {
    let rig = Rig::with_config(Configuration {
        lines: 0x1234,
        label: "panel".to_string(),
        names: [(1, "LED".to_string())].into(),
        ..Configuration::default()
    });
    let mut front = rig.connect();
    assert_eq!(front.config(0, 1), [1]);
    assert_eq!(front.config(2, 2), [0x34, 0x12]);
    assert_eq!(front.config(4, 4), [5, 0, 0, 0]);
    assert_eq!(front.config(8, 24), [0; 24]);
    assert_eq!(front.config(0x20, 8), *b"panel\0\0\0");
    assert_eq!(front.config(0x40, 8), *b"\0LED\0\0\0\0");
    assert_eq!(front.config(0x45, 100), [0; 100]);
    assert_eq!(front.config(0xf00, 0x100), [0; 0x100]);
}

#[test]
fn lies_are_told_at_once() {
    let rig = Rig::new(8);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(
        control.ask("config lines=3 version=7 num-gpios=99 names-size=0xffffffff names-hex=4142 label-hex=ff"),
        "ok config-size=66"
    );
    assert_eq!(front.config(0, 8), [7, 0, 99, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(front.config(0x20, 2), [0xff, 0]);
    assert_eq!(front.config(0x40, 4), *b"AB\0\0");
    // The lines are as they were until a driver comes.
    assert_eq!(control.ask("lines"), "ok 8");
    front.stop();
    front.start(true);
    assert_eq!(control.ask("lines"), "ok 3");

    assert_eq!(control.ask("config raw-hex=010203"), "ok config-size=3");
    assert_eq!(front.config(0, 5), [1, 2, 3, 0, 0]);
    assert_eq!(control.ask("config lines=8"), "ok config-size=64");
    assert_eq!(front.config(0, 4), [1, 0, 8, 0]);
}

#[test]
fn no_number_is_too_large_or_too_small_for_a_lie() {
    let rig = Rig::new(8);
    let mut front = rig.start();
    let mut control = rig.control();
    for lines in [0u16, u16::MAX] {
        assert_eq!(
            control.ask(&format!("config lines={lines}")),
            "ok config-size=64"
        );
        assert_eq!(front.config(2, 2), lines.to_le_bytes());
        front.stop();
        front.start(true);
        assert_eq!(control.ask("lines"), format!("ok {lines}"));
    }
    assert_eq!(front.command(GET_VALUE, 65534, 0), (0xf005, 65534, 0));
}

#[test]
fn numbers_change_between_two_looks() {
    let rig = Rig::new(9);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("config lines=9 name0=A changing=1");
    for _ in 0..3 {
        assert_eq!(front.config(2, 6), [9, 0, 2, 0, 0, 0]);
        assert_eq!(front.config(2, 6), [4, 0, 14, 0, 0, 0]);
    }
    // All lines are there, whichever number was seen.
    front.stop();
    front.start(true);
    assert_eq!(front.command(GET_VALUE, 8, 0), (0xf005, 8, 0));
    control.ask("config lines=9");
    for _ in 0..3 {
        assert_eq!(front.config(2, 6), [9, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn faults_are_listed() {
    let rig = Rig::new(1);
    let mut control = rig.control();
    let list = control.ask("fault help");
    for fault in ["ok none,", "crash [COUNT]", "random SEED RATE [breaking]"] {
        assert!(list.contains(fault), "{list}");
    }
    let help = control.ask("help");
    assert!(help.contains("fault help") && help.contains("changing=0|1"));
    assert!(help.contains(list.strip_prefix("ok ").unwrap()));
}

#[test]
fn every_command_is_carried_out() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();

    assert_eq!(front.command(REQUEST, 2, 0), (0xf001, 2, 0));
    assert_eq!(front.command(GET_DIRECTION, 2, 0), (0xf004, 2, 1));
    assert_eq!(front.command(GET_VALUE, 2, 0), (0xf005, 2, 0));
    assert_eq!(control.ask("set 2 1"), "ok");
    assert_eq!(front.command(GET_VALUE, 2, 0), (0xf005, 2, 1));

    assert_eq!(front.command(DIRECTION_OUTPUT, 2, 1), (0xf003, 2, 0));
    assert_eq!(front.command(GET_DIRECTION, 2, 0), (0xf004, 2, 0));
    assert_eq!(control.ask("get 2"), "ok out 1");
    assert_eq!(front.command(SET_VALUE, 2, 0), (0xf006, 2, 0));
    assert_eq!(control.ask("get 2"), "ok out 0");
    assert_eq!(front.command(SET_VALUE, 2, 1), (0xf006, 2, 1));
    assert_eq!(front.command(GET_VALUE, 2, 0), (0xf005, 2, 1));

    assert_eq!(control.ask("set 2 0"), "ok");
    assert_eq!(control.ask("get 2"), "ok out 1");
    assert_eq!(front.command(DIRECTION_INPUT, 2, 0), (0xf002, 2, 0));
    assert_eq!(control.ask("get 2"), "ok in 0");
    // Kept for when it is an output.
    assert_eq!(front.command(SET_VALUE, 2, 1), (0xf006, 2, 1));
    assert_eq!(control.ask("get 2"), "ok in 0");

    control.wait_for("requests", 11);
    assert_eq!(control.stat("replies"), 11);
    assert_eq!(control.stat("notifications"), 11);
    assert_eq!(control.stat("violations"), 0);
    assert_eq!(control.stat("in-flight"), 0);
}

#[test]
fn every_broken_rule_is_refused_and_counted() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut violations = 0;
    let mut counted = |control: &mut rig::control::Control, name: &str| {
        violations += 1;
        control.wait_for("violations", violations);
        assert_eq!(control.stat(&format!("violation-{name}")), 1, "{name}");
        assert_eq!(
            control.ask("stats").matches("violation-").count() as u64,
            violations
        );
    };

    assert_eq!(front.command(GET_VALUE, 4, 0), (0xf005, 4, -22));
    counted(&mut control, "line-range");
    assert_eq!(front.command(SET_VALUE, 3, 2), (0xf006, 3, -22));
    counted(&mut control, "value-range");
    assert_eq!(front.command(0x22, 3, 0), (0xf022, 3, -95));
    counted(&mut control, "type-unknown");
    assert_eq!(front.command(0xf005, 3, 0), (0xf005, 3, -95));
    counted(&mut control, "reply-mark");
    assert_eq!(front.command(LEVEL, 3, 0), (0xf011, 3, -95));
    counted(&mut control, "type-event");
    assert_eq!(front.command(SET_IRQ_TYPE, 3, 3), (0xf007, 3, -95));
    counted(&mut control, "type-feature");
    assert_eq!(front.command(REQUEST, 3, 7), (0xf001, 3, 0));
    counted(&mut control, "value-unused");

    let queue = front.commands();
    for (readable, writable, name) in [
        (&[1u8, 2, 3, 4] as &[u8], 8, "readable-size"),
        (&[0; 8], 9, "writable-size"),
    ] {
        queue.add(readable, writable);
        queue.kick();
        let used = queue.wait();
        assert_eq!((used.written, used.bytes[0]), (0, FILL));
        counted(&mut control, name);
    }

    // Writable before readable.
    let head = queue.take(&message(GET_VALUE, 0, 0), 8);
    queue.describe(head, queue.buffer(head) + 0x200, 8, WRITE | NEXT, head + 1);
    queue.describe(head + 1, queue.buffer(head), 8, 0, 0);
    queue.publish(head);
    queue.kick();
    assert_eq!(queue.wait().written, 0);
    counted(&mut control, "chain-order");

    // A link to nowhere.
    let head = queue.take(&message(GET_VALUE, 0, 0), 8);
    queue.describe(head, queue.buffer(head), 8, NEXT, head + 1);
    queue.describe(head + 1, queue.buffer(head) + 0x200, 8, WRITE | NEXT, 999);
    queue.publish(head);
    queue.kick();
    assert_eq!(queue.wait().written, 0);
    counted(&mut control, "chain-broken");

    // Nothing at that address.
    let head = queue.take(&message(GET_VALUE, 0, 0), 8);
    queue.describe(head, queue.buffer(head), 8, NEXT, head + 1);
    queue.describe(head + 1, u64::MAX - 3, 8, WRITE, 0);
    queue.publish(head);
    queue.kick();
    assert_eq!(queue.wait().written, 0);
    counted(&mut control, "address");

    // No such descriptor.
    queue.publish(64);
    queue.kick();
    counted(&mut control, "head");

    // One that the device still has.
    assert_eq!(control.ask("fault never"), "ok");
    let head = queue.add(&message(GET_VALUE, 0, 0), 8);
    queue.publish(head);
    queue.kick();
    counted(&mut control, "head-in-flight");

    let flags = vhost::vhost_user::message::VhostUserConfigFlags::WRITABLE;
    vhost::vhost_user::VhostUserFrontend::set_config(&mut front.frontend, 0, flags, &[1]).unwrap();
    counted(&mut control, "config-write");

    // It goes on working.
    assert_eq!(front.command(GET_VALUE, 3, 0), (0xf005, 3, 0));
}

#[test]
fn an_index_that_runs_ahead_is_a_violation() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let queue = front.commands();
    queue.publish_index(1000);
    queue.kick();
    rig.control().wait_for_some("violation-avail-index");
    queue.publish_index(0);
    assert_eq!(front.command(GET_VALUE, 3, 0), (0xf005, 3, 0));
}

#[test]
fn chains_may_be_split_and_indirect() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    rig.control().ask("set 1 1");

    let queue = front.commands();
    let head = queue.take(&message(GET_VALUE, 1, 0), 8);
    let buffer = queue.buffer(head);
    queue.describe(head, buffer, 3, NEXT, head + 1);
    queue.describe(head + 1, buffer + 3, 5, NEXT, head + 2);
    queue.describe(head + 2, buffer + 0x200, 1, WRITE | NEXT, head + 3);
    queue.describe(head + 3, buffer + 0x201, 7, WRITE, 0);
    queue.publish(head);
    queue.kick();
    let used = queue.wait();
    assert_eq!((used.written, fields(&used.bytes)), (8, (0xf005, 1, 1)));

    let head = queue.take(&message(GET_VALUE, 1, 0), 8);
    let buffer = queue.buffer(head);
    let table = buffer + 0x100;
    queue.describe_at(table, 0, buffer, 8, NEXT, 1);
    queue.describe_at(table, 1, buffer + 0x200, 8, WRITE, 0);
    queue.describe(head, table, 32, INDIRECT, 0);
    queue.publish(head);
    queue.kick();
    let used = queue.wait();
    assert_eq!((used.written, fields(&used.bytes)), (8, (0xf005, 1, 1)));
    assert_eq!(rig.control().stat("violations"), 0);
}

#[test]
fn a_batch_is_one_interrupt() {
    let rig = Rig::new(16);
    let mut front = rig.start();
    let mut control = rig.control();
    let queue = front.commands();
    for line in 0..10 {
        queue.add(&message(GET_VALUE, line, 0), 8);
    }
    queue.kick();
    queue.wait_for_call();
    for line in 0..10 {
        assert_eq!(fields(&queue.wait().bytes), (0xf005, line, 0));
    }
    assert_eq!(control.stat("requests"), 10);
    assert_eq!(control.stat("notifications"), 1);
    assert_eq!(control.stat("interrupts"), 1);
}

#[test]
fn without_event_idx_it_works_as_well() {
    let rig = Rig::new(4);
    let mut front = rig.connect();
    front.start(false);
    for line in 0..4 {
        assert_eq!(front.command(GET_DIRECTION, line, 0), (0xf004, line, 1));
    }
    sleep(Duration::from_millis(20));
    assert_eq!(rig.control().stat("interrupts"), 4);
}

#[test]
fn a_driver_that_comes_back_finds_inputs_and_what_is_outside() {
    let rig = Rig::new(4);
    let mut control = rig.control();
    let mut front = rig.start();
    control.ask("set 1 1");
    control.ask("set 2 1");
    front.command(DIRECTION_OUTPUT, 1, 0);
    assert_eq!(control.ask("get 1"), "ok out 0");

    front.stop();
    front.start(true);
    assert_eq!(control.ask("get 1"), "ok in 1");
    assert_eq!(front.command(GET_VALUE, 2, 0), (0xf005, 2, 1));
    assert_eq!(control.stat("resets"), 1);

    for _ in 0..3 {
        drop(front);
        front = rig.start();
        assert_eq!(front.command(GET_VALUE, 1, 0), (0xf005, 1, 1));
    }
    assert_eq!(control.stat("resets"), 4);
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn outputs_are_watched() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("watch"), "ok");
    front.command(DIRECTION_OUTPUT, 2, 0);
    front.command(SET_VALUE, 2, 1);
    front.command(SET_VALUE, 2, 1);
    front.command(SET_VALUE, 2, 0);
    front.command(DIRECTION_INPUT, 2, 0);
    front.command(SET_VALUE, 2, 1);
    front.command(DIRECTION_OUTPUT, 2, 1);
    for level in [0, 1, 0, 1] {
        assert_eq!(control.line(), format!("change 2 {level}"));
    }
    assert_eq!(control.ask("unwatch"), "ok");
    front.command(SET_VALUE, 2, 0);
    assert_eq!(control.ask("sync x"), "ok x");
}

#[test]
fn what_one_client_leaves_behind_does_not_disturb_the_next() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("watch"), "ok");
    control.send("get 1");
    control.send("\nsync next\n");
    assert_eq!(control.line(), "ok in 0");
    assert_eq!(control.line(), "ok next");
    front.command(DIRECTION_OUTPUT, 2, 1);
    assert_eq!(control.ask("lines"), "ok 4");
    control.send(&"x".repeat(5000));
    control.send("\n");
    assert!(control.line().starts_with("error"));
    control.send("\u{1b}[?\n");
    assert!(control.line().starts_with("error"));
    assert_eq!(control.ask("lines"), "ok 4");
}

#[test]
fn commands_are_answered_out_of_order_but_all_of_them() {
    let rig = Rig::new(16);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("fault out-of-order 42"), "ok");
    for line in (0..16).step_by(3) {
        control.ask(&format!("set {line} 1"));
    }

    let queue = front.commands();
    let mut swapped = 0;
    for _ in 0..20 {
        let heads: Vec<_> = (0..16)
            .map(|line| queue.add(&message(GET_VALUE, line, 0), 8))
            .collect();
        queue.kick();
        let mut order = Vec::new();
        for _ in 0..16 {
            let used = queue.wait();
            let line = heads.iter().position(|&head| head == used.head).unwrap();
            let level = i32::from(line % 3 == 0);
            assert_eq!(fields(&used.bytes), (0xf005, line as u16, level));
            order.push(line);
        }
        swapped += order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    }
    assert!(swapped > 20);

    // One alone comes back as well.
    for _ in 0..20 {
        front.command(GET_VALUE, 1, 0);
    }
    assert_eq!(control.stat("violations"), 0);
    assert_eq!(control.stat("in-flight"), 0);
}

#[test]
fn replies_are_spoilt_as_asked() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut spoilt = |fault: &str| {
        assert_eq!(control.ask(&format!("fault {fault}")), "ok");
        let (written, reply) = front.raw_command(message(GET_VALUE, 1, 0));
        let after = front.command(GET_VALUE, 1, 0);
        assert_eq!(after, (0xf005, 1, 0), "only one is spoilt");
        (written, reply)
    };

    let fill = [FILL; 4];
    let (written, reply) = spoilt("short");
    assert_eq!((written, &reply[4..]), (4, &fill[..]));
    assert_eq!(spoilt("long"), (16, message(0xf005, 1, 0)));
    assert_eq!(spoilt("empty-reply"), (0, [FILL; 8]));
    let (_, reply) = spoilt("bad-type");
    assert_ne!(fields(&reply).0 & 0xfff, GET_VALUE);
    assert_eq!(fields(&spoilt("bad-line").1), (0xf005, 2, 0));
    assert_eq!(fields(&spoilt("bad-value").1), (0xf005, 1, 0x7fff_ffff));
    assert_eq!(fields(&spoilt("bad-errno").1), (0xf005, 1, -1000));
    assert_eq!(fields(&spoilt("errno 16").1), (0xf005, 1, -16));

    // A command that is refused is not carried out.
    control.ask("fault errno 5");
    assert_eq!(front.command(DIRECTION_OUTPUT, 1, 1), (0xf003, 1, -5));
    assert_eq!(control.ask("get 1"), "ok in 0");

    control.ask("fault bad-line always");
    for _ in 0..3 {
        assert_eq!(front.command(GET_VALUE, 1, 0), (0xf005, 2, 0));
    }
    control.ask("fault none");
    assert_eq!(front.command(GET_VALUE, 1, 0), (0xf005, 1, 0));
}

#[test]
fn commands_are_swallowed_and_released() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault never 2");
    let queue = front.commands();
    let swallowed = [
        queue.add(&message(GET_VALUE, 0, 0), 8),
        queue.add(&message(GET_VALUE, 1, 0), 8),
    ];
    let answered = queue.add(&message(GET_VALUE, 2, 0), 8);
    queue.kick();
    assert_eq!(queue.wait().head, answered);
    sleep(Duration::from_millis(20));
    assert_eq!(queue.poll(), None);
    assert_eq!(control.stat("in-flight"), 2);

    queue.wait_for_call();
    queue.arm();
    control.ask("fault release");
    queue.wait_for_call();
    assert_eq!([queue.wait().head, queue.wait().head], swallowed);
    assert_eq!(control.stat("in-flight"), 0);
}

#[test]
fn commands_are_answered_late() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    rig.control().ask("fault late 100 2");
    let queue = front.commands();
    let late = [
        queue.add(&message(GET_VALUE, 0, 0), 8),
        queue.add(&message(GET_VALUE, 1, 0), 8),
    ];
    let at_once = queue.add(&message(GET_VALUE, 2, 0), 8);
    queue.kick();
    assert_eq!(queue.wait().head, at_once);
    sleep(Duration::from_millis(20));
    assert_eq!(queue.poll(), None);
    queue.wait_for_call();
    queue.arm();
    queue.wait_for_call();
    assert_eq!([queue.wait().head, queue.wait().head], late);
}

#[test]
fn nothing_is_written_after_a_stop() {
    for fault in ["never 3", "late 50 3", "out-of-order"] {
        let rig = Rig::new(4);
        let mut front = rig.start();
        let mut control = rig.control();
        control.ask(&format!("fault {fault}"));
        let queue = front.commands();
        for line in 0..3 {
            queue.add(&message(GET_VALUE, line, 0), 8);
        }
        queue.kick();
        control.wait_for("requests", 3);
        front.stop();

        let before = front.everything();
        control.ask("set 1 1");
        control.ask("fault release");
        sleep(Duration::from_millis(100));
        assert!(front.everything() == before, "{fault}");
        assert_eq!(control.stat("in-flight"), 0);
        assert_eq!(control.stat("replies") + control.stat("dropped"), 3);

        // And the next driver gets no answer to what it did not ask.
        control.ask("fault none");
        front.start(true);
        assert_eq!(front.command(GET_VALUE, 1, 0), (0xf005, 1, 1));
        sleep(Duration::from_millis(60));
        assert_eq!(front.commands().poll(), None);
    }
}

#[test]
fn nothing_is_written_while_a_queue_is_disabled() {
    // User-Mode Linux does no more than this when a driver goes away.
    for fault in ["never 3", "late 50 3"] {
        let rig = Rig::new(4);
        let mut front = rig.start();
        let mut control = rig.control();
        control.ask(&format!("fault {fault}"));
        front.events().add(&[], 8);
        front.events().kick();
        let queue = front.commands();
        for line in 0..3 {
            queue.add(&message(GET_VALUE, line, 0), 8);
        }
        queue.kick();
        control.wait_for("requests", 3);
        front.disable();

        let before = front.everything();
        control.ask("set 1 1");
        control.ask("fault release");
        sleep(Duration::from_millis(100));
        assert!(front.everything() == before, "{fault}");
        assert_eq!(control.stat("replies"), 0);
    }
}

#[test]
fn a_driver_gets_no_answers_to_what_the_one_before_it_asked() {
    for fault in ["never 3", "late 100 3"] {
        let rig = Rig::new(4);
        let mut front = rig.start();
        let mut control = rig.control();
        control.ask(&format!("fault {fault}"));
        let queue = front.commands();
        for line in 0..3 {
            queue.add(&message(GET_VALUE, line, 0), 8);
        }
        queue.kick();
        control.wait_for("requests", 3);
        front.stop();
        front.start(true);

        control.ask("fault release");
        sleep(Duration::from_millis(150));
        assert_eq!(front.commands().poll(), None, "{fault}");
        assert_eq!(control.stat("dropped"), 3);
        assert_eq!(front.command(GET_VALUE, 1, 0), (0xf005, 1, 0));
    }
}
