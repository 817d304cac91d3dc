// SPDX-License-Identifier: GPL-2.0

//! A driver that does what it likes. The device has to live on, and to serve the next one.

mod rig;

use std::time::Duration;

use rig::{
    message,
    Front,
    Rig,
    COMMANDS,
    EVENTS, //
};
use vhost_gpio::{
    protocol::When,
    random::Random, //
};
use vm_memory::{
    Bytes,
    GuestAddress, //
};

/// An address: often one that is good, or nearly.
fn address(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.number(),
        1 => rig::MEMORY - random.number() % 16,
        _ => random.number() % rig::MEMORY,
    }
}

fn size(random: &mut Random) -> u32 {
    match random.below(6) {
        0 => random.number() as u32,
        1 => 0,
        2 => (random.number() % 20) as u32 * 16,
        _ => 8,
    }
}

/// Descriptors, indices and rings of all sorts.
fn scribble(front: &mut Front, queue: usize, random: &mut Random) {
    let queue = &mut front.queues[queue];
    for _ in 0..random.below(20) {
        let index = random.below(64) as u16;
        let next = random.below(70) as u16;
        let flags = (random.number() % 8) as u16;
        queue.describe(index, address(random), size(random), flags, next);
    }
    match random.below(20) {
        0 => queue.publish_index(random.number() as u16),
        1 => {
            // A message, or what looks like one, or a table.
            let bytes = message(
                random.number() as u16,
                random.number() as u16,
                random.number() as u32,
            );
            let _ = queue
                .memory
                .write_slice(&bytes, GuestAddress(address(random) & !7));
        }
        _ => queue.publish(random.below(66) as u16),
    }
    if random.below(3) == 0 {
        queue.kick();
    }
}

fn campaign(seed: u64, fault: &str) {
    let rig = Rig::with_interrupts(8);
    rampage(&rig, seed, fault);

    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..8 {
        assert_eq!(front.command(4, line, 0), (0xf004, line, 1));
    }
    assert_eq!(control.stat("violations"), 0);
}

fn standard_campaign(seed: u64, fault: &str) {
    let rig = Rig::standard_with(8, When::After);
    rampage(&rig, seed, fault);

    let mut front = rig.start();
    let mut control = rig.control();
    for line in 0..8 {
        assert_eq!(front.request(2, line, 0), (0, 0));
        control.ask(&format!("set {line} 0"));
        assert_eq!(front.request(6, line, 1), (0, 0));
        front.unmask(line);
        control.ask(&format!("set {line} 1"));
        assert_eq!(front.events().wait().bytes, [1]);
    }
    assert_eq!(control.stat("violations"), 0);
}

fn rampage(rig: &Rig, seed: u64, fault: &str) {
    let mut control = rig.control();
    let mut random = Random::new(seed);

    for _ in 0..8 {
        let mut front = rig.start();
        assert_eq!(control.ask(&format!("fault {fault}")), "ok");
        for step in 0..1500 {
            let queue = [COMMANDS, EVENTS][random.below(2)];
            scribble(&mut front, queue, &mut random);
            if step % 10 == 0 {
                control.ask(&format!("set {} {}", random.below(8), random.below(2)));
                control.ask(&format!("burst {} 20 1000", random.below(8)));
            }
        }
        front.commands().kick();
        front.events().kick();
        assert_eq!(control.ask("fault none"), "ok");
        assert_eq!(control.ask("fault release"), "ok");
    }
    control.wait_for_some("violations");
    for line in 0..8 {
        control.wait_for("bursts", 0);
        control.ask(&format!("set {line} 0"));
    }

    // A driver that behaves is to find a device that does.
    drop(rig.start());
    control.ask("reset-stats");
}

#[test]
fn a_hostile_driver_is_survived() {
    for seed in 0..3 {
        campaign(seed, "none");
    }
}

#[test]
fn a_hostile_driver_is_survived_while_answers_wait() {
    campaign(10, "out-of-order");
    campaign(11, "late 1 always");
    campaign(12, "never always");
}

#[test]
fn a_hostile_driver_is_survived_while_the_device_is_no_better() {
    campaign(20, "bad-event always");
    campaign(21, "storm mixed");
    campaign(22, "stray-event always");
    campaign(23, "duplicate always");
    campaign(24, "used-bad-id-event always");
    campaign(25, "random 25 900 breaking");
}

#[test]
fn a_hostile_driver_of_a_standard_device_is_survived() {
    for (seed, fault) in [
        (30, "none"),
        (31, "out-of-order"),
        (32, "late 1 always"),
        (33, "never always"),
        (34, "bad-event always"),
        (35, "storm mixed"),
        (36, "stray-event always"),
        (37, "duplicate-event always"),
        (38, "used-bad-id always"),
        (39, "random 39 900 breaking"),
    ] {
        standard_campaign(seed, fault);
    }
}

#[test]
fn front_ends_that_only_look_are_served() {
    let rig = Rig::new(8);
    for _ in 0..20 {
        let mut front = rig.connect();
        assert_eq!(front.config(0, 1), [1]);
    }
    assert_eq!(rig.control().stat("resets"), 0);
}

#[test]
fn a_front_end_that_goes_away_under_load_is_forgotten() {
    let rig = Rig::new(8);
    let mut control = rig.control();
    control.ask("fault late 2 always");
    for _ in 0..10 {
        let mut front = rig.start();
        let queue = front.commands();
        for line in 0..8 {
            queue.add(&message(5, line, 0), 8);
        }
        queue.kick();
        drop(front);
    }
    std::thread::sleep(Duration::from_millis(50));
    control.ask("fault none");
    let mut front = rig.start();
    assert_eq!(front.command(5, 1, 0), (0xf005, 1, 0));
    assert_eq!(control.stat("in-flight"), 0);
}
