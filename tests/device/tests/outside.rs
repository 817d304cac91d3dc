// SPDX-License-Identifier: GPL-2.0

//! What goes on outside of the device by itself: bursts and wires.

mod rig;

use std::time::{
    Duration,
    Instant, //
};

use rig::{
    fields,
    Rig, //
};

const DIRECTION_INPUT: u16 = 2;
const DIRECTION_OUTPUT: u16 = 3;
const GET_VALUE: u16 = 5;
const SET_VALUE: u16 = 6;
const SET_IRQ_TYPE: u16 = 7;
const BOTH: u32 = 3;
const LEVEL: u16 = 0x11;

#[test]
fn a_burst_toggles_as_often_as_was_asked() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    assert_eq!(control.ask("burst 1 1001"), "ok");
    control.wait_for("bursts", 0);
    assert_eq!(control.stat("changes"), 1001);
    assert_eq!(control.ask("get 1"), "ok in 1");
    assert_eq!(control.stat("owed"), 1);
    front.events().provide(1);
    assert_eq!(fields(&front.events().wait().bytes), (LEVEL, 1, 1));
    control.wait_for("events", 1);
    assert_eq!(control.stat("merged"), 1000);
}

#[test]
fn a_burst_keeps_its_rate() {
    let rig = Rig::new(4);
    let _front = rig.start();
    let mut control = rig.control();
    let start = Instant::now();
    control.ask("burst 1 101 1000");
    control.ask("burst 2 201 2000");
    assert_eq!(control.stat("bursts"), 2);
    control.wait_for("bursts", 0);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(control.stat("changes"), 302);
}

#[test]
fn a_line_has_one_burst_and_others_go_on() {
    let rig = Rig::new(100);
    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..100 {
        assert_eq!(control.ask(&format!("burst {line} 4000000000")), "ok");
    }
    assert_eq!(control.ask("burst 7 1"), "error line 7 has a burst already");
    assert!(control.ask("burst 100 1").starts_with("error there is no"));
    assert_eq!(control.stat("bursts"), 100);

    // Nobody has to wait for long.
    let start = Instant::now();
    for _ in 0..50 {
        assert!(control.ask("get 3").starts_with("ok in"));
        assert_eq!(front.command(DIRECTION_INPUT, 3, 0), (0xf002, 3, 0));
    }
    assert!(start.elapsed() < Duration::from_secs(4));
    let changes = control.stat("changes");
    std::thread::sleep(Duration::from_millis(20));
    assert!(control.stat("changes") > changes + 100);
}

#[test]
fn a_burst_goes_on_without_a_driver_and_ends_with_its_line() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("burst 1 4000000000");
    control.ask("burst 3 4000000000");
    front.stop();
    assert_eq!(control.stat("bursts"), 2);
    control.ask("config lines=2");
    control.wait_for("bursts", 1);
    front.start(true);
    control.wait_for_some("changes");
}

#[test]
fn a_wire_carries_what_the_driver_drives() {
    let rig = Rig::with_interrupts(8);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(16);
    assert_eq!(control.ask("wire 1 2"), "ok");
    assert_eq!(control.ask("wire 3 4 inverted"), "ok");
    for line in [2, 4] {
        front.command(SET_IRQ_TYPE, line, BOTH);
    }

    let mut drive = |kind, line, level: u32, expected| {
        front.command(kind, line, level);
        // Before the reply, which is there.
        let used = front.events().poll();
        let event = used.map(|used| fields(&used.bytes));
        let expected: Option<(u16, i32)> = expected;
        assert_eq!(event, expected.map(|(line, level)| (LEVEL, line, level)));
        if event.is_some() {
            front.events().provide(1);
        }
    };
    // While the line is an input, nothing goes out.
    drive(SET_VALUE, 1, 1, None);
    drive(DIRECTION_OUTPUT, 1, 1, Some((2, 1)));
    drive(SET_VALUE, 1, 1, None);
    drive(SET_VALUE, 1, 0, Some((2, 0)));
    drive(GET_VALUE, 2, 0, None);
    drive(DIRECTION_OUTPUT, 3, 0, Some((4, 1)));
    drive(SET_VALUE, 3, 1, Some((4, 0)));
    drive(DIRECTION_INPUT, 3, 0, None);
    assert_eq!(control.ask("get 4"), "ok in 0");

    assert_eq!(control.ask("unwire 1"), "ok");
    assert_eq!(control.ask("unwire 1"), "error line 1 has no wire");
    front.command(SET_VALUE, 1, 1);
    assert_eq!(front.events().poll(), None);
    // It is there at once, and can be replaced.
    assert_eq!(control.ask("wire 1 2"), "ok");
    assert_eq!(control.ask("get 2"), "ok in 1");
    assert_eq!(control.ask("wire 1 2 inverted"), "ok");
    assert_eq!(control.ask("get 2"), "ok in 0");
    assert_eq!(control.stat("events"), 6);

    assert!(control.ask("wire 1 8").starts_with("error there is no"));
    assert!(control.ask("wire 8 1").starts_with("error there is no"));
    assert!(control.ask("unwire 8").starts_with("error there is no"));
    assert_eq!(
        control.ask("wire 1 1"),
        "error line 1 cannot be wired to itself"
    );
}

#[test]
fn a_loop_of_wires_comes_to_rest() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("wire 0 1 inverted");
    control.ask("wire 1 2 inverted");
    control.ask("wire 2 0 inverted");
    front.command(DIRECTION_OUTPUT, 0, 0);
    assert_eq!(control.ask("get 1"), "ok in 1");
    // What comes in on an input goes no further.
    assert_eq!(control.ask("get 2"), "ok in 0");
    front.command(DIRECTION_OUTPUT, 1, 0);
    assert_eq!(control.ask("get 2"), "ok in 1");
    front.command(DIRECTION_OUTPUT, 2, 0);
    front.command(SET_VALUE, 0, 1);
    assert_eq!(control.ask("get 1"), "ok out 0");
    assert_eq!(control.ask("get 0"), "ok out 1");
}

#[test]
fn a_wire_carries_the_same_level_again() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("wire 0 1");
    for command in [DIRECTION_OUTPUT, SET_VALUE] {
        front.command(command, 0, 1);
        assert_eq!(control.ask("set 1 0"), "ok");
        front.command(command, 0, 1);
        assert_eq!(control.ask("get 1"), "ok in 1");
    }
}

#[test]
fn a_wire_outlives_a_driver() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    control.ask("wire 0 1");
    front.command(DIRECTION_OUTPUT, 0, 1);
    front.stop();
    front.start(true);
    assert_eq!(control.ask("get 0"), "ok in 0");
    assert_eq!(control.ask("get 1"), "ok in 1");
    front.command(DIRECTION_OUTPUT, 0, 0);
    assert_eq!(control.ask("get 1"), "ok in 0");
}
