// SPDX-License-Identifier: GPL-2.0

//! Events, as a driver gets them through a real vhost-user front end.

// Helpers fail the test that calls them.
#![allow(clippy::unwrap_used)]

mod rig;

use std::{
    thread::sleep,
    time::Duration, //
};

use rig::{
    fields,
    queue::Queue,
    Rig, //
};

const LEVEL: u16 = 0x11;

fn event(queue: &mut Queue) -> (u16, i32) {
    let used = queue.wait();
    assert_eq!(used.written, 8);
    let (kind, line, value) = fields(&used.bytes);
    assert_eq!(kind, LEVEL);
    (line, value)
}

#[test]
fn each_change_of_an_input_is_an_event() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let queue = front.events();
    for _ in 0..8 {
        queue.add(&[], 8);
    }
    queue.kick();

    for (line, level) in [(1, 1), (3, 1), (1, 0), (1, 1), (3, 0)] {
        // Quicker than the device's threads: nothing may be merged.
        control.send(&format!("set {line} {level}\nset {line} {level}\n"));
    }
    for expected in [(1, 1), (3, 1), (1, 0), (1, 1), (3, 0)] {
        assert_eq!(event(queue), expected);
    }
    queue.wait_for_call();
    for _ in 0..10 {
        assert_eq!(control.line(), "ok");
    }
    assert_eq!(control.stat("changes"), 5);
    assert_eq!(control.stat("events"), 5);
    assert_eq!(control.stat("merged"), 0);
    assert_eq!(control.stat("held"), 0);
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn what_the_driver_does_is_no_event() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().add(&[], 8);
    front.events().kick();
    front.command(3, 1, 1);
    front.command(6, 1, 0);
    front.command(6, 1, 1);
    control.ask("set 1 1");
    front.command(2, 1, 0);
    sleep(Duration::from_millis(20));
    assert_eq!(front.events().poll(), None);
    control.ask("set 1 0");
    assert_eq!(event(front.events()), (1, 0));
}

#[test]
fn without_buffers_changes_are_merged_but_not_lost() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    for command in ["set 2 1", "set 1 1", "set 2 0", "set 2 1", "set 1 0"] {
        control.ask(command);
    }
    assert_eq!(control.stat("changes"), 5);
    assert_eq!(control.stat("events"), 0);
    assert_eq!(control.stat("held"), 2);
    assert_eq!(control.stat("merged"), 3);
    assert_eq!(control.stat("owed"), 2);

    let queue = front.events();
    queue.add(&[], 8);
    queue.kick();
    assert_eq!(event(queue), (2, 1));
    sleep(Duration::from_millis(20));
    assert_eq!(queue.poll(), None);
    queue.add(&[], 8);
    queue.kick();
    assert_eq!(event(queue), (1, 0));
    assert_eq!(control.stat("events") + control.stat("merged"), 5);
    assert_eq!(control.stat("owed"), 0);
}

#[test]
fn buffers_of_a_wrong_shape_come_back_empty() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    let queue = front.events();
    queue.add(&[], 7);
    queue.add(&[], 16);
    queue.add(&[1], 8);
    queue.add(&[], 8);
    queue.kick();
    for _ in 0..3 {
        assert_eq!(queue.wait().written, 0);
    }
    assert_eq!(control.stat("violation-event-writable"), 2);
    assert_eq!(control.stat("violation-event-readable"), 1);
    control.ask("set 0 1");
    assert_eq!(event(queue), (0, 1));
}

#[test]
fn buffers_are_not_used_after_a_stop() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().add(&[], 8);
    front.events().kick();
    control.ask("set 0 1");
    assert_eq!(event(front.events()), (0, 1));
    front.events().add(&[], 8);
    front.events().kick();
    front.stop();
    control.ask("set 0 0");
    control.ask("set 1 1");
    sleep(Duration::from_millis(20));
    assert_eq!(front.events().poll(), None);

    // What happened while there was no driver is not owed to the next one.
    front.start(true);
    assert_eq!(control.stat("owed"), 0);
    // Nor does the device think that it still has the old one's buffers.
    control.ask("set 1 0");
    sleep(Duration::from_millis(20));
    assert_eq!(front.events().poll(), None);
    front.events().add(&[], 8);
    front.events().kick();
    assert_eq!(event(front.events()), (1, 0));
}

fn many_changes(event_idx: bool) {
    let rig = Rig::new(8);
    let mut front = rig.connect();
    front.start(event_idx);
    let mut control = rig.control();
    let queue = front.events();
    for _ in 0..4 {
        queue.add(&[], 8);
    }
    queue.kick();

    let mut levels = [0; 8];
    let changes = 5000;
    let device = rig.device.clone();
    let changer = std::thread::spawn(move || {
        use gpio_virtio_logic::line::Level;
        for change in 0..changes {
            let line = u16::try_from(change % 8).unwrap();
            let level = Level::from((change / 8) % 2 == 0);
            device.drive(line, level).unwrap();
        }
    });
    let mut received = 0;
    loop {
        // Asked before the look at the queue: nothing can come after that.
        let over = changer.is_finished() && control.stat("owed") == 0;
        match queue.poll() {
            Some(used) => {
                let (_, line, value) = fields(&used.bytes);
                levels[usize::from(line)] = value;
                received += 1;
                queue.add(&[], 8);
                queue.kick_if_asked();
            }
            None if over => break,
            None => {}
        }
    }
    changer.join().unwrap();
    assert_eq!(control.stat("changes"), changes);
    assert_eq!(received + control.stat("merged"), changes);
    for (line, &level) in levels.iter().enumerate() {
        assert_eq!(
            control.ask(&format!("get {line}")),
            format!("ok in {level}")
        );
    }
    assert_eq!(control.stat("violations"), 0);
}

#[test]
fn many_changes_add_up() {
    many_changes(true);
    many_changes(false);
}
