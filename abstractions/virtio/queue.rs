// SPDX-License-Identifier: GPL-2.0

//! Queues of buffers that are lent to a device.

use super::{
    super::bindings::{
        self,
        virtio_device,
        virtqueue, //
    },
    buffer::Buffer,
};
use core::{
    marker::PhantomData,
    mem::size_of,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull,
};
use kernel::{
    bindings as kernel_bindings,
    error::to_result,
    prelude::*,
    sync::{
        rcu,
        LockClassKey,
        SpinLockIrq,
        SpinLockIrqGuard, //
    },
    transmute::{
        AsBytes,
        FromBytes, //
    },
    types::Opaque, //
};

/// What a driver keeps with a queue, and does when buffers came back.
///
/// The implementer is the driver's state of the queue. It is protected by the queue's lock.
pub(crate) trait Handler: Send + Unpin + Sized + 'static {
    /// The part of a buffer that the device reads.
    type Readable: AsBytes + 'static;
    /// The part of a buffer that the device writes.
    type Writable: FromBytes + 'static;
    /// The driver's data about a buffer.
    type Context: Send + 'static;

    /// Called when the device may have returned buffers.
    ///
    /// Runs in hard interrupt context, without the lock.
    fn returned(queue: &Queue<Self>);

    /// The device was reset, for the time being, before it has returned `buffer`, which is the driver's
    /// again. What the device wrote into it means nothing.
    ///
    /// Called with the lock held, when the queue is not attached.
    fn taken_back(&mut self, buffer: BufferOf<Self>);

    /// The device has broken the rules of the queue, or is gone: nothing can be submitted any more, and
    /// nothing comes back, until it is reset.
    ///
    /// Called with the lock held, in any context, maybe several times.
    fn broken(&mut self);
}

/// The buffers of a queue with the handler `H`.
pub(crate) type BufferOf<H> =
    Buffer<<H as Handler>::Readable, <H as Handler>::Writable, <H as Handler>::Context>;

/// The queue as the kernel has it.
enum Ring {
    /// There is none: the device is not started.
    Detached,
    /// Buffers come and go.
    Attached(NonNull<virtqueue>),
    /// The device is being stopped: buffers are still in there, but nobody may ask.
    Closed(NonNull<virtqueue>),
}

impl Ring {
    /// Whether this is a ring of `dev`.
    fn is_of(&self, dev: *mut virtio_device) -> bool {
        match *self {
            // SAFETY: The pointer in a ring is valid.
            Ring::Attached(vq) | Ring::Closed(vq) => unsafe { (*vq.as_ptr()).vdev == dev },
            Ring::Detached => false,
        }
    }
}

/// What a queue's lock protects.
struct Inner<H: Handler> {
    ring: Ring,
    /// How many buffers are in the ring.
    lent: usize,
    /// Buffers that never came back, when the ring is gone. There is room for a whole ring of them.
    unreturned: KVVec<BufferOf<H>>,
    /// The device was asked for no calls: see [`LockedQueue::be_quiet`].
    is_quiet: bool,
    handler: H,
}

// SAFETY: The pointer in `ring` is used by whoever holds the lock, on any thread.
unsafe impl<H: Handler> Send for Inner<H> {}

impl<H: Handler> Inner<H> {
    fn vq(&self) -> Option<NonNull<virtqueue>> {
        match self.ring {
            Ring::Attached(vq) => Some(vq),
            Ring::Detached | Ring::Closed(_) => None,
        }
    }
}

/// A queue that owns the buffers it has submitted.
///
/// The queue can be used from when [`Device::start`](super::Device::start) has attached it to a
/// device until the device is unbound; before and after, nothing can be submitted and nothing comes
/// back.
///
/// # Invariants
///
/// If `inner.ring` has a pointer, it is that of a valid `struct virtqueue`. Every buffer in it was
/// put there by [`LockedQueue::submit`] and is of type [`BufferOf<H>`]; there are `inner.lent` of them.
#[pin_data]
pub(crate) struct Queue<H: Handler> {
    #[pin]
    inner: SpinLockIrq<Inner<H>>,
}

