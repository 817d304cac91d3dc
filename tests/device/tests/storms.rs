// SPDX-License-Identifier: GPL-2.0

//! Events that a device should not send.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use std::{
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use rig::{
    fields,
    message,
    queue::{
        Queue,
        Used,
        FILL, //
    },
    Rig,
    EVENTS, //
};

const GET_VALUE: u16 = 5;
const LEVEL: u16 = 0x11;

/// What is wrong with an event from a device with four lines.
fn defect(used: &Used) -> &'static str {
    let (kind, line, value) = fields(&used.bytes);
    match used.written {
        0 => "empty",
        4 => {
            assert_eq!(used.bytes[4..], [FILL; 4]);
            "short"
        }
        16 => "long",
        8 if kind != LEVEL => "type",
        8 if line >= 4 => "line",
        8 if value > 1 => "level",
        8 => "none",
        written => panic!("{written} bytes"),
    }
}

const DEFECTS: [&str; 6] = ["empty", "short", "long", "type", "line", "level"];

#[test]
fn bad_events_come_before_real_ones() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(16);
    assert_eq!(control.ask("fault bad-event 7"), "ok");
    for change in 0..8 {
        control.ask(&format!("set 2 {}", (change + 1) % 2));
        if change < 7 {
            let bad = front.events().poll().unwrap();
            assert_eq!(defect(&bad), DEFECTS[change % 6]);
            front.events().provide(1);
        }
        let real = front.events().poll().unwrap();
        assert_eq!(defect(&real), "none");
        assert_eq!(fields(&real.bytes).1, 2);
        front.events().provide(1);
    }
    assert_eq!(front.events().poll(), None);
    assert_eq!(control.stat("bad-events"), 7);
    assert_eq!(control.stat("events"), 8);
    assert_eq!(control.stat("changes"), 8);
}

#[test]
fn a_bad_event_does_not_take_the_last_buffer() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(1);
    control.ask("fault bad-event always");
    control.ask("set 2 1");
    assert_eq!(defect(&front.events().poll().unwrap()), "none");
    assert_eq!(control.stat("bad-events"), 0);
    assert_eq!(control.stat("held"), 0);
    front.events().provide(2);
    control.ask("set 2 0");
    assert_eq!(defect(&front.events().poll().unwrap()), "empty");
    assert_eq!(defect(&front.events().poll().unwrap()), "none");
}

/// The first events of a storm.
fn first(weather: &str, count: usize) -> Vec<Used> {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(5);
    assert_eq!(control.ask(&format!("fault storm {weather}")), "ok");
    let mut events = Vec::new();
    while events.len() < count {
        events.push(front.events().wait());
        front.events().provide(1);
    }
    assert_eq!(control.ask("fault none"), "ok");
    assert_eq!(control.stat("events"), 0);
    assert_eq!(control.stat("changes"), 0);
    assert!(control.stat("storm-events") >= count as u64);
    for line in 0..4 {
        assert_eq!(control.ask(&format!("get {line}")), "ok in 0");
    }
    events
}

#[test]
fn a_storm_of_valid_events_goes_through_all_lines() {
    for (number, used) in first("valid", 100).iter().enumerate() {
        assert_eq!(defect(used), "none");
        let line = u16::try_from(number % 4).unwrap();
        let level = i32::from((number / 4) % 2 == 0);
        assert_eq!(fields(&used.bytes), (LEVEL, line, level));
    }
}

#[test]
fn a_storm_of_invalid_events_has_all_defects() {
    for (number, used) in first("invalid", 100).iter().enumerate() {
        assert_eq!(defect(used), DEFECTS[number % 6]);
    }
}

#[test]
fn a_mixed_storm_has_both() {
    for (number, used) in first("mixed", 100).iter().enumerate() {
        match number % 2 {
            0 => assert_eq!(defect(used), "none"),
            _ => assert_eq!(defect(used), DEFECTS[number / 2 % 6]),
        }
    }
}

/// A driver that returns buffers as fast as it can.
fn serve(mut queue: Queue, over: &AtomicBool) -> Queue {
    while !over.load(Ordering::Relaxed) {
        let mut came = 0;
        while queue.poll().is_some() {
            came += 1;
        }
        for _ in 0..came {
            queue.add(&[], 8);
            queue.kick_if_asked();
        }
    }
    queue
}

fn all_others_are_served(event_idx: bool) {
    let rig = Rig::new(4);
    let mut front = rig.connect();
    front.start(event_idx);
    let mut control = rig.control();
    front.events().provide(16);
    let events = front.queues.remove(EVENTS);
    let over = Arc::new(AtomicBool::new(false));
    let driver = thread::spawn({
        let over = over.clone();
        move || serve(events, &over)
    });

    control.ask("fault storm mixed");
    let commands = front.queues.first_mut().unwrap();
    let start = Instant::now();
    for round in 0..100 {
        commands.add(&message(GET_VALUE, 1, 0), 8);
        commands.kick();
        commands.wait();
        control.ask(&format!("set 1 {}", round % 2));
    }
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(control.ask("get 1"), "ok in 1");
    // Nor is a notification lost.
    while control.stat("storm-events") < 10_000 {
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    // It is over when the reply is there, though buffers still come.
    assert_eq!(control.ask("fault none"), "ok");
    let sent = control.stat("storm-events");
    thread::sleep(Duration::from_millis(30));
    assert_eq!(control.stat("storm-events"), sent);
    let changes = control.stat("changes");
    let told = control.stat("events") + control.stat("merged");
    assert_eq!((changes, told + control.stat("owed")), (99, 99));
    over.store(true, Ordering::Relaxed);
    driver.join().unwrap();
}

#[test]
fn in_a_storm_all_others_are_served() {
    all_others_are_served(true);
    all_others_are_served(false);
}

#[test]
fn without_buffers_a_storm_rests() {
    let rig = Rig::new(4);
    let mut front = rig.start();
    let mut control = rig.control();
    front.events().provide(3);
    control.ask("fault storm valid");
    for _ in 0..3 {
        front.events().wait();
    }
    thread::sleep(Duration::from_millis(30));
    let (notifications, interrupts) = (control.stat("notifications"), control.stat("interrupts"));
    thread::sleep(Duration::from_millis(30));
    assert_eq!(control.stat("storm-events"), 3);
    assert_eq!(control.stat("notifications"), notifications);
    assert_eq!(control.stat("interrupts"), interrupts);
    front.events().provide(1);
    front.events().wait();
    // One that begins before the driver does has to wait for it.
    front.stop();
    front.start(true);
    front.events().provide(1);
    assert_eq!(defect(&front.events().wait()), "none");
}
