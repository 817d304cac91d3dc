// SPDX-License-Identifier: GPL-2.0

//! Requests of the standard's protocol, as a driver makes them through a real vhost-user front end.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use std::time::{
    Duration,
    Instant, //
};

use rig::{
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

const GET_LINE_NAMES: u16 = 1;
const GET_DIRECTION: u16 = 2;
const SET_DIRECTION: u16 = 3;
const GET_VALUE: u16 = 4;
const SET_VALUE: u16 = 5;
const SET_IRQ_TYPE: u16 = 6;

const NONE: u32 = 0;
const OUT: u32 = 1;
const IN: u32 = 2;

const OK: (u8, u8) = (0, 0);
const ERR: (u8, u8) = (1, 0);

fn named(lines: u16, names: &[(u16, &str)]) -> Rig {
    let config = Configuration {
        lines,
        names: names
            .iter()
            .map(|&(line, name)| (line, name.to_string()))
            .collect(),
        ..Configuration::default()
    };
    Rig::with_protocol(Standard::new(true, When::Before), config)
}

/// Asks for names in so many bytes, and returns what comes back.
fn names(front: &mut Front, size: u32) -> (u32, Vec<u8>) {
    let queue = front.commands();
    queue.add(&message(GET_LINE_NAMES, 0, 0), size);
    queue.kick();
    let used = queue.wait();
    (used.written, used.bytes)
}

#[test]
fn the_configuration_has_all_its_fields() {
    let rig = named(0x102, &[(1, "x")]);
    let mut front = rig.connect();
    let space = [2, 1, 0, 0, 3, 1, 0, 0];
    assert_eq!(front.config(0, 8), space);
    // Beyond its end, there is nothing.
    assert_eq!(front.config(4, 8), [3, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rig.control().ask("config lines=3"), "ok config-size=8");
    assert_eq!(front.config(0, 8), [3, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn the_feature_is_one_bit() {
    assert_eq!(Rig::standard(1).connect().offered & 0xff, 1);
    let config = Configuration {
        lines: 1,
        ..Configuration::default()
    };
    let rig = Rig::with_protocol(Standard::new(false, When::Before), config);
    assert_eq!(rig.connect().offered & 0xff, 0);
}

#[test]
fn lines_have_no_direction_at_first() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(front.request(GET_DIRECTION, 3, 0), (0, 0));
    assert_eq!(control.ask("get 3"), "ok none 0");
    control.ask("set 3 1");
    assert_eq!(front.request(GET_VALUE, 3, 0), (0, 1));
    assert_eq!(control.ask("get 3"), "ok none 1");
}

#[test]
fn directions_are_set_and_told() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for (value, name) in [(IN, "in"), (OUT, "out"), (NONE, "none"), (OUT, "out")] {
        assert_eq!(front.request(SET_DIRECTION, 2, value), OK);
        let told = front.request(GET_DIRECTION, 2, 0);
        assert_eq!(told, (0, u8::try_from(value).unwrap()));
        assert_eq!(control.ask("get 2"), format!("ok {name} 0"));
    }
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn a_value_that_was_set_before_holds_when_the_line_is_an_output() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("watch"), "ok");
    for direction in [NONE, IN] {
        front.request(SET_DIRECTION, 1, direction);
        assert_eq!(front.request(SET_VALUE, 1, 1), OK);
        assert_eq!(front.request(GET_VALUE, 1, 0), (0, 0));
        assert_eq!(front.request(SET_DIRECTION, 1, OUT), OK);
        assert_eq!(control.line(), "change 1 1");
        assert_eq!(front.request(GET_VALUE, 1, 0), (0, 1));
        assert_eq!(front.request(SET_VALUE, 1, 0), OK);
        assert_eq!(control.line(), "change 1 0");
    }
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn no_direction_is_no_state() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("set 1 1");
    front.request(SET_VALUE, 1, 1);
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(SET_DIRECTION, 1, NONE), OK);
    // What is outside is not the driver's.
    assert_eq!(front.request(GET_VALUE, 1, 0), (0, 1));
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(GET_VALUE, 1, 0), (0, 0));
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn a_restart_is_no_state_either() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    front.request(SET_VALUE, 1, 1);
    front.request(SET_DIRECTION, 1, OUT);
    front.stop();
    front.start(true);
    assert_eq!(front.request(GET_DIRECTION, 1, 0), (0, 0));
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(GET_VALUE, 1, 0), (0, 0));
}