impl<H: Handler> Queue<H> {
    /// Ring entries that one buffer takes.
    const ENTRIES: usize = {
        let entries =
            (size_of::<H::Readable>() > 0) as usize + (size_of::<H::Writable>() > 0) as usize;
        assert!(entries > 0, "a buffer without any part");
        entries
    };

    /// Makes a queue that is not attached to a device yet.
    ///
    /// `name` and `class` are those of its lock, for lockdep: handlers of different types take
    /// different other locks.
    pub(crate) fn new(
        handler: H,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        let inner = Inner {
            ring: Ring::Detached,
            lent: 0,
            unreturned: KVVec::new(),
            is_quiet: false,
            handler,
        };
        pin_init!(Self {
            inner <- SpinLockIrq::new(inner, name, class),
        })
    }

    /// Locks the queue and the driver's state of it.
    ///
    /// Interrupts are off while the lock is held.
    pub(crate) fn lock(&self) -> LockedQueue<'_, H> {
        LockedQueue {
            queue: self,
            guard: self.inner.lock(),
        }
    }
}

/// A locked queue. Dereferences to the driver's state of it.
pub(crate) struct LockedQueue<'a, H: Handler> {
    queue: &'a Queue<H>,
    guard: SpinLockIrqGuard<'a, Inner<H>>,
}

impl<'a, H: Handler> LockedQueue<'a, H> {
    /// How many buffers the queue can own at a time; none unless it is attached to a device.
    pub(crate) fn capacity(&self) -> usize {
        let Some(vq) = self.guard.vq() else { return 0 };

        // SAFETY: By the type invariant of `Queue` the pointer is valid.
        let entries = unsafe { bindings::virtqueue_get_vring_size(vq.as_ptr()) };
        // CAST: The size of a ring has 16 bits.
        entries as usize / Queue::<H>::ENTRIES
    }

    /// Lends `buffer` to the device: it moves into the queue.
    ///
    /// The device learns of it by [`notify`](Self::notify). If the queue does not take the buffer,
    /// it comes back with the reason: [`ENODEV`] if the queue is not attached, [`ENOSPC`] if it is
    /// full, [`EIO`] if the device has broken it.
    pub(crate) fn submit(
        &mut self,
        buffer: BufferOf<H>,
    ) -> core::result::Result<(), (BufferOf<H>, Error)> {
        let Some(vq) = self.guard.vq() else {
            return Err((buffer, ENODEV));
        };

        let readable = Opaque::<kernel_bindings::scatterlist>::uninit();
        let writable = Opaque::<kernel_bindings::scatterlist>::uninit();
        let mut sgs = [core::ptr::null_mut(); 2];
        let mut readable_count = 0;
        let mut writable_count = 0;

        if BufferOf::<H>::READABLE_SIZE > 0 {
            // SAFETY: `readable` is memory for an entry; a buffer's part lies in one kmalloc()ed
            // piece of memory of the size given. CAST: A part has a few bytes.
            unsafe {
                kernel_bindings::sg_init_one(
                    readable.get(),
                    buffer.readable(),
                    BufferOf::<H>::READABLE_SIZE as u32,
                )
            };
            sgs[0] = readable.get();
            readable_count = 1;
        }
        let (shown, shown_size) = buffer.shown();
        if shown_size > 0 {
            // SAFETY: As above; a block is such a piece too. CAST: What is kmalloc()ed has less than
            // 32 bits of size.
            unsafe { kernel_bindings::sg_init_one(writable.get(), shown, shown_size as u32) };
            sgs[readable_count as usize] = writable.get();
            writable_count = 1;
        }

        // SAFETY: By the type invariant of `Queue`, `vq` is valid; its lock is held. `sgs` holds as
        // many entries as the counts say. The memory they describe stays valid while the queue has
        // the token: on success ownership moves to it below, under the same lock.
        let added = to_result(unsafe {
            bindings::virtqueue_add_sgs(
                vq.as_ptr(),
                sgs.as_mut_ptr(),
                readable_count,
                writable_count,
                buffer.token(),
                kernel_bindings::GFP_ATOMIC,
            )
        });

        match added {
            Ok(()) => {
                // INVARIANT: The token in the queue is that of a `BufferOf<H>`, and is counted.
                buffer.into_token();
                self.guard.lent += 1;
                Ok(())
            }
            Err(error) => {
                self.tell_if_broken();
                Err((buffer, error))
            }
        }
    }

