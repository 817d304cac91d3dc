// SPDX-License-Identifier: GPL-2.0

//! Devices that are started, with their queues: until they are stopped, and while they are reset.
//!
//! C header: [`include/linux/virtio_config.h`](srctree/include/linux/virtio_config.h)

use super::{
    super::bindings::{
        self,
        virtio_device,
        virtqueue,
        virtqueue_info, //
    },
    queue::AnyQueue,
    Adapter,
    Device,
    Driver,
    Handler,
    Queue, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings as kernel_bindings, device,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu,
        Arc, //
    },
};

/// The most queues that a device can be started with.
const MAX_QUEUES: usize = 4;

/// In [`Started::state`]: the device works.
const UP: i32 = 0;
/// In [`Started::state`]: it is being reset, and will be started again.
const DOWN: i32 = 1;
/// In [`Started::state`]: it was reset and could not be started again.
const FAILED: i32 = 2;

/// A device that was started: what callbacks need.
pub(super) struct Started {
    /// The queues with their names, in the order of their numbers.
    queues: KVec<(&'static CStr, Arc<dyn AnyQueue>)>,
    /// Whether the device has its queues. Changed with the device's lock held.
    state: Atomic<i32>,
    /// The task that has the device reset, and has the device's lock; NULL if there is none.
    resetter: Atomic<*mut kernel_bindings::task_struct>,
}

impl Started {
    /// Gives the driver the buffers that never came back.
    fn give_back_buffers(&self) {
        for (_, queue) in self.queues.iter() {
            queue.give_back_buffers();
        }
    }
}

impl Device {
    /// What callbacks need, if the device is started.
    ///
    /// # Safety
    ///
    /// Until the reference is gone the driver must not be unbound from the device.
    unsafe fn started(&self) -> Option<&Started> {
        // SAFETY: By the type invariant `priv` is NULL or points to a `Started`. That is freed when the
        // driver is unbound.
        unsafe { self.place().load(Acquire).cast::<Started>().as_ref() }
    }

    /// Where the pointer to the [`Started`] is.
    fn place(&self) -> &Atomic<*mut c_void> {
        // SAFETY: By the type invariant the device is valid. `priv` belongs to this abstraction, which accesses
        // it in this way only while it may change.
        unsafe { Atomic::from_ptr(&raw mut (*self.as_raw()).priv_) }
    }

    /// Resets the device: it forgets everything, and touches no memory of ours any more.
    ///
    /// # Safety
    ///
    /// The caller must be the only one who starts and stops the device.
    unsafe fn reset(&self) {
        // SAFETY: By the type invariant the device is valid; and the requirement of this function.
        unsafe { bindings::virtio_reset_device(self.as_raw()) };
    }

    /// Finds the queues of the device, and tells it that it may work (`DRIVER_OK`).
    ///
    /// # Safety
    ///
    /// The caller must be the only one who starts and stops the device, which has no queues.
    unsafe fn find_queues(&self, started: &Started) -> Result {
        let mut vqs = [ptr::null_mut(); MAX_QUEUES];
        let mut infos = [const {
            virtqueue_info {
                name: ptr::null(),
                callback: Some(returned_callback),
                // A ring that keeps contexts has no indirect tables. So `LockedQueue::submit()` never
                // allocates one, whatever was negotiated. To refuse that feature instead would have the
                // features settled twice, which User-Mode Linux's transport does not bear: it forgets
                // one of its own.
                ctx: true,
            }
        }; MAX_QUEUES];
        for (info, (name, _)) in infos.iter_mut().zip(started.queues.iter()) {
            info.name = name.as_char_ptr();
        }

        // SAFETY: By the type invariant the device is valid. Both arrays have as many entries as there are
        // queues, at least, and the names live as long as the kernel. CAST: There are `MAX_QUEUES` at the
        // most.
        to_result(unsafe {
            bindings::gpio_virtio_find_vqs(
                self.as_raw(),
                started.queues.len() as u32,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
            )
        })?;

        // Before anybody can submit something: devices are not notified until they are told this.
        //
        // SAFETY: By the type invariant the device is valid. It has its queues, and was not told so
        // before.
        unsafe { bindings::gpio_virtio_device_ready(self.as_raw()) };

        for ((_, queue), vq) in started.queues.iter().zip(vqs) {
            let attached = NonNull::new(vq).ok_or(ENODEV).and_then(|vq| {
                // SAFETY: The queue was just found, so it is valid and empty. It stays valid until
                // `delete_queues()` deletes it, which detaches it first.
                unsafe { queue.attach(vq) }
            });
            if let Err(error) = attached {
                // SAFETY: By the requirement of this function; the queues were found above.
                unsafe { self.delete_queues(started) };
                return Err(error);
            }
        }
        Ok(())
    }

