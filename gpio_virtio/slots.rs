// SPDX-License-Identifier: GPL-2.0

//! The life of a request slot: free, with the device, answered, or given up.
//!
//! Each slot has a buffer. A slot is free while its buffer is here; while the device has the buffer,
//! the slot is either waited for or given up. A slot that was given up stays the device's until the
//! buffer comes back, however late that is: only then can it be used again.
//!
//! Slots that are begun together are a [`Batch`]: who waits for it waits once, for all replies.
//!
//! If no slot is free, one can queue up for it. Whoever does is promised a slot, in turn, when there
//! are any again, and nobody else gets that one.
//!
//! When the device is reset all buffers come back, without replies. Meanwhile the slots are paused: who
//! wants one queues up, but for the one that restores what the device has forgotten.
//!
//! Pure, like [`rfc`](super::rfc): compiled for the kernel and for the host from this one file. The
//! caller provides the storage, the lock and the waiting.

use core::ops::DerefMut;

/// Words of the set of free slots.
const WORDS: usize = 2;

/// The most slots there can be: as many as the set of free ones has bits.
pub const MAX_SLOTS: usize = WORDS * u64::BITS as usize;

/// The number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(u8);

impl Index {
    /// All numbers of `count` slots; of [`MAX_SLOTS`] if it is more.
    pub fn all(count: usize) -> impl Iterator<Item = Index> {
        // CAST: `MAX_SLOTS` is 128.
        (0..count.min(MAX_SLOTS) as u8).map(Index)
    }

    /// The number, below [`MAX_SLOTS`].
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// A set of slots: a bit for each.
#[derive(Clone, Copy, Debug, Default)]
struct Set {
    words: [u64; WORDS],
    /// How many there are: to count bits takes long where the processor cannot.
    len: usize,
}

impl Set {
    fn insert(&mut self, index: Index) {
        let bit = 1 << (index.get() % u64::BITS as usize);
        if let Some(word) = self.words.get_mut(index.get() / u64::BITS as usize) {
            if *word & bit == 0 {
                *word |= bit;
                self.len += 1;
            }
        }
    }

    /// Takes out the slot with the lowest number, if there is any.
    fn take_first(&mut self) -> Option<Index> {
        let (number, word) = self
            .words
            .iter_mut()
            .enumerate()
            .find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        // Clears the lowest bit that is set.
        *word &= *word - 1;
        self.len = self.len.saturating_sub(1);
        // CAST: The number is below `MAX_SLOTS`.
        Some(Index((number as u32 * u64::BITS + bit) as u8))
    }
}

/// What a slot is at the moment.
#[derive(Debug)]
enum State<B, R> {
    /// Nobody uses the slot.
    Free(B),
    /// The device has the buffer, and somebody waits for its reply.
    Waiting,
    /// The device has the buffer, and nobody waits any more.
    Abandoned,
    /// The buffer is back with a reply, which has not been collected yet; without one if the device was
    /// reset.
    Answered(B, Option<R>),
}

/// A slot that holds a buffer `B`, and at times a reply `R`.
///
/// It remembers what it was used for last, a `T`.
#[derive(Debug)]
pub struct Slot<B, R, T> {
    state: State<B, R>,
    used_for: T,
    /// The first slot of the batch that this one is in.
    first: Index,
    /// The next slot of that batch.
    next: Option<Index>,
    /// In the first slot of a batch: how many replies are missing, [`MAX_SLOTS`] at the most.
    missing: u8,
}

impl<B, R, T> Slot<B, R, T> {
    /// Makes a free slot with a buffer. It was not used for anything, which `used_for` stands for.
    pub const fn new(buffer: B, used_for: T) -> Self {
        Self {
            state: State::Free(buffer),
            used_for,
            first: Index(0),
            next: None,
            missing: 0,
        }
    }
}

/// Slots that were begun together, one at least.
#[derive(Debug)]
pub struct Batch {
    first: Index,
    last: Index,
}

impl Batch {
    /// The first slot; its number stands for the batch.
    pub const fn first(&self) -> Index {
        self.first
    }
}

/// Who wants a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// The one that restores the device, while the slots are paused.
    Restoring,
}

