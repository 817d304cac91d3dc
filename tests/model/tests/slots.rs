// SPDX-License-Identifier: GPL-2.0

//! Callers, a device, and one who resets it or goes away, all at once, in each order that there is.
//!
//! In each order: as long as no more than `PREEMPTIONS` times in a row another thread goes on where one
//! could have, which finds nearly all that there is to be found. `LOOM_MAX_PREEMPTIONS` changes that; 3
//! takes many minutes.

use std::{
    env,
    process::Command, //
};

use gpio_virtio_model::{
    Failure,
    Planted,
    Queue, //
};
use loom::{
    model::Builder,
    sync::Arc,
    thread, //
};

const PREEMPTIONS: usize = if cfg!(debug_assertions) { 1 } else { 2 };

/// A caller: whether it waits for what it wants, and what it sends.
type Caller = (bool, &'static [u32]);

const PATIENT: bool = true;
const IMPATIENT: bool = false;

/// What happens while the callers are at it.
#[derive(Clone, Copy)]
enum Event {
    Nothing,
    /// Somebody wants interrupts.
    Interrupts,
    Reset,
    Close,
}

/// Has callers use a queue of `slots` slots: such that look for replies before they sleep, and such that
/// do not.
fn check(slots: usize, callers: &'static [Caller], event: Event, planted: Planted) {
    for looks in [true, false] {
        check_with(slots, looks, callers, event, planted);
    }
}

fn check_with(
    slots: usize,
    looks: bool,
    callers: &'static [Caller],
    event: Event,
    planted: Planted,
) {
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));

    builder.check(move || {
        let queue = Arc::new(Queue::new(slots, looks, planted));
        let device = {
            let queue = queue.clone();
            thread::spawn(move || queue.answer_all())
        };
        let threads: Vec<_> = callers
            .iter()
            .map(|&(is_patient, messages)| {
                let queue = queue.clone();
                let run = move || (is_patient, queue.run(is_patient, messages));
                thread::spawn(run)
            })
            .collect();

        let is_quiet = match event {
            Event::Nothing => true,
            Event::Interrupts => {
                queue.interrupt_again();
                true
            }
            Event::Reset => {
                queue.reset(99);
                false
            }
            Event::Close => {
                queue.close();
                false
            }
        };

        for thread in threads {
            let joined = thread.join();
            assert!(joined.is_ok());
            match joined {
                Ok((is_patient, Err(Failure::GaveUp))) => assert!(!is_patient, "did not wait"),
                Ok((_, Err(other))) => assert!(!is_quiet, "{other:?}, but nothing has happened"),
                Ok((_, Ok(()))) | Err(_) => (),
            }
        }
        queue.over();
        assert!(device.join().is_ok());
        queue.check_end();
    });
}

const TWO_PATIENT: &[Caller] = &[(PATIENT, &[1]), (PATIENT, &[2])];
const ONE_IMPATIENT: &[Caller] = &[(PATIENT, &[1]), (IMPATIENT, &[2])];
const TWO_IMPATIENT: &[Caller] = &[(IMPATIENT, &[1]), (IMPATIENT, &[2])];
const BATCHES: &[Caller] = &[(PATIENT, &[1, 2, 3]), (IMPATIENT, &[4])];

#[test]
fn one_slot_serves_two() {
    check(1, TWO_PATIENT, Event::Nothing, Planted::Nothing);
}

#[test]
fn who_looks_for_replies_finds_those_of_others() {
    check(2, TWO_PATIENT, Event::Nothing, Planted::Nothing);
    check(2, TWO_IMPATIENT, Event::Nothing, Planted::Nothing);
    check(2, TWO_PATIENT, Event::Interrupts, Planted::Nothing);
}

#[test]
fn who_gives_up_is_in_nobodys_way() {
    check(1, ONE_IMPATIENT, Event::Nothing, Planted::Nothing);
}

#[test]
fn nothing_is_left_of_those_who_give_up() {
    check(1, TWO_IMPATIENT, Event::Nothing, Planted::Nothing);
}

#[test]
fn batches_end_when_all_of_them_is_there() {
    check(2, BATCHES, Event::Nothing, Planted::Nothing);
}

#[test]
fn a_reset_ends_all_waits() {
    check(2, ONE_IMPATIENT, Event::Reset, Planted::Nothing);
}

#[test]
fn a_reset_leaves_a_slot_to_who_waits_for_it() {
    check(1, TWO_PATIENT, Event::Reset, Planted::Nothing);
}

#[test]
fn nobody_waits_for_a_device_that_goes_away() {
    check(1, TWO_PATIENT, Event::Close, Planted::Nothing);
    check(1, ONE_IMPATIENT, Event::Close, Planted::Nothing);
}

/// Each mistake, who has to be there for it to be found, and what is found then.
const MISTAKES: [(Planted, &[Caller], Event, &str); 5] = [
    (
        Planted::NobodyIsWokenWhenLate,
        ONE_IMPATIENT,
        Event::Nothing,
        "deadlock",
    ),
    (
        Planted::PromiseIsKeptByNobody,
        TWO_IMPATIENT,
        Event::Nothing,
        "a promise is left",
    ),
    (
        Planted::OldSignalIsLeft,
        ONE_IMPATIENT,
        Event::Nothing,
        "woken without a reply",
    ),
    (
        Planted::NobodyIsWokenByReset,
        TWO_PATIENT,
        Event::Reset,
        "deadlock",
    ),
    (
        Planted::NobodyLooksAtTheEnd,
        TWO_PATIENT,
        Event::Nothing,
        "deadlock",
    ),
];

/// In the environment of the process that makes a mistake: which one.
const MISTAKE: &str = "GPIO_MODEL_MISTAKE";

/// That the model can fail. In a process of its own: loom aborts it when it has found a deadlock.
#[test]
fn mistakes_are_found() {
    let program = env::current_exe().unwrap();
    for (number, (planted, _, _, expected)) in MISTAKES.iter().enumerate() {
        let output = Command::new(&program)
            .args(["--exact", "make_a_mistake", "--ignored", "--nocapture"])
            .env(MISTAKE, number.to_string())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);

        assert!(!output.status.success(), "{planted:?} was not found");
        assert!(stderr.contains(expected), "{planted:?}: {stderr}");
    }
}

#[test]
#[ignore = "it fails; mistakes_are_found runs it"]
fn make_a_mistake() {
    let number: usize = env::var(MISTAKE).unwrap().parse().unwrap();
    let (planted, callers, event, _) = MISTAKES[number];

    // The mistakes of those who wait are found without looks, and the last one is of those who look.
    let looks = planted == Planted::NobodyLooksAtTheEnd;
    let slots = if looks { 2 } else { 1 };
    check_with(slots, looks, callers, event, planted);
}