    /// Resets the device and deletes its queues: afterwards no callback runs. The buffers that never came
    /// back are kept.
    ///
    /// # Safety
    ///
    /// The caller must be the only one who starts and stops the device, which has queues.
    unsafe fn delete_queues(&self, started: &Started) {
        for (_, queue) in started.queues.iter() {
            queue.close(self.as_raw());
        }

        // Waits for `LockedQueue::notify()`: nobody may talk to a device that is being reset.
        //
        // SAFETY: May be called where one may sleep, as here.
        unsafe { kernel_bindings::synchronize_rcu() };

        // SAFETY: By the requirement of this function.
        unsafe { self.reset() };

        for (_, queue) in started.queues.iter() {
            // SAFETY: The queue was closed above, a grace period has passed since, and the device
            // is reset.
            unsafe { queue.detach(self.as_raw()) };
        }

        // SAFETY: By the type invariant the device is valid. Nobody uses its queues any more. This
        // also frees their interrupts, so that no callback runs afterwards.
        unsafe { bindings::gpio_virtio_del_vqs(self.as_raw()) };
    }
}

impl Device<device::Core<'_>> {
    /// Finds the queues of the device, attaches those given to them, the first one to queue 0 and so
    /// on, and tells the device that it may work (`DRIVER_OK`).
    ///
    /// Buffers can be submitted from now on. To be called once in [`Driver::probe`](super::Driver::probe);
    /// the device is stopped when the driver is unbound or its probe fails.
    ///
    /// [`EBUSY`] if the device is started already, or one of the queues is attached.
    pub(crate) fn start<const N: usize>(
        &self,
        queues: [(&'static CStr, QueueHandle); N],
    ) -> Result {
        const { assert!(N <= MAX_QUEUES) };

        // SAFETY: By the type invariant the device is valid; `priv` belongs to this abstraction,
        // and `Core` stands for the only one who starts and stops the device.
        if unsafe { self.started() }.is_some() {
            return Err(EBUSY);
        }

        let mut started = KBox::new(
            Started {
                queues: KVec::new(),
                state: Atomic::new(DOWN),
                resetter: Atomic::new(ptr::null_mut()),
            },
            GFP_KERNEL,
        )?;
        for (name, queue) in queues {
            started.queues.push((name, queue.0), GFP_KERNEL)?;
        }

        // Callbacks may come as soon as the queues are found: what they need has to be there.
        //
        // INVARIANT: The pointer comes from `KBox::into_raw()` of a `Started`.
        self.place().store(KBox::into_raw(started).cast(), Release);

        // SAFETY: The driver is being bound. `Core` stands for the only one who starts the device.
        let Some(started) = (unsafe { self.started() }) else {
            return Err(ENODEV);
        };
        // SAFETY: As above; the device has no queues yet.
        let found = unsafe { self.find_queues(started) };
        if found.is_ok() {
            started.state.store(UP, Relaxed);
        }
        found.inspect_err(|_| self.forget())
    }

    /// Stops the device, started or not, for good: afterwards it is reset, no callback runs and its queues
    /// own no buffers.
    pub(super) fn stop(&self) {
        self.halt();
        self.forget();
    }

    /// The same, but a device that was not started is left alone.
    pub(super) fn stop_if_started(&self) {
        // SAFETY: `Core` stands for the only one who binds and unbinds the driver.
        if unsafe { self.started() }.is_some() {
            self.stop();
        }
    }

    /// Resets the device, and deletes its queues.
    pub(super) fn halt(&self) {
        // SAFETY: `Core` stands for the only one who binds and unbinds the driver.
        match unsafe { self.started() } {
            Some(started) if started.state.load(Relaxed) == UP => {
                started.state.store(FAILED, Relaxed);
                // SAFETY: `Core` stands for the only one who starts and stops the device, which is
                // started.
                unsafe { self.delete_queues(started) };
            }
            // Without queues: the transport would not bear to be asked to delete them twice.
            //
            // SAFETY: As above.
            _ => unsafe { self.reset() },
        }
    }

    /// Takes back what callbacks need, and drops the buffers that never came back. The device must have no
    /// queues.
    fn forget(&self) {
        let started = self.place().load(Relaxed).cast::<Started>();
        self.place().store(ptr::null_mut(), Relaxed);

        if !started.is_null() {
            // Waits for `Locked::new()`.
            //
            // SAFETY: May be called where one may sleep, as here.
            unsafe { kernel_bindings::synchronize_rcu() };

            // SAFETY: By the type invariant the pointer comes from `KBox::into_raw()`. It was taken
            // out of the device above, and those who had references to it are through: callbacks of the
            // queues do not come any more, and all others need the device's lock, or are RCU readers.
            let started = unsafe { KBox::from_raw(started) };

            // Only now: there are transports whose reset does not reach the device (User-Mode Linux).
            for (_, queue) in started.queues.iter() {
                queue.drop_buffers();
            }
        }
    }
}

/// A device whose lock is held: its driver is neither bound nor unbound meanwhile, nor is the device started
/// or stopped by anybody else.
pub(super) struct Locked<'a> {
    dev: &'a Device,
    /// This task had the lock before.
    is_nested: bool,
}

impl<'a> Locked<'a> {
    /// Locks a device, unless this task has done so by a [`Resetter`].
    pub(super) fn new(dev: &'a Device) -> Self {
        // Somebody may just be unbinding the driver; not while this task has the device reset.
        let rcu = rcu::read_lock();
        // SAFETY: It is freed a grace period after it was taken out of the device.
        let is_nested = unsafe { dev.started() }
            .is_some_and(|started| started.resetter.load(Relaxed) == current_task());
        drop(rcu);

        if !is_nested {
            // SAFETY: By the type invariant the device is valid.
            unsafe { bindings::gpio_virtio_device_lock(&raw mut (*dev.as_raw()).dev) };
        }
        Self { dev, is_nested }
    }