    /// Tells the handler if the queue is broken.
    fn tell_if_broken(&mut self) {
        let Some(vq) = self.guard.vq() else { return };

        // SAFETY: By the type invariant of `Queue`, `vq` is valid.
        if unsafe { bindings::virtqueue_is_broken(vq.as_ptr()) } {
            self.guard.handler.broken();
        }
    }

    /// Takes a buffer that the device has returned, and how many bytes the device says it wrote.
    ///
    /// That number comes from the device and may be any.
    fn take(&mut self) -> Option<(BufferOf<H>, u32)> {
        let vq = self.guard.vq()?;
        let mut written = 0;

        // SAFETY: By the type invariant of `Queue`, `vq` is valid; its lock is held.
        let (before, token, after) = unsafe {
            (
                (*vq.as_ptr()).num_free,
                bindings::virtqueue_get_buf(vq.as_ptr(), &mut written),
                (*vq.as_ptr()).num_free,
            )
        };
        let token = NonNull::new(token)?;

        // SAFETY: The core returns the token of each buffer once, and none that was not added. By
        // the type invariant of `Queue` it is that of a `BufferOf<H>`.
        let buffer: BufferOf<H> = unsafe { Buffer::from_token(token) };
        self.guard.lent = self.guard.lent.saturating_sub(1);

        // How many entries that frees the core reads from memory that the device can write to. If it
        // were wrong the next buffer could take the place of one that is still lent.
        if after.wrapping_sub(before) as usize != buffer.entries() {
            // SAFETY: By the type invariant of `Queue`, `vq` is valid.
            unsafe { bindings::__virtqueue_break(vq.as_ptr()) };
        }
        Some((buffer, written))
    }

    /// Asks the device for no calls for now: buffers are being taken anyway. It may call all the same.
    fn disable_calls(&mut self) {
        let Some(vq) = self.guard.vq() else { return };

        // SAFETY: By the type invariant of `Queue`, `vq` is valid; its lock is held.
        unsafe { bindings::virtqueue_disable_cb(vq.as_ptr()) };
    }

    /// Asks the device for calls again, and returns whether it may have returned something in between,
    /// for which there is no call.
    #[must_use = "what came in between has to be taken"]
    fn enable_calls(&mut self) -> bool {
        let Some(vq) = self.guard.vq() else {
            return false;
        };

        // SAFETY: By the type invariant of `Queue`, `vq` is valid; its lock is held.
        !unsafe { bindings::virtqueue_enable_cb(vq.as_ptr()) }
    }

    /// Takes all buffers that the device has returned, and gives each to `each`, with how many bytes
    /// the device says it wrote. The device is not to call meanwhile; and not afterwards if it was asked
    /// to be [quiet](Self::be_quiet).
    ///
    /// If `each` submits no buffers then this has a bound: the number of the buffers that the queue holds.
    pub(crate) fn take_all(&mut self, mut each: impl FnMut(&mut Self, BufferOf<H>, u32)) {
        let mut is_first = true;

        loop {
            self.disable_calls();
            let has_taken = self.take_some(&mut each);
            // Whoever has asked for no calls looks again.
            if self.guard.is_quiet {
                return;
            }
            // A device that says again and again that there is something, and then that there is
            // nothing, has the calls it asks for, and not this processor.
            if !self.enable_calls() || !(has_taken || is_first) {
                self.tell_if_broken();
                return;
            }
            is_first = false;
        }
    }

    /// As [`take_all`](Self::take_all), but returns whether there were any.
    fn take_some(&mut self, each: &mut impl FnMut(&mut Self, BufferOf<H>, u32)) -> bool {
        let mut has_taken = false;

        while let Some((buffer, written)) = self.take() {
            has_taken = true;
            each(self, buffer, written);
        }
        has_taken
    }

    /// Asks the device for no calls; `None` if the queue is not attached. It may call all the same.
    ///
    /// From now on nobody is told of what comes back: the caller must [look](Self::look) for it, without
    /// a pause, and in the end [ask for calls](Self::end_quiet) again.
    #[must_use = "nobody else looks for what comes back"]
    pub(crate) fn be_quiet(&mut self) -> Option<Peek<'a>> {
        let vq = self.guard.vq()?;
        let rcu = rcu::read_lock();

