// SPDX-License-Identifier: GPL-2.0

//! One virtqueue: chains taken from it, and given back.
//!
//! Nothing is written to the guest's memory but under the lock of the ring, and only while the ring
//! is ready and enabled. A front end that has stopped or disabled the ring, which takes the same
//! lock, can so be sure that the memory is its own again.

use std::{
    collections::HashSet,
    hint,
    num::Wrapping,
    time::{
        Duration,
        Instant, //
    },
};

use vhost_user_backend::{
    VringRwLock,
    VringState,
    VringT, //
};
use virtio_queue::{
    desc::split::Descriptor,
    DescriptorChain,
    QueueOwnedT,
    QueueT, //
};
use vm_memory::{
    Address,
    Bytes,
    GuestAddress,
    GuestAddressSpace,
    GuestMemoryAtomic,
    GuestMemoryMmap, //
};

use crate::violation::Violation;

/// The memory that a front end shares with us.
pub type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// More device-readable bytes than this are counted, but not looked at.
const LOOKED_AT: usize = 64;

/// How long an interrupt that the driver does not want comes after the reply.
const LATE: Duration = Duration::from_micros(10);

/// Bytes of a used ring before its elements, and of each of those.
const USED_HEADER: u64 = 4;
const USED_ELEMENT: u64 = 8;

/// A chain of descriptors that the driver has handed to the device.
#[derive(Debug)]
pub struct Chain {
    head: u16,
    readable: Vec<u8>,
    readable_size: u64,
    writable: Vec<(GuestAddress, u32)>,
    writable_size: u64,
    defect: Option<Violation>,
}

impl Chain {
    /// What the driver has written into it; no more than any message has.
    pub fn readable(&self) -> &[u8] {
        &self.readable
    }

    /// How many bytes the driver has written into it.
    pub fn readable_size(&self) -> u64 {
        self.readable_size
    }

    /// How many bytes the device can write into it.
    pub fn writable_size(&self) -> u64 {
        self.writable_size
    }

    /// What makes the chain unusable, if anything does.
    pub fn defect(&self) -> Option<Violation> {
        self.defect
    }

    /// A chain of nothing.
    pub(crate) fn new(head: u16) -> Self {
        Self {
            head,
            readable: Vec::new(),
            readable_size: 0,
            writable: Vec::new(),
            writable_size: 0,
            defect: None,
        }
    }

    fn found(&mut self, defect: Violation) {
        self.defect.get_or_insert(defect);
    }

    /// Walks along the descriptors.
    fn walk<M>(chain: DescriptorChain<M>, memory: &GuestMemoryMmap) -> Self
    where
        M: std::ops::Deref<Target = GuestMemoryMmap>,
    {
        let mut result = Self::new(chain.head_index());
        let mut last: Option<Descriptor> = None;

        for descriptor in chain {
            if descriptor.is_write_only() {
                result.writable.push((descriptor.addr(), descriptor.len()));
                result.writable_size += u64::from(descriptor.len());
            } else {
                result.read(&descriptor, memory);
            }
            last = Some(descriptor);
        }

        // The crate ends the walk without a word where it cannot go on.
        match last {
            None => result.found(Violation::ChainBroken),
            Some(last) if last.has_next() => result.found(Violation::ChainBroken),
            Some(_) => {}
        }
        result
    }

    fn read(&mut self, descriptor: &Descriptor, memory: &GuestMemoryMmap) {
        if !self.writable.is_empty() {
            self.found(Violation::ChainOrder);
        }
        self.readable_size += u64::from(descriptor.len());

        let room = LOOKED_AT - self.readable.len().min(LOOKED_AT);
        let size = usize::try_from(descriptor.len()).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size.min(room)];
        if memory.read_slice(&mut bytes, descriptor.addr()).is_err() {
            self.found(Violation::Address);
        }
        self.readable.extend_from_slice(&bytes);
    }

    fn write(&self, bytes: &[u8], memory: &GuestMemoryMmap) -> Result<(), Violation> {
        let mut rest = bytes;
        for &(address, size) in &self.writable {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(size.min(rest.len()));
            if !now.is_empty() && memory.write_slice(now, address).is_err() {
                log::debug!("no memory at {:#x}", address.raw_value());
                return Err(Violation::Address);
            }
            rest = later;
        }
        Ok(())
    }
}

/// What is next in a ring.
#[derive(Debug)]
pub enum Next {
    /// A chain.
    Chain(Chain),
    /// Nothing, for now.
    Nothing,
    /// Nothing that could be used: the driver broke a rule.
    Violation(Violation),
}

/// A way to give a chain back that breaks the ring: a driver cannot go on with it but by a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// The same chain, twice.
    Twice,
    /// Before it, one that does not exist.
    BadId,
}

/// Numbers of chains that no ring has, for one whose head is the right one.
///
/// The second one is right if a driver looks at 16 bits of it only.
const BAD_IDS: [fn(u16, u16) -> u32; 3] = [
    |size, _| u32::from(size),
    |_, head| 0x1_0000 | u32::from(head),
    |_, _| u32::MAX,
];

/// A virtqueue.
pub struct Ring {
    vring: VringRwLock,
    memory: Memory,
    ours: HashSet<u16>,
    /// Whether chains were given back since the driver was last told.
    news: bool,
    /// Whether there is more among them than the crate knows of.
    tampered: bool,
    /// Which of the numbers is next that no chain has.
    bad_ids: usize,
}

impl Ring {
    /// Takes a ring of the front end's.
    pub fn new(vring: VringRwLock, memory: Memory) -> Self {
        Self {
            vring,
            memory,
            ours: HashSet::new(),
            news: false,
            tampered: false,
            bad_ids: 0,
        }
    }

