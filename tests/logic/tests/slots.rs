// SPDX-License-Identifier: GPL-2.0

//! The life of request slots, against a model that keeps the books in another way.

use std::collections::BTreeMap;

use gpio_virtio_logic::slots::{
    Access,
    Batch,
    Index,
    Refusal,
    Returned,
    Slot,
    Slots,
    MAX_SLOTS, //
};
use proptest::prelude::*;

/// A buffer has the number of its slot, and what a slot is used for is a number too.
type TestSlots = Slots<Vec<Slot<usize, u32, u32>>>;

/// Slots of which each has a buffer with its own number.
fn slots(count: usize) -> TestSlots {
    Slots::new(
        (0..count)
            .map(|number| Slot::new(number, 0))
            .collect::<Vec<_>>(),
    )
}

/// Begins a slot and adds it to a batch.
fn begin(
    slots: &mut TestSlots,
    batch: &mut Option<Batch>,
    used_for: u32,
) -> Option<(Index, usize)> {
    let (index, buffer) = slots.begin(Access::Open)?;
    slots.add(batch, index, used_for);
    Some((index, buffer))
}

/// What a batch ends with.
fn finish(slots: &mut TestSlots, batch: Option<Batch>) -> Vec<(u32, Option<u32>)> {
    let mut result = Vec::new();
    if let Some(batch) = batch {
        slots.finish(batch, |used_for, reply| result.push((used_for, reply)));
    }
    result
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Begins a batch of so many, or of as many as there is room for.
    Begin(usize),
    /// Begins a slot that the device does not get.
    Cancel,
    Return(usize, Option<u32>),
    Finish(usize),
    QueueUp,
    Leave,
    Redeem,
    Set(Gate),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    Paused,
    Failed,
    Closed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1usize..=4).prop_map(Step::Begin),
        1 => Just(Step::Cancel),
        12 => (any::<usize>(), proptest::option::weighted(0.8, any::<u32>()))
            .prop_map(|(which, reply)| Step::Return(which, reply)),
        6 => any::<usize>().prop_map(Step::Finish),
        2 => Just(Step::QueueUp),
        1 => Just(Step::Leave),
        3 => Just(Step::Redeem),
        2 => prop_oneof![
            20 => Just(Gate::Open),
            6 => Just(Gate::Paused),
            4 => Just(Gate::Failed),
            1 => Just(Gate::Closed),
        ]
        .prop_map(Step::Set),
    ]
}

/// What the model knows of a slot that is in use.
#[derive(Clone, Copy, Debug)]
struct Use {
    index: Index,
    used_for: u32,
    /// The batch that waits for it, if one does.
    batch: Option<u32>,
    /// The reply, once the buffer is back; there is none if the device was reset.
    reply: Option<Option<u32>>,
}

/// The whole of the model.
#[derive(Debug, Default)]
struct Model {
    uses: BTreeMap<usize, Use>,
    batches: BTreeMap<u32, Batch>,
    next: u32,
    queued: usize,
    promised: usize,
    gate: Gate,
}

impl Model {
    fn room(&self, count: usize) -> usize {
        match self.gate {
            // Those who were told that there are no slots count as promised one until they are here.
            Gate::Open => (count - self.uses.len()).saturating_sub(self.promised),
            Gate::Paused | Gate::Failed | Gate::Closed => 0,
        }
    }

    /// How many replies a batch waits for.
    fn missing(&self, batch: u32) -> usize {
        self.uses
            .values()
            .filter(|slot| slot.batch == Some(batch) && slot.reply.is_none())
            .count()
    }
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    from.get(which.checked_rem(from.len())?).copied()
}