#[test]
fn wires_lead_from_outputs() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("wire 1 2 inverted"), "ok");
    front.request(SET_DIRECTION, 1, OUT);
    assert_eq!(front.request(GET_VALUE, 2, 0), (0, 1));
    front.request(SET_VALUE, 1, 1);
    assert_eq!(front.request(GET_VALUE, 2, 0), (0, 0));
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn names_come_with_one_for_each_line() {
    let rig = named(5, &[(0, "a"), (2, "ccc")]);
    let mut front = rig.start();
    let block = b"a\0\0ccc\0\0\0";
    let size = u32::try_from(block.len()).unwrap();
    assert_eq!(front.config(4, 4), size.to_le_bytes());
    let (written, bytes) = names(&mut front, size + 1);
    assert_eq!((written, bytes[0], &bytes[1..]), (size + 1, 0, &block[..]));
    assert_eq!(rig.control().stat("violations"), 0);
}

#[test]
fn names_are_as_long_as_they_like() {
    let long = "x".repeat(500);
    let rig = named(2, &[(1, &long)]);
    let mut front = rig.start();
    assert_eq!(front.config(4, 4), 502u32.to_le_bytes());
    // What comes back fits into the rig's buffer for it.
    let (written, bytes) = names(&mut front, 503);
    assert_eq!(written, 503);
    assert_eq!(&bytes[1..3], b"\0x");
    assert_eq!(bytes[502], 0);
}

