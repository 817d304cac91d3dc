// SPDX-License-Identifier: GPL-2.0

//! Drivers and devices on the virtio bus.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

use super::{
    super::bindings::{
        self,
        virtio_device,
        virtio_device_id,
        virtqueue,
        virtqueue_info, //
    },
    queue::AnyQueue,
    Config,
    Handler,
    Queue, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    bindings as kernel_bindings, device,
    device_id::{
        self,
        RawDeviceId, //
    },
    driver,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::Arc,
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

/// The ID of a kind of virtio device.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct DeviceId(virtio_device_id);

impl DeviceId {
    /// The vendor that stands for any (`VIRTIO_DEV_ANY_ID`).
    const ANY_VENDOR: u32 = u32::MAX;

    /// The device ID `device`, of any vendor.
    pub(crate) const fn new(device: u32) -> Self {
        Self(virtio_device_id {
            device,
            vendor: Self::ANY_VENDOR,
        })
    }
}

// SAFETY: `DeviceId` is a transparent wrapper of `struct virtio_device_id`.
unsafe impl RawDeviceId for DeviceId {
    type RawType = virtio_device_id;
}

/// A table of device IDs.
pub(crate) type IdTable = &'static dyn device_id::IdTable<DeviceId, ()>;

/// A driver for virtio devices.
pub(crate) trait Driver {
    /// What the driver has for each device it is bound to.
    ///
    /// It is dropped when the driver is unbound, before the device is reset: what may still submit
    /// buffers has to be stopped by then or by its drop.
    type Data<'bound>: Send + 'bound;

    /// The devices that the driver is for.
    const ID_TABLE: IdTable;

    /// The features that the driver knows, by number.
    ///
    /// A device has those of them that it offers too, and those of the ring and the transport.
    const FEATURES: &'static [u32];

    /// Looks at the features that a device offers before they are settled, and refuses, with an error,
    /// a device that lacks one.
    fn negotiate(features: &Negotiation<'_>) -> Result;

    /// Binds the driver to a device.
    ///
    /// If this fails, then a device that was started is stopped again.
    fn probe<'bound>(
        dev: &'bound Device<device::Core<'_>>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound;
}

/// The features of a device, as long as they are not settled.
pub(crate) struct Negotiation<'a> {
    dev: &'a Device<device::Bound>,
}

impl Negotiation<'_> {
    /// Whether the device offers `feature`, and the driver or the kernel knows it.
    pub(crate) fn offers(&self, feature: u32) -> bool {
        // SAFETY: By the type invariant of `Device` it is valid.
        unsafe { bindings::gpio_virtio_has_feature(self.dev.as_raw(), feature) }
    }

    /// The device, for messages.
    pub(crate) fn device(&self) -> &device::Device<device::Bound> {
        self.dev.as_ref()
    }
}

/// Connects a [`Driver`] to the callbacks of `struct virtio_driver`.
pub(crate) struct Adapter<T: Driver>(T);

// SAFETY:
// - `bindings::virtio_driver` is a C type declared as `repr(C)`.
// - `T::Data` is the type of the driver's device private data.
// - `struct virtio_driver` embeds a `struct device_driver`, at the offset given.
unsafe impl<T: Driver + 'static> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::virtio_driver;
    type DriverData<'bound> = T::Data<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: A call to `unregister` for a given instance of `DriverType` is guaranteed to be valid if
// a preceding call to `register` has been successful.
unsafe impl<T: Driver + 'static> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        reg: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        // SAFETY: It is safe to set the fields of a `struct virtio_driver` that is not registered.
        unsafe {
            (*reg.get()).driver.name = name.as_char_ptr();
            (*reg.get()).id_table = T::ID_TABLE.as_ptr();
            (*reg.get()).feature_table = T::FEATURES.as_ptr();
            // CAST: There are 128 features.
            (*reg.get()).feature_table_size = T::FEATURES.len() as u32;
            (*reg.get()).validate = Some(Self::validate_callback);
            (*reg.get()).probe = Some(Self::probe_callback);
            (*reg.get()).remove = Some(Self::remove_callback);
        }

        // SAFETY: `reg` is a valid `struct virtio_driver` and, by the requirements of this
        // function, stays where it is until it is unregistered.
        to_result(unsafe { bindings::__register_virtio_driver(reg.get(), module.as_ptr()) })
    }

    unsafe fn unregister(reg: &Opaque<Self::DriverType>) {
        // SAFETY: `reg` is registered by the requirements of this function.
        unsafe { bindings::unregister_virtio_driver(reg.get()) }
    }
}

