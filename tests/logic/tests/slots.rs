// SPDX-License-Identifier: GPL-2.0

//! The life of request slots, against a model that keeps the books in another way.

use std::collections::BTreeMap;

use gpio_virtio_logic::slots::{
    Index,
    Returned,
    Slot,
    Slots,
    MAX_SLOTS, //
};
use proptest::prelude::*;

type TestSlots = Slots<Vec<Slot<usize, u32>>>;

/// Slots of which each has a buffer with its own number.
fn slots(count: usize) -> TestSlots {
    Slots::new((0..count).map(Slot::Free).collect::<Vec<_>>())
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Cancel(usize),
    Return(usize, u32),
    Finish(usize),
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Begin),
        1 => any::<usize>().prop_map(Step::Cancel),
        6 => (any::<usize>(), any::<u32>()).prop_map(|(which, reply)| Step::Return(which, reply)),
        6 => any::<usize>().prop_map(Step::Finish),
        1 => prop_oneof![9 => Just(Step::Begin), 1 => Just(Step::Close)],
    ]
}

/// What the model knows of a slot that is in use.
#[derive(Clone, Copy, Debug)]
struct Use {
    index: Index,
    buffer: usize,
    /// Whether somebody waits for it.
    awaited: bool,
    /// The reply, once the buffer is back.
    reply: Option<u32>,
}

/// One of the slots in use that fit.
fn pick(uses: &BTreeMap<usize, Use>, which: usize, fits: fn(&Use) -> bool) -> Option<Use> {
    let fitting: Vec<_> = uses.values().filter(|slot| fits(slot)).collect();
    fitting
        .get(which.checked_rem(fitting.len())?)
        .map(|&&slot| slot)
}

proptest! {
    #[test]
    fn slots_live_as_the_model_does(
        count in 1usize..=6, steps in proptest::collection::vec(step(), 0..200)
    ) {
        let mut slots = slots(count);
        let mut uses: BTreeMap<usize, Use> = BTreeMap::new();
        let mut closed = false;

        for step in steps {
            match step {
                Step::Begin => match slots.begin() {
                    Some((index, buffer)) => {
                        prop_assert!(!closed);
                        let slot = Use { index, buffer, awaited: true, reply: None };
                        prop_assert!(uses.insert(index.get(), slot).is_none());
                        // Each buffer stays with its slot.
                        prop_assert_eq!(buffer, index.get());
                    }
                    None => prop_assert!(closed || uses.len() == count),
                },
                Step::Cancel(which) => {
                    if let Some(slot) = pick(&uses, which, |slot| slot.awaited && slot.reply.is_none()) {
                        slots.cancel(slot.index, slot.buffer);
                        uses.remove(&slot.index.get());
                    }
                }
                Step::Return(which, reply) => {
                    if let Some(slot) = pick(&uses, which, |slot| slot.reply.is_none()) {
                        let returned = slots.returned(slot.index, slot.buffer, reply);
                        if slot.awaited {
                            prop_assert_eq!(returned, Returned::Awaited);
                            uses.insert(slot.index.get(), Use { reply: Some(reply), ..slot });
                        } else {
                            prop_assert_eq!(returned, Returned::Late);
                            uses.remove(&slot.index.get());
                        }
                    }
                }
                Step::Finish(which) => {
                    if let Some(slot) = pick(&uses, which, |slot| slot.awaited) {
                        prop_assert_eq!(slots.finish(slot.index), slot.reply);
                        match slot.reply {
                            Some(_) => uses.remove(&slot.index.get()),
                            None => uses.insert(slot.index.get(), Use { awaited: false, ..slot }),
                        };
                    }
                }
                Step::Close => {
                    slots.close();
                    closed = true;
                }
            }

            prop_assert_eq!(slots.is_closed(), closed);
            prop_assert_eq!(slots.free_count() as usize, count - uses.len());
            let waiting: Vec<_> = slots.waiting().map(Index::get).collect();
            let expected: Vec<_> = uses
                .values()
                .filter(|slot| slot.awaited && slot.reply.is_none())
                .map(|slot| slot.index.get())
                .collect();
            prop_assert_eq!(waiting, expected);
        }
    }
}

#[test]
fn all_slots_can_be_used_and_no_more() {
    for count in [0, 1, 2, 127, 128, 200] {
        let mut slots = slots(count);
        let usable = count.min(MAX_SLOTS);
        assert_eq!(slots.free_count() as usize, usable);
        for expected in 0..usable {
            let (index, buffer) = slots.begin().unwrap();
            assert_eq!((index.get(), buffer), (expected, expected));
        }
        assert!(slots.begin().is_none());
        assert_eq!(slots.free_count(), 0);
    }
}

#[test]
fn a_slot_that_was_given_up_is_not_used_before_its_buffer_is_back() {
    let mut slots = slots(1);
    let (index, buffer) = slots.begin().unwrap();
    assert_eq!(slots.finish(index), None);
    assert!(slots.begin().is_none());
    assert_eq!(slots.returned(index, buffer, 7), Returned::Late);
    // The late reply is nobody's: the next one gets its own.
    let (index, buffer) = slots.begin().unwrap();
    assert_eq!(slots.returned(index, buffer, 8), Returned::Awaited);
    assert_eq!(slots.finish(index), Some(8));
}

#[test]
fn a_buffer_that_was_not_missed_is_stray() {
    let mut slots = slots(2);
    let (index, buffer) = slots.begin().unwrap();
    assert_eq!(slots.returned(index, buffer, 1), Returned::Awaited);
    assert_eq!(slots.returned(index, 9, 2), Returned::Stray);
    assert_eq!(slots.finish(index), Some(1));
    assert_eq!(slots.returned(index, 9, 3), Returned::Stray);
    assert_eq!(slots.begin().map(|(_, buffer)| buffer), Some(0));
}

#[test]
fn what_is_under_way_can_end_after_a_close() {
    let mut slots = slots(2);
    let (index, buffer) = slots.begin().unwrap();
    slots.close();
    assert!(slots.begin().is_none());
    assert_eq!(slots.returned(index, buffer, 5), Returned::Awaited);
    assert_eq!(slots.finish(index), Some(5));
    assert!(slots.begin().is_none());
}