#[test]
fn names_can_be_lies() {
    let rig = named(2, &[(0, "abcdef")]);
    let mut control = rig.control();
    control.ask("config names-size=10 names-hex=414243");
    let mut front = rig.start();
    assert_eq!(front.config(4, 4), [10, 0, 0, 0]);
    let (written, bytes) = names(&mut front, 11);
    assert_eq!(
        (written, &bytes[..5]),
        (4, &[0, 0x41, 0x42, 0x43, FILL][..])
    );
    control.ask("config names-size=2 names-hex=414243");
    assert_eq!(names(&mut front, 3), (3, vec![0, 0x41, 0x42]));
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn names_may_be_asked_for_with_either_size_if_it_changes() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("config lines=4 name0=A changing=1");
    assert_eq!(front.config(0, 8), [4, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(front.config(0, 8), [2, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(names(&mut front, 6).0, 6);
    assert_eq!(names(&mut front, 10).0, 6);
    assert_eq!(control.stat("violations"), 0);
    names(&mut front, 7);
    assert_eq!(control.stat("violation-writable-size"), 1);
}

#[test]
fn what_cannot_be_is_refused() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut refused = |kind, line, value, violation: &str| {
        let before = control.stat("violations");
        assert_eq!(front.request(kind, line, value), ERR);
        assert_eq!(control.stat("violations"), before + 1, "{violation}");
        assert_eq!(control.stat(&format!("violation-{violation}")), 1);
        control.ask("reset-stats");
    };
    refused(0, 1, 0, "type-unknown");
    refused(7, 1, 0, "type-unknown");
    refused(0xf004, 1, 0, "type-unknown");
    refused(GET_VALUE, 4, 0, "line-range");
    refused(SET_IRQ_TYPE, 0xffff, 0, "line-range");
    refused(SET_DIRECTION, 1, 3, "value-range");
    refused(SET_DIRECTION, 1, 0x100, "value-range");
    refused(SET_VALUE, 1, 2, "value-range");
    refused(SET_VALUE, 1, 0x0100_0001, "value-range");
    for irq_type in [5, 6, 7, 9, 15, 16, 0x100] {
        refused(SET_IRQ_TYPE, 1, irq_type, "value-range");
    }
    assert_eq!(control.ask("get 1"), "ok none 0");
}

#[test]
fn what_does_not_matter_is_counted() {
    let rig = named(2, &[(0, "a")]);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(front.request(GET_VALUE, 1, 1), OK);
    assert_eq!(front.request(GET_DIRECTION, 1, 0x100), OK);
    assert_eq!(control.stat("violation-value-unused"), 2);
    let queue = front.commands();
    queue.add(&message(GET_LINE_NAMES, 1, 1), 4);
    queue.kick();
    assert_eq!(queue.wait().bytes, b"\0a\0\0");
    assert_eq!(control.stat("violation-value-unused"), 3);
    assert_eq!(control.stat("violation-line-unused"), 1);
    assert_eq!(control.stat("violations"), 4);
}

#[test]
fn names_that_are_not_there_are_not_asked_for() {
    let rig = Rig::standard(2);
    let mut front = rig.start();
    for size in [1, 2, 9] {
        let (written, bytes) = names(&mut front, size);
        assert_eq!((written, bytes[0]), (1, 1));
    }
    let mut control = rig.control();
    assert_eq!(control.stat("violation-names-absent"), 3);
    assert_eq!(control.stat("violations"), 3);
}

#[test]
fn requests_have_their_shape() {
    let rig = named(2, &[(0, "a")]);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut wrong = |readable: &[u8], writable, violation: &str| {
        let queue = front.commands();
        queue.add(readable, writable);
        queue.kick();
        let used = queue.wait();
        assert_eq!(used.written, 0);
        assert!(used.bytes.iter().all(|&byte| byte == FILL));
        assert_eq!(control.stat(&format!("violation-{violation}")), 1);
        assert_eq!(control.stat("violations"), 1);
        control.ask("reset-stats");
    };
    let get = message(GET_VALUE, 0, 0);
    wrong(&get, 0, "writable-size");
    wrong(&get, 1, "writable-size");
    wrong(&get, 3, "writable-size");
    wrong(&get, 8, "writable-size");
    wrong(&get[..7], 2, "readable-size");
    wrong(&[get, get].concat(), 2, "readable-size");
    wrong(&[], 2, "readable-size");
    wrong(&[], 10, "readable-size");
    let names = message(GET_LINE_NAMES, 0, 0);
    wrong(&names, 2, "writable-size");
    wrong(&names, 3, "writable-size");
    wrong(&names, 5, "writable-size");
    assert_eq!(front.request(GET_VALUE, 1, 0), OK);
}

#[test]
fn a_response_before_its_request_is_out_of_order() {
    let rig = Rig::standard(2);
    let mut front = rig.start();
    let queue = front.commands();
    let head = queue.take(&message(GET_VALUE, 0, 0), 2);
    let buffer = queue.buffer(head);
    queue.describe(
        head,
        buffer + 0x200,
        2,
        rig::queue::WRITE | rig::queue::NEXT,
        head + 1,
    );
    queue.describe(head + 1, buffer, 8, 0, 0);
    queue.publish(head);
    queue.kick();
    assert_eq!(queue.wait().written, 0);
    assert_eq!(rig.control().stat("violation-chain-order"), 1);
}

#[test]
fn requests_of_one_line_are_answered_in_order() {
    for fault in [
        "none",
        "out-of-order 1",
        "out-of-order 2",
        "late 3 always",
        "late 3",
    ] {
        let rig = Rig::standard(4);
        let mut front = rig.start();
        let mut control = rig.control();
        for round in 0..20 {
            assert_eq!(control.ask(&format!("fault {fault}")), "ok");
            let queue = front.commands();
            let mut line_of = [0; 64];
            let mut sent = [const { Vec::new() }; 3];
            for step in 0..queue.room() {
                let line = (step + round) % 3;
                let head = queue.add(&message(GET_VALUE, u16::try_from(line).unwrap(), 0), 2);
                line_of[usize::from(head)] = line;
                sent[line].push(head);
                if step == 7 {
                    queue.kick();
                }
            }
            queue.kick();
            let mut received = [const { Vec::new() }; 3];
            for _ in 0..sent.iter().map(Vec::len).sum() {
                let used = queue.wait();
                received[line_of[usize::from(used.head)]].push(used.head);
            }
            assert_eq!(received, sent, "{fault}");
        }
    }
}

#[test]
fn requests_of_other_lines_do_not_wait() {
    let rig = Rig::standard(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault late 200");
    let queue = front.commands();
    let start = Instant::now();
    let heads = [0, 0, 1].map(|line| queue.add(&message(GET_VALUE, line, 0), 2));
    queue.kick();
    assert_eq!(queue.wait().head, heads[2]);
    assert!(start.elapsed() < Duration::from_millis(190));
    assert_eq!(queue.wait().head, heads[0]);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(queue.wait().head, heads[1]);
}

#[test]
fn requests_of_one_line_are_carried_out_in_order() {
    let rig = Rig::standard(2);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault out-of-order");
    control.ask("watch");
    let queue = front.commands();
    for value in [1, 0, 1] {
        for (kind, value) in [
            (SET_VALUE, value),
            (SET_DIRECTION, OUT),
            (SET_DIRECTION, NONE),
        ] {
            queue.add(&message(kind, 1, value), 2);
        }
    }
    queue.kick();
    for _ in 0..9 {
        assert_eq!(queue.wait().bytes, [0, 0]);
    }
    for expected in ["change 1 1", "change 1 0", "change 1 1"] {
        assert_eq!(control.line(), expected);
    }
}

#[test]
fn replies_are_spoilt_as_they_can_be() {
    let rig = named(2, &[(0, "a")]);
    let mut front = rig.start();
    let mut control = rig.control();
    let mut spoilt = |fault: &str, line| {
        assert_eq!(control.ask(&format!("fault {fault}")), "ok");
        let queue = front.commands();
        queue.add(&message(GET_VALUE, line, 0), 2);
        queue.kick();
        let used = queue.wait();
        (used.written, used.bytes[0], used.bytes[1])
    };
    assert_eq!(spoilt("short", 1), (1, 0, FILL));
    assert_eq!(spoilt("long", 1), (4, 0, 0));
    assert_eq!(spoilt("empty-reply", 1), (0, FILL, FILL));
    assert_eq!(spoilt("bad-value", 1), (2, 0, 0x7f));
    assert_eq!(spoilt("bad-status", 1), (2, 0x7f, 0));
    assert_eq!(spoilt("errno 5", 1), (2, 1, 0));
    assert_eq!(spoilt("none", 1), (2, 0, 0));

    control.ask("fault short");
    assert_eq!(names(&mut front, 4).0, 2);
    control.ask("fault errno 5");
    assert_eq!(names(&mut front, 4), (4, vec![1, 0, 0, 0]));
    for fault in ["bad-type", "bad-line", "bad-errno"] {
        let reply = control.ask(&format!("fault {fault}"));
        assert!(reply.starts_with("error a reply has no "), "{reply}");
    }
    assert!(Rig::new(1)
        .control()
        .ask("fault bad-status")
        .starts_with("error a reply has no status"));
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn what_is_refused_is_not_carried_out() {
    let rig = Rig::standard(2);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault errno 5 2");
    assert_eq!(front.request(SET_VALUE, 1, 1), ERR);
    assert_eq!(front.request(SET_DIRECTION, 1, OUT), ERR);
    assert_eq!(control.ask("get 1"), "ok none 0");
    assert_eq!(front.request(SET_DIRECTION, 1, OUT), OK);
    assert_eq!(control.ask("get 1"), "ok out 0");
}

#[test]
fn what_is_never_answered_holds_up_nothing() {
    let rig = Rig::standard(2);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("fault never 1");
    let queue = front.commands();
    let heads = [1, 0].map(|value| queue.add(&message(SET_VALUE, 1, value), 2));
    queue.kick();
    assert_eq!(queue.wait().head, heads[1]);
    assert_eq!(control.stat("in-flight"), 1);
    control.ask("fault release");
    assert_eq!(front.commands().wait().head, heads[0]);
    assert_eq!(control.stat("requests"), control.stat("replies"));
}
