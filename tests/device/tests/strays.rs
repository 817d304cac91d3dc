// SPDX-License-Identifier: GPL-2.0

//! Events that are well-formed, but that nobody has asked for.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use rig::{
    control::Control,
    fields,
    Front,
    Rig, //
};

const LEVEL: u16 = 0x11;

fn event(front: &mut Front) -> Option<(u16, i32)> {
    let used = front.events().poll()?;
    assert_eq!(used.written, 8);
    let (kind, line, value) = fields(&used.bytes);
    assert_eq!(kind, LEVEL);
    Some((line, value))
}

fn counts(control: &mut Control, events: u64, strays: u64) {
    let stats = control.ask("stats");
    assert_eq!(control.stat("events"), events, "{stats}");
    assert_eq!(control.stat("changes"), events, "{stats}");
    assert_eq!(control.stat("stray-events"), strays, "{stats}");
    assert_eq!(control.stat("hostile-events"), 0, "{stats}");
    assert_eq!(control.stat("violations"), 0, "{stats}");
}

#[test]
fn lines_that_are_not_armed_are_reported() {
    let rig = Rig::with_interrupts(4);
    let (mut front, mut control) = (rig.start(), rig.control());
    front.events().provide(16);
    for line in [1, 3] {
        assert_eq!(front.command(7, line, 3), (0xf007, line, 0));
    }
    control.ask("set 2 1");
    assert_eq!(control.ask("fault stray-event 3"), "ok");
    for (level, stray) in [(1, (0, 0)), (0, (2, 1)), (1, (2, 1))] {
        control.ask(&format!("set 3 {level}"));
        assert_eq!(event(&mut front), Some(stray));
        assert_eq!(event(&mut front), Some((3, level)));
    }
    control.ask("set 3 0");
    assert_eq!(event(&mut front), Some((3, 0)));
    assert_eq!(event(&mut front), None);
    counts(&mut control, 4, 3);
}

#[test]
fn lines_that_have_not_changed_are_reported() {
    // With all of them armed, or with none that can be.
    for rig in [Rig::with_interrupts(3), Rig::new(3)] {
        let (mut front, mut control) = (rig.start(), rig.control());
        front.events().provide(16);
        if front.offered & 1 != 0 {
            for line in 0..3 {
                assert_eq!(front.command(7, line, 3), (0xf007, line, 0));
            }
        }
        control.ask("fault stray-event always");
        for (level, stray) in [(1, 1), (0, 1), (1, 2)] {
            control.ask(&format!("set 0 {level}"));
            assert_eq!(event(&mut front), Some((stray, 0)));
            assert_eq!(event(&mut front), Some((0, level)));
        }
        counts(&mut control, 3, 3);
    }
}

#[test]
fn a_stray_event_does_not_take_the_last_buffer() {
    let rig = Rig::with_interrupts(2);
    let (mut front, mut control) = (rig.start(), rig.control());
    front.events().provide(1);
    assert_eq!(front.command(7, 1, 3), (0xf007, 1, 0));
    control.ask("fault stray-event 1");
    control.ask("set 1 1");
    assert_eq!(event(&mut front), Some((1, 1)));
    counts(&mut control, 1, 0);
    front.events().provide(2);
    control.ask("set 1 0");
    assert_eq!(event(&mut front), Some((0, 0)));
    assert_eq!(event(&mut front), Some((1, 0)));
    counts(&mut control, 2, 1);
}

#[test]
fn a_buffer_comes_back_though_nothing_has_happened() {
    let rig = Rig::standard(4);
    let (mut front, mut control) = (rig.start(), rig.control());
    let mut heads = Vec::new();
    for line in [1, 2] {
        assert_eq!(front.request(6, line, 3), (0, 0));
        heads.push(front.unmask(line));
    }
    front.request(4, 0, 0);
    assert_eq!(control.ask("fault stray-event 2"), "ok");
    // The other line's, then its own.
    control.ask("set 1 1");
    for head in [heads[1], heads[0]] {
        let used = front.events().wait();
        assert_eq!((used.head, used.written), (head, 1));
        assert_eq!(used.bytes, [1]);
    }
    counts(&mut control, 1, 1);

    // If there is no other, its own comes twice.
    let head = front.unmask(1);
    front.request(4, 0, 0);
    control.ask("set 1 0");
    assert_eq!(front.events().wait().head, head);
    assert_eq!(front.events().poll(), None);
    assert_eq!(control.stat("owed"), 1);
    let head = front.unmask(1);
    assert_eq!(front.events().wait().head, head);
    counts(&mut control, 2, 2);
}

#[test]
fn a_buffer_comes_back_with_an_event_of_a_line_that_is_disabled() {
    let rig = Rig::standard(4);
    let (mut front, mut control) = (rig.start(), rig.control());
    control.ask("fault stray-event 1");
    for status in [1, 0] {
        assert_eq!(front.request(6, 1, 1), (0, 0));
        let head = front.unmask(1);
        assert_eq!(front.request(6, 1, 0), (0, 0));
        let used = front.events().wait();
        assert_eq!((used.head, used.bytes), (head, vec![status]));
    }
    counts(&mut control, 0, 1);
}