proptest! {
    #[test]
    fn slots_live_as_the_model_does(
        count in 1usize..=6, steps in proptest::collection::vec(step(), 0..200)
    ) {
        let mut slots = slots(count);
        let mut model = Model::default();

        for step in steps {
            match step {
                Step::Begin(wanted) => {
                    let room = model.room(count);
                    let number = model.next;
                    let mut batch = None;
                    let mut begun = 0;
                    while begun < wanted {
                        model.next += 1;
                        let Some((index, buffer)) = begin(&mut slots, &mut batch, model.next) else {
                            break;
                        };
                        begun += 1;
                        // Each buffer stays with its slot.
                        prop_assert_eq!(buffer, index.get());
                        let slot =
                            Use { index, used_for: model.next, batch: Some(number), reply: None };
                        prop_assert!(model.uses.insert(index.get(), slot).is_none());
                    }
                    prop_assert_eq!(begun, wanted.min(room));
                    if let Some(batch) = batch {
                        model.batches.insert(number, batch);
                    }
                }
                Step::Cancel => {
                    if let Some((index, buffer)) = slots.begin(Access::Open) {
                        slots.cancel(index, buffer);
                    }
                }
                Step::Return(which, reply) => {
                    let out: Vec<usize> = model.uses.values()
                        .filter(|slot| slot.reply.is_none())
                        .map(|slot| slot.index.get())
                        .collect();
                    let Some(slot) = pick(&out, which).and_then(|key| model.uses.get(&key).copied())
                    else {
                        continue;
                    };
                    prop_assert_eq!(slots.asked(slot.index), Some(slot.used_for));
                    let returned = slots.returned(slot.index, slot.index.get(), reply);
                    prop_assert_eq!(slots.asked(slot.index), None);
                    match slot.batch {
                        Some(batch) => {
                            let answered = Use { reply: Some(reply), ..slot };
                            model.uses.insert(slot.index.get(), answered);
                            let expected = match model.missing(batch) {
                                0 => Returned::Complete(model.batches[&batch].first()),
                                _ => Returned::Part,
                            };
                            prop_assert_eq!(returned, expected);
                        }
                        None => {
                            model.uses.remove(&slot.index.get());
                            prop_assert_eq!(returned, Returned::Late);
                        }
                    }
                }
                Step::Finish(which) => {
                    let all: Vec<u32> = model.batches.keys().copied().collect();
                    let Some(number) = pick(&all, which) else { continue };
                    let batch = model.batches.remove(&number);
                    // In the order in which they were begun.
                    let mut expected: Vec<_> = model.uses.values()
                        .filter(|slot| slot.batch == Some(number))
                        .map(|slot| (slot.used_for, slot.reply.flatten()))
                        .collect();
                    expected.sort_unstable();
                    prop_assert_eq!(finish(&mut slots, batch), expected);
                    model.uses.retain(|_, slot| slot.batch != Some(number) || slot.reply.is_none());
                    for slot in model.uses.values_mut() {
                        slot.batch = slot.batch.filter(|&batch| batch != number);
                    }
                }
                Step::QueueUp => {
                    slots.queue_up();
                    model.queued += 1;
                }
                Step::Leave => if model.queued > 0 {
                    slots.leave();
                    model.queued -= 1;
                },
                Step::Redeem => if model.promised > 0 {
                    slots.redeem();
                    model.promised -= 1;
                },
                Step::Set(gate) => {
                    match gate {
                        Gate::Open => slots.resume(),
                        Gate::Paused => slots.pause(),
                        Gate::Failed => slots.fail(),
                        Gate::Closed => slots.close(),
                    }
                    // That is for ever.
                    if model.gate != Gate::Closed {
                        model.gate = gate;
                    }
                }
            }

            // Whoever has queued up gets what there is.
            let woken = slots.promise();
            let expected = match model.gate {
                Gate::Open | Gate::Paused => model.queued.min(model.room(count)),
                // There is no use in waiting.
                Gate::Failed | Gate::Closed => model.queued,
            };
            prop_assert_eq!(woken, expected);
            model.queued -= woken;
            model.promised += woken;

            prop_assert_eq!(slots.refusal(), match model.gate {
                Gate::Open | Gate::Paused => None,
                Gate::Failed => Some(Refusal::Failed),
                Gate::Closed => Some(Refusal::Closed),
            });
            prop_assert_eq!(slots.free_count(), count - model.uses.len());
            prop_assert_eq!(slots.room(Access::Open), model.room(count));
            prop_assert_eq!(slots.room(Access::Restoring), match model.gate {
                Gate::Paused => count - model.uses.len(),
                _ => 0,
            });
            let mut waiting: Vec<_> = slots.waiting().map(Index::get).collect();
            let mut expected: Vec<_> = model.uses.values()
                .filter(|slot| slot.reply.is_none())
                .filter_map(|slot| Some(model.batches[&slot.batch?].first().get()))
                .collect();
            waiting.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(waiting, expected);
        }
    }
}

#[test]
fn all_slots_can_be_used_and_no_more() {
    for count in [0, 1, 2, 127, 128, 200] {
        let mut slots = slots(count);
        let usable = count.min(MAX_SLOTS);
        let mut batch = None;
        assert_eq!(slots.free_count(), usable);
        for expected in 0..usable {
            let (index, buffer) = begin(&mut slots, &mut batch, 0).unwrap();
            assert_eq!((index.get(), buffer), (expected, expected));
        }
        assert!(slots.begin(Access::Open).is_none());
        assert_eq!(slots.free_count(), 0);
    }
}

#[test]
fn a_slot_that_was_given_up_is_not_used_before_its_buffer_is_back() {
    let mut slots = slots(1);
    let mut batch = None;
    let (index, buffer) = begin(&mut slots, &mut batch, 1).unwrap();
    assert_eq!(finish(&mut slots, batch), [(1, None)]);
    assert!(slots.begin(Access::Open).is_none());
    assert_eq!(slots.returned(index, buffer, Some(7)), Returned::Late);
    // The late reply is nobody's: the next one gets its own.
    let mut batch = None;
    let (index, buffer) = begin(&mut slots, &mut batch, 2).unwrap();
    assert_eq!(
        slots.returned(index, buffer, Some(8)),
        Returned::Complete(index)
    );
    assert_eq!(finish(&mut slots, batch), [(2, Some(8))]);
}

