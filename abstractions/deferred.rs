// SPDX-License-Identifier: GPL-2.0

//! Work that is put off to where one can sleep.
//!
//! `kernel::workqueue` hands the work's memory over to the queue, and has no way to wait for it; a
//! driver that goes away has to. This is the other way around: the memory stays where it is, and
//! dropping it waits.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::bindings as own_bindings;
use core::{
    marker::PhantomPinned,
    ops::Deref, //
};
use kernel::{
    bindings,
    container_of,
    prelude::*,
    time::Jiffies,
    types::Opaque, //
};

/// What is done by a [`Deferred`].
pub(crate) trait Job: Send + Sync + Sized + 'static {
    /// Does it. May sleep. Runs once at a time; `work` is where it can queue itself again.
    fn run(&self, work: &Deferred<Self>);
}

/// A job that can be queued from anywhere, and is done in a thread of the kernel's; not while the
/// system goes to sleep, or sleeps.
///
/// # Invariants
///
/// `work` is initialised, its function is [`Deferred::run`] of this type, and it is a part of a value
/// that stays where it is.
#[pin_data(PinnedDrop)]
pub(crate) struct Deferred<J: Job> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    #[pin]
    job: J,
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: `struct delayed_work` may be used on any thread, and `J` is `Send`.
unsafe impl<J: Job> Send for Deferred<J> {}

// SAFETY: `struct delayed_work` is made to be queued from anywhere, and `J` is `Sync`.
unsafe impl<J: Job> Sync for Deferred<J> {}

impl<J: Job> Deferred<J> {
    /// Makes a job that is not queued.
    pub(crate) fn new(job: impl PinInit<J>) -> impl PinInit<Self> {
        // INVARIANT: The function is the one for this type.
        pin_init!(Self {
            work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| {
                // SAFETY: `slot` points to memory for a `struct delayed_work`.
                unsafe { own_bindings::gpio_virtio_init_work(slot, Some(Self::run)) };
            }),
            job <- job,
            _pin: PhantomPinned,
        })
    }

    /// Has the job done soon. If it is queued already, once is enough, and no sooner. May be called in
    /// any context.
    pub(crate) fn queue(&self) {
        self.queue_after(0);
    }

    /// As [`queue`](Self::queue), but not before so many jiffies are over.
    pub(crate) fn queue_after(&self, delay: Jiffies) {
        // SAFETY: By the type invariant the work is initialised, and stays where it is until it is
        // dropped, which waits for it.
        unsafe { own_bindings::gpio_virtio_queue_work(self.work.get(), delay) };
    }

    /// Has the job done when so many jiffies are over, and no sooner, whether it is queued already or not.
    /// May be called in any context.
    pub(crate) fn postpone(&self, delay: Jiffies) {
        // SAFETY: As in `queue_after()`.
        unsafe { own_bindings::gpio_virtio_postpone_work(self.work.get(), delay) };
    }

    /// Waits for the job if it runs, and has it done no more. May sleep.
    pub(crate) fn cancel(&self) {
        // The job may queue itself while it runs: after this that has no effect.
        //
        // SAFETY: By the type invariant the work is initialised.
        unsafe { bindings::disable_delayed_work_sync(self.work.get()) };
    }

    /// # Safety
    ///
    /// `work` must be that of a `Deferred<J>` that is alive.
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: By the requirement of this function the work is a part of a `struct delayed_work`, which
        // is a part of a `Deferred<J>`.
        let this = unsafe {
            let work = container_of!(work, bindings::delayed_work, work);
            let work: *mut Opaque<bindings::delayed_work> = work.cast();
            &*container_of!(work, Self, work)
        };

        this.job.run(this);
    }
}

impl<J: Job> Deref for Deferred<J> {
    type Target = J;

    fn deref(&self) -> &J {
        &self.job
    }
}

#[pinned_drop]
impl<J: Job> PinnedDrop for Deferred<J> {
    fn drop(self: Pin<&mut Self>) {
        self.cancel();
    }
}