/// Whether slots can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Yes.
    Open,
    /// Not now; who wants one queues up.
    Paused,
    /// No, until the device is reset again: it does not work.
    Failed,
    /// Never again.
    Closed,
}

/// Why slots cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The device does not work.
    Failed,
    /// The device is going away.
    Closed,
}

/// What a returned buffer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It is the last one that its batch waits for: wake who waits. This is the batch's first slot.
    Complete(Index),
    /// Others of its batch are missing.
    Part,
    /// It comes too late. The slot is free again.
    Late,
    /// The slot did not miss a buffer. This cannot happen; the buffer is dropped.
    Stray,
}

/// The slots of a queue. `S` stores them.
#[derive(Debug)]
pub struct Slots<S> {
    storage: S,
    /// Those that are free.
    free: Set,
    /// How many of those are promised to somebody.
    promised: usize,
    /// How many have queued up and were not promised a slot yet.
    queued: usize,
    gate: Gate,
}

impl<S, B, R, T> Slots<S>
where
    S: DerefMut<Target = [Slot<B, R, T>]>,
    T: Copy,
{
    /// Takes the slots in `storage`, all of which are free. Those after [`MAX_SLOTS`] are not used.
    pub fn new(storage: S) -> Self {
        let mut free = Set::default();
        Index::all(storage.len()).for_each(|index| free.insert(index));

        Self {
            storage,
            free,
            promised: 0,
            queued: 0,
            gate: Gate::Open,
        }
    }

    fn slot_mut(&mut self, index: Index) -> Option<&mut Slot<B, R, T>> {
        self.storage.get_mut(index.get())
    }

    fn set_free(&mut self, index: Index, buffer: B) {
        if let Some(slot) = self.slot_mut(index) {
            slot.state = State::Free(buffer);
            self.free.insert(index);
        }
    }

    /// Takes the buffer of a free slot, to be given to the device.
    ///
    /// `None` if there is no [room](Self::room). If the device has got the buffer the slot is to be
    /// [added](Self::add) to a batch, else it is to be [cancelled](Self::cancel), before anything else.
    pub fn begin(&mut self, access: Access) -> Option<(Index, B)> {
        if self.room(access) == 0 {
            return None;
        }
        let index = self.free.take_first()?;
        let slot = self.slot_mut(index)?;

        match core::mem::replace(&mut slot.state, State::Waiting) {
            State::Free(buffer) => Some((index, buffer)),
            // The set says that it is free: this cannot happen.
            other => {
                slot.state = other;
                None
            }
        }
    }

    /// Puts back the buffer of a slot that was begun, because the device did not get it.
    pub fn cancel(&mut self, index: Index, buffer: B) {
        self.set_free(index, buffer);
    }

    /// Adds a slot that was begun to a batch, or starts a batch with it.
    pub fn add(&mut self, batch: &mut Option<Batch>, index: Index, used_for: T) {
        let (first, before) = match batch {
            Some(Batch { first, last }) => (*first, Some(core::mem::replace(last, index))),
            None => {
                *batch = Some(Batch {
                    first: index,
                    last: index,
                });
                (index, None)
            }
        };

        if let Some(slot) = self.slot_mut(index) {
            slot.used_for = used_for;
            slot.first = first;
            slot.next = None;
            slot.missing = 0;
        }
        if let Some(slot) = before.and_then(|before| self.slot_mut(before)) {
            slot.next = Some(index);
        }
        if let Some(slot) = self.slot_mut(first) {
            slot.missing += 1;
        }
    }

    /// What the device was asked by the buffer of a slot that it has.
    pub fn asked(&self, index: Index) -> Option<T> {
        let slot = self.storage.get(index.get())?;

        match slot.state {
            State::Waiting | State::Abandoned => Some(slot.used_for),
            State::Free(_) | State::Answered(..) => None,
        }
    }

    /// The device has returned the buffer of a slot, with a reply; or was reset, and there is none.
    pub fn returned(&mut self, index: Index, buffer: B, reply: Option<R>) -> Returned {
        let Some(slot) = self.slot_mut(index) else {
            return Returned::Stray;
        };
        match slot.state {
            State::Waiting => slot.state = State::Answered(buffer, reply),
            State::Abandoned => {
                self.set_free(index, buffer);
                return Returned::Late;
            }
            State::Free(_) | State::Answered(..) => return Returned::Stray,
        }

        let first = slot.first;
        let Some(slot) = self.slot_mut(first) else {
            return Returned::Stray;
        };
        slot.missing = slot.missing.saturating_sub(1);
        match slot.missing {
            0 => Returned::Complete(first),
            _ => Returned::Part,
        }
    }

    /// The one who waits for a batch is through with it, for whatever reason.
    ///
    /// `each` gets what each slot was used for, in the order in which they were added, and its reply.
    /// If there is one the slot is free. If not, the slot is given up, unless its buffer is back.
    pub fn finish(&mut self, batch: Batch, mut each: impl FnMut(T, Option<R>)) {
        let mut next = Some(batch.first);

        // (The links of a batch end; and there are no more than there are slots.)
        for _ in 0..self.storage.len() {
            let Some(index) = next else { break };
            let Some(slot) = self.slot_mut(index) else {
                break;
            };
            let used_for = slot.used_for;
            next = slot.next.take();

            match core::mem::replace(&mut slot.state, State::Abandoned) {
                State::Answered(buffer, reply) => {
                    self.set_free(index, buffer);
                    each(used_for, reply);
                }
                State::Waiting | State::Abandoned => each(used_for, None),
                // Nobody waited for it: this cannot happen.
                free @ State::Free(_) => {
                    slot.state = free;
                    each(used_for, None);
                }
            }
        }
    }

    /// How many slots can be begun now.
    pub fn room(&self, access: Access) -> usize {
        match (self.gate, access) {
            (Gate::Open, Access::Open) => self.free.len.saturating_sub(self.promised),
            (Gate::Paused, Access::Restoring) => self.free.len,
            _ => 0,
        }
    }

    /// Queues up for a slot.
    pub fn queue_up(&mut self) {
        self.queued += 1;
    }

    /// Promises slots that are free to those who have queued up, and returns how many of them are to
    /// be woken.
    pub fn promise(&mut self) -> usize {
        let count = match self.refusal() {
            // They are to hear that there will be none.
            Some(_) => self.queued,
            None => self.room(Access::Open).min(self.queued),
        };

        self.queued -= count;
        self.promised += count;
        count
    }

    /// One who was promised a slot is here: there is [room](Self::room) for it, unless the slots were
    /// paused since.
    pub fn redeem(&mut self) {
        self.promised = self.promised.saturating_sub(1);
    }

    /// One who has queued up, and was not promised a slot, gives up.
    pub fn leave(&mut self) {
        self.queued = self.queued.saturating_sub(1);
    }

    /// Lets no request begin until [`resume`](Self::resume), but for those of [`Access::Restoring`].
    pub fn pause(&mut self) {
        self.set_gate(Gate::Paused);
    }

    /// Lets requests begin again.
    pub fn resume(&mut self) {
        self.set_gate(Gate::Open);
    }

    /// Lets no request begin: the device does not work. [`pause`](Self::pause) ends that.
    pub fn fail(&mut self) {
        self.set_gate(Gate::Failed);
    }

    /// Lets no request begin any more.
    pub fn close(&mut self) {
        self.set_gate(Gate::Closed);
    }

    fn set_gate(&mut self, gate: Gate) {
        if self.gate != Gate::Closed {
            self.gate = gate;
        }
    }

    /// Why no slot can be had, if it is no use to wait for one.
    pub fn refusal(&self) -> Option<Refusal> {
        match self.gate {
            Gate::Open | Gate::Paused => None,
            Gate::Failed => Some(Refusal::Failed),
            Gate::Closed => Some(Refusal::Closed),
        }
    }

    /// The first slots of the batches that somebody waits for, some of them several times.
    pub fn waiting<'a>(&'a self) -> impl Iterator<Item = Index> + 'a
    where
        B: 'a,
        R: 'a,
        T: 'a,
    {
        self.storage
            .iter()
            .take(MAX_SLOTS)
            .filter(|slot| matches!(slot.state, State::Waiting))
            .map(|slot| slot.first)
    }

    /// How many slots there are.
    pub fn count(&self) -> usize {
        self.storage.len().min(MAX_SLOTS)
    }

    /// How many slots are free.
    pub fn free_count(&self) -> usize {
        self.free.len
    }
}