        self.guard.is_quiet = true;
        // INVARIANT: The queue is attached to `vq`, by its type invariant a valid one, under the lock.
        Some(Peek {
            vq,
            position: self.position(vq),
            _rcu: rcu,
            _queue: PhantomData,
        })
    }

    /// Where in the ring is what the device returns next, to be [looked at](Peek::has_some). `vq` must be
    /// that of the queue. Calls are off afterwards.
    fn position(&mut self, vq: NonNull<virtqueue>) -> c_uint {
        // SAFETY: By the type invariant of `Queue`, which has no other one, `vq` is valid; its lock is held.
        // To get the position turns calls on.
        unsafe {
            let position = bindings::virtqueue_enable_cb_prepare(vq.as_ptr());
            bindings::virtqueue_disable_cb(vq.as_ptr());
            position
        }
    }

    /// Whether the device was asked for no calls.
    pub(crate) fn is_quiet(&self) -> bool {
        self.guard.is_quiet
    }

    /// If the device was asked for no calls, takes the buffers that it has returned, as
    /// [`take_all`](Self::take_all) does, and returns whether there were any. `peek` is for what it
    /// returns afterwards.
    pub(crate) fn look(
        &mut self,
        peek: &mut Peek<'a>,
        mut each: impl FnMut(&mut Self, BufferOf<H>, u32),
    ) -> bool {
        let (true, Some(vq)) = (self.guard.is_quiet, self.guard.vq()) else {
            return false;
        };

        let has_taken = self.take_some(&mut each);
        if vq == peek.vq {
            peek.position = self.position(vq);
        }
        has_taken
    }

    /// If the device was asked for no calls, asks for them again, and takes the buffers that it has
    /// returned until then, for which there is none.
    pub(crate) fn end_quiet(&mut self, each: impl FnMut(&mut Self, BufferOf<H>, u32)) {
        if core::mem::take(&mut self.guard.is_quiet) {
            self.take_all(each);
        }
    }

    /// Unlocks the queue, and tells the device about submitted buffers if it wants to be told.
    pub(crate) fn notify(self) {
        let Some(vq) = self.guard.vq() else { return };

        // SAFETY: By the type invariant of `Queue`, `vq` is valid; its lock is held.
        if !unsafe { bindings::virtqueue_kick_prepare(vq.as_ptr()) } {
            return;
        }

        // To tell the device leaves the guest, which takes long: not under the lock. Who stops the
        // queue waits for RCU readers between closing it and freeing `vq`.
        let _rcu = rcu::read_lock();
        let Self { queue, guard } = self;
        drop(guard);

        // SAFETY: `vq` was valid under the lock, and whoever closes the queue waits for this reader.
        if !unsafe { bindings::virtqueue_notify(vq.as_ptr()) } {
            queue.lock().tell_if_broken();
        }
    }
}

impl<H: Handler> Deref for LockedQueue<'_, H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.guard.handler
    }
}

impl<H: Handler> DerefMut for LockedQueue<'_, H> {
    fn deref_mut(&mut self) -> &mut H {
        &mut self.guard.handler
    }
}

/// Shows whether a device that was asked for no calls has returned something, without the lock.
///
/// # Invariants
///
/// `vq` was that of an attached queue when the RCU read-side critical section had begun which this holds.
pub(crate) struct Peek<'a> {
    vq: NonNull<virtqueue>,
    position: c_uint,
    _rcu: rcu::Guard,
    _queue: PhantomData<&'a ()>,
}

impl Peek<'_> {
    /// Whether there is something that was not taken when this was made, or used last.
    pub(crate) fn has_some(&self) -> bool {
        // SAFETY: `vq` was valid, and whoever closes the queue waits for this reader before it is freed.
        unsafe { bindings::virtqueue_poll(self.vq.as_ptr(), self.position) }
    }
}

/// A queue of any type, as the bus sees it.
///
/// # Safety
///
/// After [`AnyQueue::close`] has returned and an RCU grace period has passed, nothing but
/// [`AnyQueue::detach`] uses the `struct virtqueue` that [`AnyQueue::attach`] was given; after that,
/// nothing at all.
pub(super) unsafe trait AnyQueue: Send + Sync {
    /// Starts to use `vq`. [`EBUSY`] if the queue is attached already.
    ///
    /// # Safety
    ///
    /// `vq` must be empty, and valid until the queue is detached.
    unsafe fn attach(&self, vq: NonNull<virtqueue>) -> Result;

