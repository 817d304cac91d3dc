// SPDX-License-Identifier: GPL-2.0

//! Campaigns: replies and events that are spoilt at random, again in the same way.

// Helpers fail the test that calls them.
#![allow(clippy::panic, clippy::unwrap_used)]

mod rig;

use std::{
    collections::BTreeSet,
    time::{
        Duration,
        Instant, //
    },
};

use rig::{
    message,
    queue::Used,
    Front,
    Rig, //
};

const ROUNDS: usize = 400;

/// What one round comes to: a reply, and the events that came with it.
type Round = (Vec<u8>, u32, Vec<(u32, Vec<u8>)>);

fn bytes(used: &Used) -> (u32, Vec<u8>) {
    let written = usize::try_from(used.written).unwrap();
    let size = written.min(used.bytes.len());
    (used.written, used.bytes[..size].to_vec())
}

/// Requests of all sorts and edges, with a campaign or without: what the driver gets.
fn rounds(standard: bool, fault: &str) -> (Vec<Round>, [u64; 3]) {
    let rig = match standard {
        true => Rig::standard(4),
        false => Rig::with_interrupts(4),
    };
    let (mut front, mut control) = (rig.start(), rig.control());
    let (size, get, set_irq) = match standard {
        true => (2, 4, 6),
        false => (8, 5, 7),
    };
    if !standard {
        front.events().provide(8);
    }
    for line in [1, 2] {
        front.commands().add(&message(set_irq, line, 3), size);
        front.commands().kick();
        front.commands().wait();
        if standard {
            front.unmask(line);
        }
    }
    front.commands().add(&message(get, 0, 0), size);
    front.commands().kick();
    front.commands().wait();

    assert_eq!(control.ask(&format!("fault {fault}")), "ok");
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let level = (round + 1) % 2;
        assert_eq!(control.ask(&format!("set 1 {level}")), "ok");
        let mut events = Vec::new();
        let mut other = 0;
        while let Some(used) = front.events().poll() {
            events.push(bytes(&used));
            give_back(&mut front, standard, &used);
            // The buffer is the device's when this is done, and not at some time.
            other = 1 - other;
            assert_eq!(control.ask(&format!("set 0 {other}")), "ok");
        }
        control.ask("set 0 0");
        front.commands().add(&message(get, 1, 0), size);
        front.commands().kick();
        let reply = front.commands().wait();
        let (written, bytes) = bytes(&reply);
        all.push((bytes, written, events));
    }
    let counts = ["hostile-replies", "hostile-events", "stray-events"];
    let counts = counts.map(|name| control.stat(name));

    assert_eq!(control.ask("fault none"), "ok");
    assert_eq!(control.stat("violations"), 0, "{}", control.ask("stats"));
    let sum = control.stat("events") + control.stat("merged") + control.stat("owed");
    assert_eq!(control.stat("changes"), sum);
    (all, counts)
}

fn give_back(front: &mut Front, standard: bool, used: &Used) {
    match standard {
        false => front.events().provide(1),
        true => {
            let line = front.events().readable(used.head);
            front.unmask(u16::from_le_bytes(line));
        }
    }
}

#[test]
fn a_seed_repeats_what_the_driver_gets() {
    for standard in [false, true] {
        let first = rounds(standard, "random 11 500");
        assert_eq!(rounds(standard, "random 11 500"), first);
        assert_ne!(rounds(standard, "random 12 500").0, first.0);
    }
}

#[test]
fn a_rate_is_kept_and_what_is_sent_is_counted() {
    for standard in [false, true] {
        let (calm, counts) = rounds(standard, "random 1 0");
        assert_eq!(counts, [0; 3]);
        assert!(calm.iter().all(|(_, _, events)| events.len() == 1));

        let (all, [replies, events, strays]) = rounds(standard, "random 5 1000");
        // A few are late, or out of order.
        assert!((ROUNDS as u64 / 2..=ROUNDS as u64).contains(&replies));
        assert!(events > ROUNDS as u64 / 3 && strays > ROUNDS as u64 / 10);
        let right = |round: &&Round| calm.iter().any(|calm| calm.0 == round.0);
        let spoilt = all.iter().filter(|round| !right(round)).count();
        assert!(spoilt > ROUNDS / 3, "{spoilt}");
        let different: BTreeSet<_> = all.iter().map(|(bytes, ..)| bytes).collect();
        assert!(different.len() >= 8, "{different:?}");
    }
}

#[test]
fn a_campaign_that_breaks_rings_is_over_after_a_reset() {
    for standard in [false, true] {
        let rig = match standard {
            true => Rig::standard(4),
            false => Rig::with_interrupts(4),
        };
        let (mut front, mut control) = (rig.start(), rig.control());
        control.ask("fault random 3 1000 breaking");
        let size = if standard { 2 } else { 8 };
        let mut resets = 0;
        for number in 0..2000 {
            let queue = front.commands();
            queue.add(&message(4, number % 4, 0), size);
            queue.kick();
            // It is there twice, or something is there that is no chain, or it never comes.
            let limit = Instant::now() + Duration::from_millis(500);
            let broken = loop {
                match queue.poll_raw() {
                    Some((id, _)) if id < 64 => {
                        queue.put_back(id);
                        // What belongs to it is there when the device answers to something else.
                        control.ask("lines");
                        break queue.poll_raw().is_some();
                    }
                    Some(_) => break true,
                    None if Instant::now() > limit => break true,
                    None => {}
                }
            };
            if broken {
                front.stop();
                front.start(true);
                resets += 1;
            }
        }
        assert!((5..100).contains(&resets), "{resets}");
        control.ask("fault none");
        front.stop();
        front.start(true);
        front.commands().add(&message(4, 1, 0), size);
        front.commands().kick();
        assert_eq!(front.commands().wait().written, size);
        assert_eq!(control.stat("violations"), 0);
    }
}
