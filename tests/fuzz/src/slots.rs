// SPDX-License-Identifier: GPL-2.0

//! Slots: any sequence of what callers, the device and a reset do, against books that are kept by who
//! has which buffer.

use std::collections::BTreeMap;

use gpio_virtio_logic::slots::{
    Access,
    Batch,
    Index,
    Refusal,
    Returned,
    Slot,
    Slots, //
};

/// A buffer has the number of its slot.
type Storage = Vec<Slot<usize, u8, u32>>;

/// The most steps of one input.
const MAX_STEPS: usize = 500;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Begins a batch of so many, or of as many as there is room for.
    Begin(Access, usize),
    /// Begins a slot that the device does not get.
    Cancel(Access),
    /// The device answers one of the messages that it has; or it returns the buffer without a reply.
    Return(usize, Option<u8>),
    /// It returns a buffer that it does not have. (The ring does not let it; but if it did.)
    ReturnStray(usize),
    /// A caller ends, whether all replies are there or not.
    Finish(usize),
    QueueUp,
    Leave,
    Redeem,
    /// A reset begins: the device has no buffer any more.
    Reset,
    Resume,
    Fail,
    Close,
}

impl Step {
    fn new(step: u8, argument: u8) -> Self {
        let access = match argument & 0x80 {
            0 => Access::Open,
            _ => Access::Restoring,
        };
        let which = usize::from(argument & 0x7f);
        match step % 16 {
            0..=2 => Step::Begin(access, 1 + which % 4),
            3 => Step::Cancel(access),
            4..=6 => Step::Return(which, Some(step)),
            7 => Step::ReturnStray(which),
            8 | 9 => Step::Finish(which),
            10 => Step::QueueUp,
            11 => Step::Leave,
            12 => Step::Redeem,
            13 => Step::Reset,
            14 => Step::Resume,
            _ => match argument % 4 {
                0 => Step::Fail,
                1 if argument > 0xe0 => Step::Close,
                _ => Step::Return(which, None),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Paused,
    Failed,
    Closed,
}

/// A slot whose buffer the device has, or has returned to who waits.
#[derive(Clone, Copy, Debug)]
struct Use {
    index: Index,
    used_for: u32,
    /// The caller that waits, if one does.
    caller: Option<u32>,
    /// What the buffer came back with, if it is back.
    came_with: Option<Option<u8>>,
}

struct World {
    slots: Slots<Storage>,
    count: usize,
    /// All indices.
    all: Vec<Index>,
    /// By number; those that are not here are free.
    uses: BTreeMap<usize, Use>,
    callers: BTreeMap<u32, Batch>,
    /// Counts callers and messages.
    next: u32,
    queued: usize,
    promised: usize,
    /// There is a slot for each promise: none was made, or broken, while the gate was shut.
    is_promise_kept: bool,
    gate: Gate,
}

/// Runs an input: a byte for the number of slots, and two for each step.
pub fn slots(data: &[u8]) {
    let Some((&count, steps)) = data.split_first() else {
        return;
    };
    // Seldom more than one word of the set.
    let mut world = World::new(match count {
        0xf0.. => 60 + usize::from(count % 16),
        _ => usize::from(count % 8),
    });

    for step in steps.chunks_exact(2).take(MAX_STEPS) {
        if let [step, argument] = *step {
            let step = Step::new(step, argument);
            note!("{step:?}");
            world.run(step);
            world.promise();
            world.look();
        }
    }
    world.end();
}

/// One of them, if there is any.
fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    from.get(which.checked_rem(from.len())?).copied()
}

impl World {
    fn new(count: usize) -> Self {
        let storage: Storage = (0..count).map(|number| Slot::new(number, 0)).collect();

        Self {
            slots: Slots::new(storage),
            count,
            all: Index::all(count).collect(),
            uses: BTreeMap::new(),
            callers: BTreeMap::new(),
            next: 1,
            queued: 0,
            promised: 0,
            is_promise_kept: true,
            gate: Gate::Open,
        }
    }

    fn free(&self) -> usize {
        self.count - self.uses.len()
    }

    fn room(&self, access: Access) -> usize {
        match (self.gate, access) {
            (Gate::Open, Access::Open) => self.free().saturating_sub(self.promised),
            (Gate::Paused, Access::Restoring) => self.free(),
            _ => 0,
        }
    }

    /// The slots whose buffers the device has.
    fn out(&self) -> Vec<Use> {
        let uses = self.uses.values().copied();

        uses.filter(|slot| slot.came_with.is_none()).collect()
    }

    /// How many buffers a caller waits for.
    fn missing(&self, caller: u32) -> usize {
        let out = self.out();

        out.iter()
            .filter(|slot| slot.caller == Some(caller))
            .count()
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Begin(access, wanted) => self.begin(access, wanted),
            Step::Cancel(access) => {
                let room = self.room(access);
                let begun = self.slots.begin(access);
                assert_eq!(begun.is_some(), room > 0);
                if let Some((index, buffer)) = begun {
                    self.check_new(index, buffer);
                    self.slots.cancel(index, buffer);
                }
            }
            Step::Return(which, reply) => {
                if let Some(slot) = pick(&self.out(), which) {
                    self.returned(slot, reply);
                }
            }
            Step::ReturnStray(which) => {
                let out = self.out();
                let is_out = |index: &Index| out.iter().any(|slot| slot.index == *index);
                let index = pick(&self.all, which).filter(|index| !is_out(index));
                if let Some(index) = index {
                    assert_eq!(self.slots.asked(index), None);
                    let returned = self.slots.returned(index, usize::MAX, Some(0));
                    assert_eq!(returned, Returned::Stray);
                }
            }
            Step::Finish(which) => {
                let callers: Vec<u32> = self.callers.keys().copied().collect();
                if let Some(caller) = pick(&callers, which) {
                    self.finish(caller);
                }
            }
            Step::QueueUp => {
                self.slots.queue_up();
                self.queued += 1;
            }
            Step::Leave if self.queued > 0 => {
                self.slots.leave();
                self.queued -= 1;
            }
            Step::Redeem if self.promised > 0 => {
                self.slots.redeem();
                self.promised -= 1;
                if self.is_promise_kept {
                    assert!(self.slots.room(Access::Open) > 0);
                }
            }
            Step::Leave | Step::Redeem => (),
            Step::Reset => {
                self.set_gate(Gate::Paused);
                for slot in self.out() {
                    self.returned(slot, None);
                }
            }
            Step::Resume => self.set_gate(Gate::Open),
            Step::Fail => self.set_gate(Gate::Failed),
            Step::Close => self.set_gate(Gate::Closed),
        }
    }

    fn set_gate(&mut self, gate: Gate) {
        match gate {
            Gate::Open => self.slots.resume(),
            Gate::Paused => self.slots.pause(),
            Gate::Failed => self.slots.fail(),
            Gate::Closed => self.slots.close(),
        }
        // That is for ever.
        if self.gate != Gate::Closed {
            self.gate = gate;
        }
        // Meanwhile the slots are those of who restores the device; or who waits is woken to hear that
        // there are none.
        self.is_promise_kept &= self.gate == Gate::Open;
    }

    /// A slot that was just begun is one that nobody has, and has its own buffer.
    fn check_new(&self, index: Index, buffer: usize) {
        assert_eq!(buffer, index.get());
        assert!(!self.uses.contains_key(&buffer), "two owners of {buffer}");
    }

    fn begin(&mut self, access: Access, wanted: usize) {
        let room = self.room(access);
        let caller = self.next;
        let mut batch = None;
        let mut begun = 0;

        while begun < wanted {
            let Some((index, buffer)) = self.slots.begin(access) else {
                break;
            };
            self.check_new(index, buffer);
            self.next += 1;
            self.slots.add(&mut batch, index, self.next);
            let slot = Use {
                index,
                used_for: self.next,
                caller: Some(caller),
                came_with: None,
            };
            self.uses.insert(buffer, slot);
            begun += 1;
        }
        assert_eq!(begun, wanted.min(room));
        if let Some(batch) = batch {
            self.callers.insert(caller, batch);
        }
        self.next += 1;
    }

    fn returned(&mut self, slot: Use, reply: Option<u8>) {
        let number = slot.index.get();

        assert_eq!(self.slots.asked(slot.index), Some(slot.used_for));
        let returned = self.slots.returned(slot.index, number, reply);
        assert_eq!(self.slots.asked(slot.index), None);
        let Some(caller) = slot.caller else {
            assert_eq!(returned, Returned::Late);
            self.uses.remove(&number);
            return;
        };
        let came_with = Some(reply);
        self.uses.insert(number, Use { came_with, ..slot });
        match (self.missing(caller), self.callers.get(&caller)) {
            // The one who waits is woken for the last one, and not before.
            (0, Some(batch)) => assert_eq!(returned, Returned::Complete(batch.first())),
            _ => assert_eq!(returned, Returned::Part),
        }
    }

    fn finish(&mut self, caller: u32) {
        let Some(batch) = self.callers.remove(&caller) else {
            return;
        };
        // Messages are numbered in the order in which they were begun.
        let mut expected: Vec<(u32, Option<u8>)> = self
            .uses
            .values()
            .filter(|slot| slot.caller == Some(caller))
            .map(|slot| (slot.used_for, slot.came_with.flatten()))
            .collect();
        expected.sort_unstable();

        let mut replies = Vec::new();
        self.slots
            .finish(batch, |used_for, reply| replies.push((used_for, reply)));
        assert_eq!(replies, expected);

        self.uses
            .retain(|_, slot| slot.caller != Some(caller) || slot.came_with.is_none());
        for slot in self.uses.values_mut() {
            slot.caller = slot.caller.filter(|&other| other != caller);
        }
    }

    /// Whoever has queued up is woken when there is a slot, or none will be.
    fn promise(&mut self) {
        let expected = match self.gate {
            Gate::Open | Gate::Paused => self.queued.min(self.room(Access::Open)),
            Gate::Failed | Gate::Closed => self.queued,
        };
        self.is_promise_kept |= self.promised == 0 && self.gate == Gate::Open;
        let woken = self.slots.promise();
        assert_eq!(woken, expected);
        self.queued -= woken;
        self.promised += woken;
    }

    fn look(&self) {
        let slots = &self.slots;
        let out = self.out();

        assert_eq!(slots.count(), self.count);
        assert_eq!(slots.free_count(), self.free(), "a slot was lost");
        for access in [Access::Open, Access::Restoring] {
            assert_eq!(slots.room(access), self.room(access));
        }
        assert_eq!(
            slots.refusal(),
            match self.gate {
                Gate::Open | Gate::Paused => None,
                Gate::Failed => Some(Refusal::Failed),
                Gate::Closed => Some(Refusal::Closed),
            }
        );
        let mut waiting: Vec<usize> = slots.waiting().map(Index::get).collect();
        let callers = out.iter().filter_map(|slot| slot.caller);
        let mut expected: Vec<usize> = callers
            .filter_map(|caller| self.callers.get(&caller))
            .map(|batch| batch.first().get())
            .collect();
        waiting.sort_unstable();
        expected.sort_unstable();
        assert_eq!(waiting, expected);
    }

    /// All callers end, and all buffers come back: then all slots are free.
    fn end(&mut self) {
        while let Some(&caller) = self.callers.keys().next() {
            self.finish(caller);
        }
        for slot in self.out() {
            self.returned(slot, None);
        }
        self.look();
        assert_eq!(self.slots.free_count(), self.count);
    }
}