    fn try_new(dev: &'a Device) -> Option<Self> {
        // SAFETY: By the type invariant the device is valid.
        let is_locked =
            unsafe { bindings::gpio_virtio_device_trylock(&raw mut (*dev.as_raw()).dev) };

        is_locked.then_some(Self {
            dev,
            is_nested: false,
        })
    }

    fn started(&self) -> Option<&Started> {
        // SAFETY: Who unbinds the driver needs the lock.
        unsafe { self.dev.started() }
    }

    /// Calls `pause`, resets the device, gives its buffers back, and calls `taken_down`; unless it has no
    /// queues already.
    pub(super) fn take_down(&self, pause: impl FnOnce(), taken_down: impl FnOnce()) {
        let Some(started) = self.started() else {
            return;
        };
        if started.state.load(Relaxed) == UP {
            pause();
            // SAFETY: The lock is held, and the device has queues.
            unsafe { self.dev.delete_queues(started) };
            started.give_back_buffers();
            taken_down();
        }
        started.state.store(DOWN, Relaxed);
    }

    /// Starts the device again, and calls `resume`. If that fails the device is reset, and `taken_down` called.
    pub(super) fn bring_up(
        &self,
        resume: impl FnOnce() -> Result,
        taken_down: impl FnOnce(),
    ) -> Result {
        let started = self.started().ok_or(ENODEV)?;
        if started.state.load(Relaxed) == UP {
            return Ok(());
        }

        started.state.store(FAILED, Relaxed);
        // SAFETY: The lock is held, and the device has no queues.
        let result = unsafe { self.dev.find_queues(started) }.and_then(|()| {
            started.state.store(UP, Relaxed);
            resume().inspect_err(|_| {
                started.state.store(FAILED, Relaxed);
                // SAFETY: The lock is held, and the device has queues.
                unsafe { self.dev.delete_queues(started) };
            })
        });

        result.inspect_err(|_| {
            started.give_back_buffers();
            taken_down();
        })
    }