    /// Tells the handler that buffers may have come back.
    fn returned(&self);

    /// Lets nobody in any more, if the queue is attached to `dev`.
    fn close(&self, dev: *mut virtio_device);

    /// Gives up the `struct virtqueue`, if it is one of `dev`, and takes the buffers that never came
    /// back out of it. They are kept until [`AnyQueue::drop_buffers`].
    ///
    /// # Safety
    ///
    /// The queue must have been closed, an RCU grace period must have passed since, and `dev` must
    /// have been reset.
    unsafe fn detach(&self, dev: *mut virtio_device);

    /// Gives the handler the buffers that [`AnyQueue::detach`] has kept: the device's queues are
    /// deleted.
    fn give_back_buffers(&self);

    /// Drops those buffers.
    fn drop_buffers(&self);
}

// SAFETY: All uses of the `struct virtqueue` are under the lock that `close()` takes to put it out
// of reach, but for those in `LockedQueue::notify()` and `Peek`: these are inside of an RCU read-side
// critical section which begins under the lock.
unsafe impl<H: Handler> AnyQueue for Queue<H> {
    unsafe fn attach(&self, vq: NonNull<virtqueue>) -> Result {
        // SAFETY: By the safety requirement `vq` is valid.
        let entries = unsafe { bindings::virtqueue_get_vring_size(vq.as_ptr()) };
        // CAST: The size of a ring has 16 bits.
        let unreturned = KVVec::with_capacity(entries as usize / Self::ENTRIES, GFP_KERNEL)?;
        let mut inner = self.inner.lock();

        if !matches!(inner.ring, Ring::Detached) {
            return Err(EBUSY);
        }
        let old = core::mem::replace(&mut inner.unreturned, unreturned);
        inner.lent = 0;
        inner.is_quiet = false;
        // INVARIANT: By the safety requirement `vq` is valid and empty.
        inner.ring = Ring::Attached(vq);
        drop(inner);

        // Not under the lock: memory like this is given back where one may sleep.
        drop(old);
        Ok(())
    }

    fn returned(&self) {
        H::returned(self);
    }

    fn close(&self, dev: *mut virtio_device) {
        let mut inner = self.inner.lock();

        if let Ring::Attached(vq) = inner.ring {
            if inner.ring.is_of(dev) {
                inner.ring = Ring::Closed(vq);
            }
        }
    }

    unsafe fn detach(&self, dev: *mut virtio_device) {
        let mut inner = self.inner.lock();
        let Ring::Closed(vq) = inner.ring else { return };
        if !inner.ring.is_of(dev) {
            return;
        }

        // Not until there is none left: the core would stop the machine if a device had damaged its ring.
        for _ in 0..core::mem::take(&mut inner.lent) {
            // SAFETY: By the type invariant `vq` is valid, and the lock is held.
            let token = unsafe { bindings::virtqueue_detach_unused_buf(vq.as_ptr()) };
            let Some(token) = NonNull::new(token) else {
                break;
            };

            // SAFETY: The core returns each token once. By the type invariant it is that of a
            // `BufferOf<H>`, and by the safety requirements the device does not use the buffer.
            let buffer = unsafe { BufferOf::<H>::from_token(token) };
            if let Err(error) = inner.unreturned.push_within_capacity(buffer) {
                // There is room for as many as a ring holds: this cannot happen. A leak is the
                // lesser evil.
                core::mem::forget(error);
            }
        }
        inner.ring = Ring::Detached;
    }

    fn give_back_buffers(&self) {
        let unreturned = core::mem::take(&mut self.inner.lock().unreturned);

        // One at a time: interrupts are off while the lock is held.
        for buffer in unreturned {
            self.inner.lock().handler.taken_back(buffer);
        }
    }

    fn drop_buffers(&self) {
        let unreturned = core::mem::take(&mut self.inner.lock().unreturned);

        // Not under the lock: their contexts may do anything when they are dropped.
        drop(unreturned);
    }
}
