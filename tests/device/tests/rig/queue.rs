// SPDX-License-Identifier: GPL-2.0

//! The driver's side of a split virtqueue, by hand, so that every rule can be broken.

use std::{
    sync::atomic::{
        fence,
        Ordering, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use vm_memory::{
    Bytes,
    GuestAddress,
    GuestMemoryMmap, //
};
use vmm_sys_util::eventfd::{
    EventFd,
    EFD_NONBLOCK, //
};

/// Descriptors of a queue.
pub const SIZE: u16 = 64;

pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
pub const INDIRECT: u16 = 4;

/// Bytes that each chain has for its buffers.
const ROOM: u64 = 0x400;

/// What the device-writable part of a buffer holds before the device writes to it.
pub const FILL: u8 = 0xa5;

/// A chain that has come back.
#[derive(Debug, PartialEq, Eq)]
pub struct Used {
    pub head: u16,
    pub written: u32,
    /// All of the device-writable part.
    pub bytes: Vec<u8>,
}

pub struct Queue {
    pub memory: GuestMemoryMmap,
    pub descriptors: GuestAddress,
    pub available: GuestAddress,
    pub used: GuestAddress,
    pub kick: EventFd,
    pub call: EventFd,
    buffers: u64,
    event_idx: bool,
    next_available: u16,
    /// What the device knows, or has been asked about in vain.
    last_kicked: u16,
    next_used: u16,
    /// Per chain, where its device-writable part is.
    writable: Vec<(u64, usize)>,
    free: Vec<u16>,
}

impl Queue {
    pub fn new(memory: GuestMemoryMmap, base: u64, buffers: u64, event_idx: bool) -> Self {
        Self {
            memory,
            descriptors: GuestAddress(base),
            available: GuestAddress(base + 0x1000),
            used: GuestAddress(base + 0x2000),
            kick: EventFd::new(0).unwrap(),
            call: EventFd::new(EFD_NONBLOCK).unwrap(),
            buffers,
            event_idx,
            next_available: 0,
            last_kicked: 0,
            next_used: 0,
            writable: vec![(0, 0); usize::from(SIZE)],
            // Four descriptors for each chain.
            free: (0..SIZE / 4).rev().map(|chain| chain * 4).collect(),
        }
    }

    /// How many chains can be added.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.memory.write_slice(bytes, GuestAddress(at)).unwrap();
    }

    pub fn describe(&self, index: u16, address: u64, size: u32, flags: u16, next: u16) {
        self.describe_at(self.descriptors.0, index, address, size, flags, next);
    }

    pub fn describe_at(
        &self,
        table: u64,
        index: u16,
        address: u64,
        size: u32,
        flags: u16,
        next: u16,
    ) {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&address.to_le_bytes());
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(&next.to_le_bytes());
        self.put(table + 16 * u64::from(index), &bytes);
    }

    /// Makes a chain available, whatever is at its head.
    pub fn publish(&mut self, head: u16) {
        let slot = u64::from(self.next_available % SIZE);
        self.put(self.available.0 + 4 + 2 * slot, &head.to_le_bytes());
        self.next_available = self.next_available.wrapping_add(1);
        self.publish_index(self.next_available);
    }

    pub fn publish_index(&self, index: u16) {
        self.put(self.available.0 + 2, &index.to_le_bytes());
    }

    /// Where the buffers of a chain are.
    pub fn buffer(&self, head: u16) -> u64 {
        self.buffers + u64::from(head) * ROOM
    }

    /// Takes a free chain, and fills its buffers.
    pub fn take(&mut self, readable: &[u8], writable: usize) -> u16 {
        let head = self.free.pop().unwrap();
        let buffer = self.buffer(head);
        self.put(buffer, readable);
        self.put(
            buffer + ROOM / 2,
            &vec![FILL; usize::try_from(ROOM / 2).unwrap()],
        );
        self.writable[usize::from(head)] = (buffer + ROOM / 2, writable);
        head
    }

    /// Adds a chain of at most one readable and one writable descriptor.
    pub fn add(&mut self, readable: &[u8], writable: u32) -> u16 {
        let head = self.take(readable, usize::try_from(writable).unwrap());
        let buffer = self.buffer(head);
        let size = u32::try_from(readable.len()).unwrap();
        match (size, writable) {
            (0, _) => self.describe(head, buffer + ROOM / 2, writable, WRITE, 0),
            (_, 0) => self.describe(head, buffer, size, 0, 0),
            _ => {
                self.describe(head, buffer, size, NEXT, head + 1);
                self.describe(head + 1, buffer + ROOM / 2, writable, WRITE, 0);
            }
        }
        self.publish(head);
        head
    }

    /// Adds so many buffers that the device writes a message into.
    pub fn provide(&mut self, count: usize) {
        for _ in 0..count {
            self.add(&[], 8);
        }
        self.kick();
    }

    /// Notifies the device, but only if it wants to know: as a driver does.
    pub fn kick_if_asked(&mut self) {
        fence(Ordering::SeqCst);
        let old = std::mem::replace(&mut self.last_kicked, self.next_available);
        let new = self.next_available;
        let asked = if self.event_idx {
            let event = GuestAddress(self.used.0 + 4 + 8 * u64::from(SIZE));
            let event: u16 = self.memory.read_obj(event).unwrap();
            new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
        } else {
            let flags: u16 = self.memory.read_obj(self.used).unwrap();
            flags & 1 == 0
        };
        if asked {
            self.kick();
        }
    }

    pub fn kick(&self) {
        self.kick.write(1).unwrap();
    }

    pub fn written(&self, head: u16) -> Vec<u8> {
        let (at, size) = self.writable[usize::from(head)];
        let mut bytes = vec![0; size];
        self.memory
            .read_slice(&mut bytes, GuestAddress(at))
            .unwrap();
        bytes
    }

    /// The next element of the used ring, whatever it is: a number and a size.
    pub fn poll_raw(&mut self) -> Option<(u32, u32)> {
        let index: u16 = self.memory.read_obj(GuestAddress(self.used.0 + 2)).unwrap();
        if index == self.next_used {
            return None;
        }
        let slot = u64::from(self.next_used % SIZE);
        let element: [u32; 2] = self
            .memory
            .read_obj(GuestAddress(self.used.0 + 4 + 8 * slot))
            .unwrap();
        self.next_used = self.next_used.wrapping_add(1);
        Some((element[0], element[1]))
    }

    /// A chain can be used again.
    pub fn put_back(&mut self, id: u32) {
        self.free.push(u16::try_from(id).unwrap());
    }

    /// The first bytes that the driver has written into a chain.
    pub fn readable<const N: usize>(&self, head: u16) -> [u8; N] {
        let mut bytes = [0; N];
        let at = GuestAddress(self.buffer(head));
        self.memory.read_slice(&mut bytes, at).unwrap();
        bytes
    }

    /// Waits for elements of the used ring.
    pub fn wait_raw(&mut self, count: usize) -> Vec<(u32, u32)> {
        let limit = Instant::now() + Duration::from_secs(5);
        let mut elements = Vec::new();
        while elements.len() < count {
            assert!(Instant::now() < limit, "{elements:?} is all");
            match self.poll_raw() {
                Some(element) => elements.push(element),
                None => std::thread::sleep(Duration::from_micros(100)),
            }
        }
        elements
    }

    /// The next chain that has come back.
    pub fn poll(&mut self) -> Option<Used> {
        let (id, written) = self.poll_raw()?;
        let head = u16::try_from(id).unwrap();
        self.free.push(head);
        Some(Used {
            head,
            written,
            bytes: self.written(head),
        })
    }

    /// Asks for an interrupt when the next chain comes back. Without that, there is one for the
    /// first chain only.
    pub fn arm(&self) {
        assert!(self.event_idx);
        let used_event = self.available.0 + 4 + 2 * u64::from(SIZE);
        self.put(used_event, &self.next_used.to_le_bytes());
    }

    /// Waits for a chain to come back.
    pub fn wait(&mut self) -> Used {
        let limit = Instant::now() + Duration::from_secs(5);
        while Instant::now() < limit {
            if let Some(used) = self.poll() {
                return used;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        panic!("nothing comes back");
    }

    /// Waits for an interrupt.
    pub fn wait_for_call(&self) {
        let limit = Instant::now() + Duration::from_secs(5);
        while self.call.read().is_err() {
            assert!(Instant::now() < limit, "no interrupt");
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}