    /// Has the virtio core reset the device and settle its features, with the callbacks of the driver in
    /// between. Before that, `begin` is called.
    fn reset(&self, begin: impl FnOnce()) -> core::result::Result<(), NotReset> {
        let started = self.started().ok_or(NotReset::Gone)?;
        // SAFETY: By the type invariant the device is valid.
        if !unsafe { bindings::gpio_virtio_is_present(self.dev.as_raw()) } {
            return Err(NotReset::Gone);
        }
        match started.state.load(Relaxed) {
            UP => (),
            // The core would have the device find that its driver has given up.
            //
            // SAFETY: The lock is held.
            FAILED => unsafe { self.dev.reset() },
            // The bus has tried to start it again, and has failed.
            //
            // SAFETY: By the type invariant the device is valid; the lock is held.
            _ if unsafe { bindings::gpio_virtio_has_failed(self.dev.as_raw()) } => unsafe {
                self.dev.reset()
            },
            // The bus will.
            _ => return Err(NotReset::Busy),
        }
        begin();

        started.resetter.store(current_task(), Relaxed);
        // SAFETY: By the type invariant the device is valid. The driver that is bound to it has both of
        // these callbacks, and is not unbound, as the lock is held.
        let result = unsafe {
            to_result(bindings::virtio_device_reset_prepare(self.dev.as_raw()))
                .and_then(|()| to_result(bindings::virtio_device_reset_done(self.dev.as_raw())))
        };
        started.resetter.store(ptr::null_mut(), Relaxed);
        if result.is_err() {
            // That may have been before the driver was called.
            started.state.store(FAILED, Relaxed);
        }
        result.map_err(NotReset::Failed)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if !self.is_nested {
            // SAFETY: By the type invariant the device is valid; this has locked it.
            unsafe { bindings::gpio_virtio_device_unlock(&raw mut (*self.dev.as_raw()).dev) };
        }
    }
}

/// The task that runs.
fn current_task() -> *mut kernel_bindings::task_struct {
    kernel::current!().as_ptr()
}

/// Why a device does not work after it was to be reset.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotReset {
    /// It was not reset: somebody else has its lock. Whoever unbinds the driver has, and might wait for the
    /// one who wants to reset it.
    Locked,
    /// It was not reset: it is not there, or the driver is not bound to it any more.
    Gone,
    /// It was not reset: the bus is doing that, or the system sleeps. It will be started again.
    Busy,
    /// It was reset, and could not be started again.
    Failed(Error),
}

/// Resets a device, and has its driver [pause](super::Driver::pause) and [resume](super::Driver::resume)
/// meanwhile.
///
/// # Invariants
///
/// `dev` is that of a virtio device whose driver, if it has one, is that of `failed`.
pub(crate) struct Resetter {
    dev: ARef<device::Device>,
    failed: fn(&Device),
}

impl Resetter {
    /// Makes the one for a device that is bound to `T`, or is just being bound.
    pub(crate) fn new<T: Driver + 'static>(dev: &Device<device::Core<'_>>) -> Self {
        let dev: &device::Device<device::Core<'_>> = dev.as_ref();
        let dev: &device::Device = dev;

        // INVARIANT: It is a virtio device, and `Core` stands for the one whose driver is asking.
        Self {
            dev: dev.into(),
            failed: Adapter::<T>::failed,
        }
    }

    fn device(&self) -> &Device {
        let dev: *const device::Device = &*self.dev;
        let dev: *const kernel_bindings::device = dev.cast();

        // SAFETY: By the type invariant `dev` is a part of a `struct virtio_device`. That is valid
        // as long as there is a reference to `dev`.
        unsafe { &*kernel::container_of!(dev, virtio_device, dev).cast::<Device>() }
    }

    /// Whether the device can be reset: there are transports that only pretend.
    pub(crate) fn can_reset(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::gpio_virtio_can_reset(self.device().as_raw()) }
    }

    /// Resets the device, and returns whether it works again. If it is going to be reset then `begin` is
    /// called before. May sleep.
    pub(crate) fn try_reset(&self, begin: impl FnOnce()) -> core::result::Result<(), NotReset> {
        let dev = self.device();
        let locked = Locked::try_new(dev).ok_or(NotReset::Locked)?;

        locked.reset(begin).inspect_err(|error| {
            if let NotReset::Failed(_) = error {
                (self.failed)(dev);
            }
        })
    }
}

/// A queue of any type, to be given to [`Device::start`].
pub(crate) struct QueueHandle(Arc<dyn AnyQueue>);

impl<H: Handler> From<&Arc<Queue<H>>> for QueueHandle {
    fn from(queue: &Arc<Queue<H>>) -> Self {
        Self(queue.clone())
    }
}

/// Called by the virtio core when the device may have returned buffers.
///
/// # Safety
///
/// `vq` must be a queue of a device that [`Device::find_queues`] has found it for.
unsafe extern "C" fn returned_callback(vq: *mut virtqueue) {
    // SAFETY: By the requirement of this function `vq` is valid, and its device with it.
    let (index, dev) = unsafe { ((*vq).index, &*(*vq).vdev.cast::<Device>()) };

    // SAFETY: The driver is not unbound before callbacks have ended.
    let Some(started) = (unsafe { dev.started() }) else {
        return;
    };

    // CAST: The number of a queue has 16 bits.
    if let Some((_, queue)) = started.queues.get(index as usize) {
        queue.returned();
    }
}
