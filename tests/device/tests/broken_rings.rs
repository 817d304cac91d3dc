// SPDX-License-Identifier: GPL-2.0

//! Used rings with numbers in them that should not be there. A driver cannot go on with such a
//! ring: it resets the device, and that has to be in order again then.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use rig::{
    control::Control,
    message,
    Front,
    Rig, //
};

/// What differs between the protocols, for these tests.
struct Kind {
    rig: fn() -> Rig,
    /// Reads the value of a line.
    get: u16,
    reply_size: u32,
    event_size: u32,
    /// Arms a line, and provides a buffer for its events.
    arm: fn(&mut Front, u16) -> u16,
}

fn arm_rfc(front: &mut Front, line: u16) -> u16 {
    assert_eq!(front.command(7, line, 3), (0xf007, line, 0));
    let queue = front.events();
    let head = queue.add(&[], 8);
    queue.kick();
    head
}

fn arm_standard(front: &mut Front, line: u16) -> u16 {
    assert_eq!(front.request(6, line, 3), (0, 0));
    front.unmask(line)
}

const KINDS: [Kind; 2] = [
    Kind {
        rig: || Rig::with_interrupts(4),
        get: 5,
        reply_size: 8,
        event_size: 8,
        arm: arm_rfc,
    },
    Kind {
        rig: || Rig::standard(4),
        get: 4,
        reply_size: 2,
        event_size: 1,
        arm: arm_standard,
    },
];

/// Asks for a value, and returns the chain.
fn ask(front: &mut Front, kind: &Kind) -> u16 {
    let (get, size) = (kind.get, kind.reply_size);
    let queue = front.commands();
    let head = queue.add(&message(get, 1, 0), size);
    queue.kick();
    head
}

/// The driver resets the device, and finds it in order.
fn all_is_well_after_a_reset(front: &mut Front, control: &mut Control, kind: &Kind) {
    assert_eq!(control.ask("fault none"), "ok");
    front.stop();
    front.start(true);
    assert_eq!(control.stat("in-flight"), 0);
    for _ in 0..100 {
        let head = ask(front, kind);
        let element = front.commands().wait();
        assert_eq!((element.head, element.written), (head, kind.reply_size));
    }
    let level = control.ask("get 1");
    let level = u8::from(!level.contains('1'));
    let head = (kind.arm)(front, 1);
    assert_eq!(control.ask(&format!("set 1 {level}")), "ok");
    let event = front.events().wait();
    assert_eq!((event.head, event.written), (head, kind.event_size));
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn a_reply_comes_twice() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        assert_eq!(control.ask("fault duplicate"), "ok");
        let head = ask(&mut front, kind);
        let element = (u32::from(head), kind.reply_size);
        assert_eq!(front.commands().wait_raw(2), [element, element]);
        assert_eq!(control.stat("hostile-replies"), 1);
        // Only that one.
        let head = ask(&mut front, kind);
        assert_eq!(
            front.commands().wait_raw(1),
            [(u32::from(head), kind.reply_size)]
        );
        assert_eq!(front.commands().poll_raw(), None);
        assert_eq!(control.stat("replies"), 2);
        all_is_well_after_a_reset(&mut front, &mut control, kind);
    }
}

#[test]
fn a_number_that_is_none_of_a_chain_comes_before_the_right_one() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        assert_eq!(control.ask("fault used-bad-id 4"), "ok");
        for number in 0..4 {
            let head = u32::from(ask(&mut front, kind));
            let bad = [64, 0x1_0000 | head, u32::MAX][number % 3];
            let size = kind.reply_size;
            let elements = front.commands().wait_raw(2);
            assert_eq!(elements, [(bad, size), (head, size)]);
            front.commands().wait_for_call();
        }
        assert_eq!(control.stat("hostile-replies"), 4);
        ask(&mut front, kind);
        front.commands().wait_raw(1);
        assert_eq!(front.commands().poll_raw(), None);
        all_is_well_after_a_reset(&mut front, &mut control, kind);
    }
}

#[test]
fn a_driver_is_told_of_the_first_number_though_it_is_wrong() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        for _ in 0..5 {
            assert_eq!(control.ask("fault used-bad-id"), "ok");
            // It is to be told when there is one more, and there are two.
            front.commands().arm();
            ask(&mut front, kind);
            front.commands().wait_for_call();
            front.commands().wait_raw(2);
        }
    }
}

#[test]
fn an_event_comes_twice() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        let head = u32::from((kind.arm)(&mut front, 1));
        assert_eq!(control.ask("fault duplicate-event"), "ok");
        assert_eq!(control.ask("set 1 1"), "ok");
        let element = (head, kind.event_size);
        assert_eq!(front.events().wait_raw(2), [element, element]);
        assert_eq!(control.stat("hostile-events"), 1);
        assert_eq!(control.stat("events"), 1);
        all_is_well_after_a_reset(&mut front, &mut control, kind);
    }
}

#[test]
fn a_number_that_is_none_of_a_buffer_comes_before_an_event() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        let head = u32::from((kind.arm)(&mut front, 1));
        assert_eq!(control.ask("fault used-bad-id-event"), "ok");
        assert_eq!(control.ask("set 1 1"), "ok");
        let size = kind.event_size;
        assert_eq!(front.events().wait_raw(2), [(64, size), (head, size)]);
        front.events().wait_for_call();
        assert_eq!(control.stat("hostile-events"), 1);
        all_is_well_after_a_reset(&mut front, &mut control, kind);
    }
}

#[test]
fn what_is_never_given_back_is_not_counted() {
    for kind in &KINDS {
        let rig = (kind.rig)();
        let (mut front, mut control) = (rig.start(), rig.control());
        control.ask("fault duplicate always");
        control.ask("fault late 20 always");
        ask(&mut front, kind);
        control.wait_for("in-flight", 1);
        front.stop();
        assert_eq!(control.stat("dropped"), 1);
        assert_eq!(control.stat("hostile-replies"), 0);
        front.start(true);
        all_is_well_after_a_reset(&mut front, &mut control, kind);
    }
}
