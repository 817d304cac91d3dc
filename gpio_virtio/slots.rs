// SPDX-License-Identifier: GPL-2.0

//! The life of a request slot: free, with the device, answered, or given up.
//!
//! Each slot has a buffer. A slot is free while its buffer is here; while the device has the buffer,
//! the slot is either waited for or given up. A slot that was given up stays the device's until the
//! buffer comes back, however late that is: only then can it be used again.
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
struct Set([u64; WORDS]);

impl Set {
    /// The word and the bit that stand for a slot.
    fn place(&mut self, index: Index) -> Option<(&mut u64, u64)> {
        let bit = 1 << (index.get() % u64::BITS as usize);
        let word = self.0.get_mut(index.get() / u64::BITS as usize)?;
        Some((word, bit))
    }

    fn insert(&mut self, index: Index) {
        if let Some((word, bit)) = self.place(index) {
            *word |= bit;
        }
    }

    /// Takes out the slot with the lowest number, if there is any.
    fn take_first(&mut self) -> Option<Index> {
        let (number, word) = self
            .0
            .iter_mut()
            .enumerate()
            .find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        // Clears the lowest bit that is set.
        *word &= *word - 1;
        // CAST: The number is below `MAX_SLOTS`.
        Some(Index((number as u32 * u64::BITS + bit) as u8))
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// A slot that holds a buffer `B`, and at times a reply `R`.
#[derive(Debug)]
pub enum Slot<B, R> {
    /// Nobody uses the slot.
    Free(B),
    /// The device has the buffer, and somebody waits for its reply.
    Waiting,
    /// The device has the buffer, and nobody waits any more.
    Abandoned,
    /// The buffer is back with a reply, which has not been collected yet.
    Answered(B, R),
}

/// What a returned buffer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// Somebody waits for it: wake them.
    Awaited,
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
    closed: bool,
}

impl<S, B, R> Slots<S>
where
    S: DerefMut<Target = [Slot<B, R>]>,
{
    /// Takes the slots in `storage`, all of which are free. Those after [`MAX_SLOTS`] are not used.
    pub fn new(storage: S) -> Self {
        let mut free = Set::default();
        Index::all(storage.len()).for_each(|index| free.insert(index));

        Self {
            storage,
            free,
            closed: false,
        }
    }

    fn slot_mut(&mut self, index: Index) -> Option<&mut Slot<B, R>> {
        self.storage.get_mut(index.get())
    }

    fn set_free(&mut self, index: Index, buffer: B) {
        if let Some(slot) = self.slot_mut(index) {
            *slot = Slot::Free(buffer);
            self.free.insert(index);
        }
    }

    /// Takes the buffer of a free slot, to be given to the device.
    ///
    /// `None` if no slot is free, or the slots are closed.
    pub fn begin(&mut self) -> Option<(Index, B)> {
        if self.closed {
            return None;
        }
        let index = self.free.take_first()?;
        let slot = self.slot_mut(index)?;

        match core::mem::replace(slot, Slot::Waiting) {
            Slot::Free(buffer) => Some((index, buffer)),
            // The set says that it is free: this cannot happen.
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Puts back the buffer of a slot that was begun, because the device did not get it.
    pub fn cancel(&mut self, index: Index, buffer: B) {
        self.set_free(index, buffer);
    }

    /// The device has returned the buffer of a slot, with a reply.
    pub fn returned(&mut self, index: Index, buffer: B, reply: R) -> Returned {
        match self.slot_mut(index) {
            Some(slot @ Slot::Waiting) => {
                *slot = Slot::Answered(buffer, reply);
                Returned::Awaited
            }
            Some(Slot::Abandoned) => {
                self.set_free(index, buffer);
                Returned::Late
            }
            _ => Returned::Stray,
        }
    }

    /// The one who waits for a slot is through with it, for whatever reason.
    ///
    /// If there is a reply, this returns it, and the slot is free. If not, the slot is given up.
    pub fn finish(&mut self, index: Index) -> Option<R> {
        let slot = self.slot_mut(index)?;

        match core::mem::replace(slot, Slot::Abandoned) {
            Slot::Answered(buffer, reply) => {
                self.set_free(index, buffer);
                Some(reply)
            }
            Slot::Waiting | Slot::Abandoned => None,
            // Nobody waited for it: this cannot happen.
            free @ Slot::Free(_) => {
                *slot = free;
                None
            }
        }
    }

    /// Lets no request begin any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The slots that somebody waits for.
    pub fn waiting<'a>(&'a self) -> impl Iterator<Item = Index> + 'a
    where
        B: 'a,
        R: 'a,
    {
        Index::all(self.storage.len())
            .zip(self.storage.iter())
            .filter(|(_, slot)| matches!(slot, Slot::Waiting))
            .map(|(index, _)| index)
    }

    /// How many slots are free.
    pub fn free_count(&self) -> u32 {
        self.free.len()
    }
}
