// SPDX-License-Identifier: GPL-2.0

//! Work that is put off to the next moment in which an interrupt can come.
//!
//! It can be queued from everywhere, with any lock held, and runs in hard interrupt context (in a
//! thread on `PREEMPT_RT`) as soon as interrupts are on.
//!
//! C header: [`include/linux/irq_work.h`](srctree/include/linux/irq_work.h)

use core::marker::PhantomPinned;
use kernel::{
    bindings,
    container_of,
    prelude::*,
    types::Opaque, //
};

/// What is done by an [`IrqWork`].
pub(crate) trait Work: Send + Sync + Sized + 'static {
    /// Does it, or a part of it and queues the work again. Must not sleep. Can run on two processors
    /// at a time.
    fn run(work: &IrqWork<Self>);
}

/// A piece of work that can be queued again and again.
///
/// # Invariants
///
/// `work` is initialised, its function is [`IrqWork::run`] of this type, and it is a part of a value
/// that stays where it is.
#[pin_data(PinnedDrop)]
pub(crate) struct IrqWork<W: Work> {
    #[pin]
    work: Opaque<bindings::irq_work>,
    inner: W,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: `struct irq_work` may be used on any thread, and `W` is `Send`.
unsafe impl<W: Work> Send for IrqWork<W> {}

// SAFETY: `struct irq_work` is made to be queued from anywhere, and `W` is `Sync`.
unsafe impl<W: Work> Sync for IrqWork<W> {}

impl<W: Work> IrqWork<W> {
    /// Makes a piece of work that is not queued.
    pub(crate) fn new(inner: W) -> impl PinInit<Self> {
        // INVARIANT: The function is the one for this type.
        pin_init!(Self {
            work <- Opaque::ffi_init(|slot: *mut bindings::irq_work| {
                // This is what `init_irq_work()` does, which is inline.
                let work = bindings::irq_work {
                    func: Some(Self::run),
                    ..Default::default()
                };
                // SAFETY: `slot` points to memory for a `struct irq_work`.
                unsafe { slot.write(work) };
            }),
            inner,
            _pin: PhantomPinned,
        })
    }

    /// Has the work done soon. If it is queued already, once is enough.
    pub(crate) fn queue(&self) {
        // SAFETY: By the type invariant the work is initialised and stays where it is until it is
        // dropped, which waits for it.
        unsafe { bindings::irq_work_queue(self.work.get()) };
    }

    /// What the work is done with.
    pub(crate) fn inner(&self) -> &W {
        &self.inner
    }

    /// # Safety
    ///
    /// `work` must be that of an `IrqWork<W>` that is alive.
    unsafe extern "C" fn run(work: *mut bindings::irq_work) {
        let work: *mut Opaque<bindings::irq_work> = work.cast();
        // SAFETY: By the requirement of this function.
        let this = unsafe { &*container_of!(work, Self, work) };

        W::run(this);
    }
}

#[pinned_drop]
impl<W: Work> PinnedDrop for IrqWork<W> {
    fn drop(self: Pin<&mut Self>) {
        // This waits as long as the work runs, or is queued again by itself: a work has to stop doing
        // so at some time.
        //
        // SAFETY: By the type invariant the work is initialised. Nobody else can queue it any more:
        // this has the only reference but for that of the work when it runs.
        unsafe { bindings::irq_work_sync(self.work.get()) };
    }
}