    /// How many chains the device has.
    pub fn in_flight(&self) -> usize {
        self.ours.len()
    }

    /// Forgets the chains that the device has: they are the driver's again.
    pub fn forget(&mut self) {
        self.ours.clear();
        self.news = false;
        self.tampered = false;
    }

    /// Whether chains can be given back.
    pub fn is_usable(&self) -> bool {
        usable(&self.vring.get_ref())
    }

    /// Takes the next chain.
    pub fn pop(&mut self) -> Next {
        let mut vring = self.vring.get_mut();
        if !usable(&vring) {
            return Next::Nothing;
        }

        let memory = self.memory.memory();
        let queue = vring.get_queue_mut();
        let size = queue.size();
        let chain = match queue.iter(memory.clone()) {
            Ok(mut chains) => chains.next(),
            Err(error) => {
                log::debug!("available ring: {error}");
                return Next::Violation(Violation::AvailIndex);
            }
        };
        let Some(chain) = chain else {
            return Next::Nothing;
        };

        let head = chain.head_index();
        if head >= size {
            return Next::Violation(Violation::Head);
        }
        if !self.ours.insert(head) {
            return Next::Violation(Violation::HeadInFlight);
        }
        Next::Chain(Chain::walk(chain, &memory))
    }

    /// Gives a chain back, with `bytes` in its device-writable part, and says that there are
    /// `claim` of them.
    ///
    /// What does not fit is not written. Tells whether the driver got the chain: it does not if it
    /// has stopped the ring.
    pub fn complete(&mut self, chain: &Chain, bytes: &[u8], claim: u32) -> Result<bool, Violation> {
        self.complete_broken(chain, bytes, claim, None)
    }

    /// Does that, and breaks the ring by it if it is told to.
    pub fn complete_broken(
        &mut self,
        chain: &Chain,
        bytes: &[u8],
        claim: u32,
        breakage: Option<Breakage>,
    ) -> Result<bool, Violation> {
        let mut vring = self.vring.get_mut();
        if !usable(&vring) {
            return Ok(false);
        }
        self.ours.remove(&chain.head);

        let written = chain.write(bytes, &self.memory.memory());
        let claim = if written.is_ok() { claim } else { 0 };
        if breakage == Some(Breakage::BadId) {
            let bad_id = BAD_IDS[self.bad_ids];
            self.bad_ids = (self.bad_ids + 1) % BAD_IDS.len();
            let id = bad_id(vring.get_queue().size(), chain.head);
            self.tampered = true;
            push_used(&mut vring, &self.memory.memory(), id, claim)?;
        }
        let times = match breakage {
            Some(Breakage::Twice) => 2,
            Some(Breakage::BadId) | None => 1,
        };
        for _ in 0..times {
            vring.add_used(chain.head, claim).map_err(|error| {
                log::debug!("used ring: {error}");
                Violation::Address
            })?;
        }
        self.news = true;
        written.map(|()| true)
    }

    /// Interrupts the driver if it has got chains back, and wants to be told so or the device is
    /// `loud`, and tells whether that was so.
    pub fn signal(&mut self, loud: bool) -> bool {
        if !std::mem::take(&mut self.news) {
            return false;
        }
        let tampered = std::mem::take(&mut self.tampered);
        let mut vring = self.vring.get_mut();
        let wanted = usable(&vring) && (vring.needs_notification().unwrap_or(true) || tampered);
        if loud && !wanted {
            // Whoever looks by himself has found it before that.
            let begin = Instant::now();
            while begin.elapsed() < LATE {
                hint::spin_loop();
            }
        }
        usable(&vring)
            && (wanted || loud)
            && vring.get_call().is_some()
            && vring.signal_used_queue().is_ok()
    }

    /// Asks the driver not to notify us: we are looking anyway.
    pub fn disable_notification(&mut self) {
        let mut vring = self.vring.get_mut();
        if usable(&vring) && vring.disable_notification().is_err() {
            log::debug!("cannot disable notifications");
        }
    }

    /// Asks the driver to notify us, and tells whether there is something already that
    /// [`pop`](Self::pop) gets over.
    ///
    /// There may be something new even if the last pop found nothing, and nobody may have been
    /// notified of it. There may also be something that no pop ever gets over.
    pub fn enable_notification(&mut self) -> bool {
        let mut vring = self.vring.get_mut();
        if !usable(&vring) || !vring.enable_notification().unwrap_or(false) {
            return false;
        }
        let memory = self.memory.memory();
        let Ok(mut chains) = vring.get_queue_mut().iter(memory) else {
            return false;
        };
        let found = chains.next().is_some();
        if found {
            chains.go_to_previous_position();
        }
        found
    }
}

/// Puts a number into the used ring that is none of a chain. It is seen with the next one that is.
fn push_used(
    vring: &mut VringState<Memory>,
    memory: &GuestMemoryMmap,
    id: u32,
    claim: u32,
) -> Result<(), Violation> {
    let queue = vring.get_queue_mut();
    let next = Wrapping(queue.next_used());
    let slot = u64::from(next.0.checked_rem(queue.size()).unwrap_or_default());
    let at = GuestAddress(queue.used_ring())
        .checked_add(USED_HEADER + slot * USED_ELEMENT)
        .ok_or(Violation::Address)?;
    let element = [id.to_le_bytes(), claim.to_le_bytes()].concat();
    memory
        .write_slice(&element, at)
        .map_err(|_| Violation::Address)?;
    queue.set_next_used((next + Wrapping(1)).0);
    Ok(())
}

fn usable(vring: &VringState<Memory>) -> bool {
    vring.get_queue().ready() && vring.is_enabled()
}