impl<T: Driver + 'static> Adapter<T> {
    extern "C" fn validate_callback(vdev: *mut virtio_device) -> c_int {
        // SAFETY: The virtio bus only ever calls this with a valid device, during probe.
        let dev = unsafe { &*vdev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            T::negotiate(&Negotiation { dev })?;
            Ok(0)
        })
    }

    extern "C" fn probe_callback(vdev: *mut virtio_device) -> c_int {
        // INVARIANT: A driver that had the device before may have left its own pointer there.
        //
        // SAFETY: The virtio bus only ever calls this with a valid device, which has no other driver:
        // `priv` is the driver's that is bound to it.
        unsafe { (*vdev).priv_ = core::ptr::null_mut() };

        // SAFETY: As above; `priv` is what the invariant of `Device` says from now on.
        let dev = unsafe { &*vdev.cast::<Device<device::CoreInternal<'_>>>() };

        from_result(|| {
            dev.as_ref().set_drvdata(T::probe(dev)).inspect_err(|_| {
                dev.stop();
            })?;
            Ok(0)
        })
    }

    extern "C" fn remove_callback(vdev: *mut virtio_device) {
        // SAFETY: The virtio bus only ever calls this with a valid device.
        let dev = unsafe { &*vdev.cast::<Device<device::CoreInternal<'_>>>() };

        // The driver core would drop the data only after this has returned. That is too late: the
        // virtio core wants the device to be reset by then, and the data is what uses it.
        //
        // SAFETY: `vdev` is valid, so is the `struct device` in it.
        let data = unsafe { kernel_bindings::dev_get_drvdata(&raw mut (*vdev).dev) };
        // SAFETY: As above.
        unsafe { kernel_bindings::dev_set_drvdata(&raw mut (*vdev).dev, core::ptr::null_mut()) };

        if !data.is_null() {
            // SAFETY: The pointer was stored by `set_drvdata()` in `probe_callback()`, as that of a
            // `Pin<KBox<T::Data<'_>>>`. Nobody else takes it: the driver core finds NULL.
            drop(unsafe { Pin::<KBox<T::Data<'_>>>::from_foreign(data.cast()) });
        }

        // The virtio core wants to find the device reset, whether it was started or not. Not twice:
        // the transport has no queues any more after the first time.
        if !dev.stop() {
            dev.reset();
        }
    }
}

/// A virtio device.
///
/// # Invariants
///
/// Represents a valid `struct virtio_device`. From probe on, its `priv` is NULL or comes from
/// [`KBox::into_raw`] of a [`Started`], in [`Device::start`].
#[repr(transparent)]
pub(crate) struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<virtio_device>,
    PhantomData<Ctx>,
);

/// The queues of a started device, in the order of their numbers: what callbacks need.
struct Started {
    queues: KVec<Arc<dyn AnyQueue>>,
}

impl<Ctx: device::DeviceContext> Device<Ctx> {
    pub(super) fn as_raw(&self) -> *mut virtio_device {
        self.0.get()
    }
}

impl Device<device::Bound> {
    /// The device ID: one of those in the driver's table.
    pub(crate) fn id(&self) -> u32 {
        // SAFETY: By the type invariant the device is valid; its ID never changes.
        unsafe { (*self.as_raw()).id.device }
    }

    /// Whether `feature` was negotiated.
    pub(crate) fn has_feature(&self, feature: u32) -> bool {
        // SAFETY: By the type invariant the device is valid; its features are settled.
        unsafe { bindings::gpio_virtio_has_feature(self.as_raw(), feature) }
    }

    /// The configuration of the device.
    pub(crate) fn config(&self) -> Config<'_> {
        Config::new(self)
    }
}

impl Device<device::Core<'_>> {
    /// Finds the queues of the device, attaches those given to them, the first one to queue 0 and so
    /// on, and tells the device that it may work (`DRIVER_OK`).
    ///
    /// Buffers can be submitted from now on. To be called once in [`Driver::probe`]; the device is
    /// stopped when the driver is unbound or its probe fails.
    ///
    /// [`EBUSY`] if the device is started already, or one of the queues is attached.
    pub(crate) fn start<const N: usize>(
        &self,
        queues: [(&'static CStr, QueueHandle); N],
    ) -> Result {
        // SAFETY: By the type invariant the device is valid; `priv` belongs to this abstraction,
        // and `Core` stands for the only one who starts and stops the device.
        if !unsafe { (*self.as_raw()).priv_ }.is_null() {
            return Err(EBUSY);
        }

        let mut infos = queues.each_ref().map(|(name, _)| virtqueue_info {
            name: name.as_char_ptr(),
            callback: Some(returned_callback),
            // A ring that keeps contexts has no indirect tables. So `LockedQueue::submit()` never
            // allocates one, whatever was negotiated. To refuse that feature instead would have the
            // features settled twice, which User-Mode Linux's transport does not bear: it forgets
            // one of its own.
            ctx: true,
        });
        let mut vqs = [core::ptr::null_mut(); N];
        let mut started = KBox::new(
            Started {
                queues: KVec::new(),
            },
            GFP_KERNEL,
        )?;
        for (_, queue) in &queues {
            started.queues.push(queue.0.clone(), GFP_KERNEL)?;
        }

        // Callbacks may come as soon as the queues are found: what they need has to be there.
        //
        // INVARIANT: The pointer comes from `KBox::into_raw()` of a `Started`.
        //
        // SAFETY: By the type invariant the device is valid. It has no queues, so no callbacks.
        unsafe { (*self.as_raw()).priv_ = KBox::into_raw(started).cast() };

        // SAFETY: By the type invariant the device is valid. Both arrays have `N` entries, and the
        // names live as long as the kernel.
        to_result(unsafe {
            bindings::gpio_virtio_find_vqs(
                self.as_raw(),
                N as u32,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
            )
        })
        // The transport has undone what it did: there are no queues, and no callbacks. It would not
        // bear to be asked to do so twice.
        .inspect_err(|_| self.forget_started())?;

        for ((_, queue), vq) in queues.iter().zip(vqs) {
            let attached = NonNull::new(vq).ok_or(ENODEV).and_then(|vq| {
                // SAFETY: The queue was just found, so it is valid and empty. It stays valid until
                // `stop()` deletes it, which detaches it first.
                unsafe { queue.0.attach(vq) }
            });
            if let Err(error) = attached {
                self.stop();
                return Err(error);
            }
        }

        // SAFETY: By the type invariant the device is valid. It has its queues, and was not told so
        // before.
        unsafe { bindings::gpio_virtio_device_ready(self.as_raw()) };
        Ok(())
    }

    /// Undoes [`Device::start`] and returns whether there was anything to undo: afterwards the
    /// device is reset, no callback runs and the queues own no buffers.
    fn stop(&self) -> bool {
        // SAFETY: By the type invariant the device is valid; `priv` belongs to this abstraction,
        // and `Core` stands for the only one who starts and stops the device.
        let started = unsafe { (*self.as_raw()).priv_ }.cast::<Started>();
        // SAFETY: By the type invariant this is NULL or points to a `Started`. Callbacks may have
        // references to it too; they only read it.
        let Some(started) = (unsafe { started.as_ref() }) else {
            return false;
        };

        for queue in started.queues.iter() {
            queue.close(self.as_raw());
        }

        // Waits for `LockedQueue::notify()`: nobody may talk to a device that is being reset.
        //
        // SAFETY: May be called where one may sleep, as here.
        unsafe { kernel_bindings::synchronize_rcu() };

        self.reset();

        for queue in started.queues.iter() {
            // SAFETY: The queue was closed above, a grace period has passed since, and the device
            // is reset.
            unsafe { queue.detach(self.as_raw()) };
        }

        // SAFETY: By the type invariant the device is valid. Nobody uses its queues any more. This
        // also frees their interrupts, so that no callback runs afterwards.
        unsafe { bindings::gpio_virtio_del_vqs(self.as_raw()) };

        // Only now: there are transports whose reset does not reach the device (User-Mode Linux).
        for queue in started.queues.iter() {
            queue.drop_buffers();
        }

        self.forget_started();
        true
    }

    /// Takes back what callbacks need. None must run, and none must come.
    fn forget_started(&self) {
        // SAFETY: By the type invariant the device is valid, and `priv` is NULL or points to a
        // `Started`; it belongs to this abstraction.
        let started = unsafe { (*self.as_raw()).priv_ }.cast::<Started>();
        // SAFETY: As above.
        unsafe { (*self.as_raw()).priv_ = core::ptr::null_mut() };

        if !started.is_null() {
            // SAFETY: By the type invariant the pointer comes from `KBox::into_raw()`. It was taken
            // out of the device above, and those who had references to it are through.
            drop(unsafe { KBox::from_raw(started) });
        }
    }

    /// Resets the device: it forgets everything, and touches no memory of ours any more.
    fn reset(&self) {
        // SAFETY: By the type invariant the device is valid. `Core` stands for the only one who
        // starts and stops it.
        unsafe { bindings::virtio_reset_device(self.as_raw()) };
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
/// `vq` must be a queue of a device that [`Device::start`] has found it for.
unsafe extern "C" fn returned_callback(vq: *mut virtqueue) {
    // SAFETY: By the requirement of this function `vq` is valid, and its device with it.
    let (index, started) = unsafe { ((*vq).index, (*(*vq).vdev).priv_.cast::<Started>()) };

    // SAFETY: By the type invariant of `Device` this is NULL or points to a `Started`, which
    // `Device::stop()` does not free while callbacks can run.
    let Some(started) = (unsafe { started.as_ref() }) else {
        return;
    };

    // CAST: The number of a queue has 16 bits.
    if let Some(queue) = started.queues.get(index as usize) {
        queue.returned();
    }
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on its generic argument.
kernel::impl_device_context_deref!(unsafe { Device });

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type invariant the device is valid, and so is the `struct device` in it.
        unsafe { device::Device::from_raw(&raw mut (*self.as_raw()).dev) }
    }
}

// SAFETY: A `struct virtio_device` may be used on any thread.
unsafe impl Send for Device {}

// SAFETY: The methods of `Device<Normal>` only read what does not change.
unsafe impl Sync for Device {}