#[test]
fn a_late_reply_does_not_count_for_the_next_batch() {
    let mut slots = slots(3);
    let mut batch = None;
    let (first, _) = begin(&mut slots, &mut batch, 1).unwrap();
    let (second, _) = begin(&mut slots, &mut batch, 2).unwrap();
    assert_eq!(slots.returned(first, 0, Some(5)), Returned::Part);
    assert_eq!(finish(&mut slots, batch), [(1, Some(5)), (2, None)]);

    // The next batch has the same first slot.
    let mut batch = None;
    assert_eq!(begin(&mut slots, &mut batch, 3), Some((first, 0)));
    let (third, _) = begin(&mut slots, &mut batch, 4).unwrap();
    assert_eq!(slots.returned(second, 1, Some(6)), Returned::Late);
    assert_eq!(slots.returned(third, 2, Some(7)), Returned::Part);
    assert_eq!(slots.returned(first, 0, Some(8)), Returned::Complete(first));
    assert_eq!(finish(&mut slots, batch), [(3, Some(8)), (4, Some(7))]);
}

#[test]
fn a_promised_slot_is_nobody_elses() {
    let mut slots = slots(1);
    let mut batch = None;
    let (index, buffer) = begin(&mut slots, &mut batch, 1).unwrap();
    slots.queue_up();
    assert_eq!(slots.promise(), 0);
    assert_eq!(
        slots.returned(index, buffer, Some(0)),
        Returned::Complete(index)
    );
    finish(&mut slots, batch);
    assert_eq!(slots.promise(), 1);
    // It is free, but not to be had.
    assert_eq!((slots.free_count(), slots.room(Access::Open)), (1, 0));
    assert!(slots.begin(Access::Open).is_none());
    slots.redeem();
    assert!(slots.begin(Access::Open).is_some());
}

#[test]
fn a_buffer_that_was_not_missed_is_stray() {
    let mut slots = slots(2);
    let mut batch = None;
    let (index, buffer) = begin(&mut slots, &mut batch, 1).unwrap();
    assert_eq!(
        slots.returned(index, buffer, Some(1)),
        Returned::Complete(index)
    );
    assert_eq!(slots.returned(index, 9, Some(2)), Returned::Stray);
    assert_eq!(finish(&mut slots, batch), [(1, Some(1))]);
    assert_eq!(slots.returned(index, 9, Some(3)), Returned::Stray);
    assert_eq!(slots.begin(Access::Open).map(|(_, buffer)| buffer), Some(0));
}

#[test]
fn what_is_under_way_can_end_after_a_close() {
    let mut slots = slots(2);
    let mut batch = None;
    let (index, buffer) = begin(&mut slots, &mut batch, 1).unwrap();
    slots.close();
    assert!(slots.begin(Access::Open).is_none());
    assert_eq!(
        slots.returned(index, buffer, Some(5)),
        Returned::Complete(index)
    );
    assert_eq!(finish(&mut slots, batch), [(1, Some(5))]);
    assert!(slots.begin(Access::Open).is_none());
}

/// A reset ends all waits without a reply, and whoever comes meanwhile waits until it is over.
#[test]
fn a_reset_gives_all_slots_back() {
    let mut slots = slots(2);
    let (mut waited_for, mut given_up) = (None, None);
    let (first, _) = begin(&mut slots, &mut waited_for, 1).expect("there is one");
    let (second, _) = begin(&mut slots, &mut given_up, 2).expect("there is one");
    assert_eq!(finish(&mut slots, given_up), [(2, None)]);

    slots.pause();
    slots.queue_up();
    assert_eq!(slots.returned(first, 0, None), Returned::Complete(first));
    assert_eq!(slots.returned(second, 1, None), Returned::Late);
    assert_eq!(finish(&mut slots, waited_for), [(1, None)]);
    assert_eq!((slots.free_count(), slots.promise()), (2, 0));

    // Who restores the device has what it needs.
    assert!(slots.begin(Access::Open).is_none());
    let (index, buffer) = slots.begin(Access::Restoring).expect("all are free");
    slots.cancel(index, buffer);

    slots.resume();
    assert_eq!(slots.promise(), 1);
    assert!(slots.begin(Access::Restoring).is_none());
    slots.redeem();
    assert!(slots.begin(Access::Open).is_some());
}

/// Nobody waits for a device that does not work.
#[test]
fn who_waits_hears_that_the_device_has_failed() {
    let mut slots = slots(1);
    slots.pause();
    slots.queue_up();
    assert_eq!(slots.promise(), 0);

    slots.fail();
    assert_eq!(slots.promise(), 1);
    slots.redeem();
    assert_eq!(slots.refusal(), Some(Refusal::Failed));

    slots.pause();
    assert_eq!(slots.refusal(), None);
}
