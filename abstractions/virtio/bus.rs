// SPDX-License-Identifier: GPL-2.0

//! Drivers and devices on the virtio bus.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

use super::{
    super::bindings::{
        self,
        virtio_device,
        virtio_device_id, //
    },
    started::Locked,
    Config, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
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
    type Data<'bound>: Send + Sync + 'bound;

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

    /// The device is about to be reset, for the time being: because the driver [wants](super::Resetter)
    /// it, because the bus does, or because the system goes to sleep.
    ///
    /// It works as before, as long as it works, until this returns. Then its queues give all buffers
    /// [back](super::Handler::taken_back). May sleep.
    fn pause(data: Pin<&Self::Data<'_>>);

    /// The device was reset, and its queues have given all buffers back. May sleep.
    fn taken_down(data: Pin<&Self::Data<'_>>);

    /// The device was reset, and has queues again that nothing is in. May sleep.
    ///
    /// If this fails then the device is stopped, until it is reset again.
    fn resume(data: Pin<&Self::Data<'_>>) -> Result;

    /// The device could not be started again after it was reset: it stays as it is until it is reset
    /// again. May sleep.
    fn failed(data: Pin<&Self::Data<'_>>);

    /// The system goes down, and the device will be stopped when this returns. May sleep.
    fn shut_down(data: Pin<&Self::Data<'_>>);

    /// The device says that its configuration has changed, or that it has to be reset.
    ///
    /// Called in hard interrupt context with a spinlock held.
    fn config_changed(data: Pin<&Self::Data<'_>>);
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
            (*reg.get()).config_changed = Some(Self::config_changed_callback);
            (*reg.get()).freeze = Some(Self::pause_callback);
            (*reg.get()).restore = Some(Self::resume_callback);
            (*reg.get()).reset_prepare = Some(Self::pause_callback);
            (*reg.get()).reset_done = Some(Self::resume_callback);
            (*reg.get()).shutdown = Some(Self::shutdown_callback);
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
                dev.stop_if_started();
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

        // The virtio core wants to find the device reset, whether it was started or not.
        dev.stop();
    }

    /// The driver's data about a device, if it is bound.
    ///
    /// # Safety
    ///
    /// Until the reference is gone the driver must not be unbound from `dev`.
    unsafe fn data<'a>(dev: &'a Device) -> Option<Pin<&'a T::Data<'a>>> {
        // SAFETY: By the type invariant the device is valid, so is the `struct device` in it.
        let data = unsafe { kernel_bindings::dev_get_drvdata(&raw mut (*dev.as_raw()).dev) };

        // SAFETY: The pointer was stored by `set_drvdata()` in `probe_callback()`, as that of a
        // `Pin<KBox<T::Data<'_>>>`, which is taken back when the driver is unbound.
        (!data.is_null()).then(|| unsafe { Pin::<KBox<T::Data<'_>>>::borrow(data.cast()) })
    }

    /// Tells the driver that the device could not be started again. The device's lock must be held.
    pub(super) fn failed(dev: &Device) {
        // SAFETY: Who unbinds the driver needs the lock.
        if let Some(data) = unsafe { Self::data(dev) } {
            T::failed(data);
        }
    }

    /// Called before the device is reset for the time being.
    extern "C" fn pause_callback(vdev: *mut virtio_device) -> c_int {
        // SAFETY: The virtio bus only ever calls this with a valid device.
        let dev = unsafe { &*vdev.cast::<Device>() };
        // Or the driver could be unbound meanwhile.
        let locked = Locked::new(dev);

        // SAFETY: Who unbinds the driver needs the lock.
        if let Some(data) = unsafe { Self::data(dev) } {
            locked.take_down(|| T::pause(data), || T::taken_down(data));
        }
        // Why it was given up is known here. The core would tell the device.
        //
        // SAFETY: The device is valid, and its lock is held.
        unsafe { (*vdev).failed = false };
        0
    }

    /// Called after the device was reset, when its features are settled again.
    extern "C" fn resume_callback(vdev: *mut virtio_device) -> c_int {
        // SAFETY: The virtio bus only ever calls this with a valid device.
        let dev = unsafe { &*vdev.cast::<Device>() };
        let locked = Locked::new(dev);

        from_result(|| {
            // SAFETY: Who unbinds the driver needs the lock.
            let data = unsafe { Self::data(dev) }.ok_or(ENODEV)?;

            locked
                .bring_up(|| T::resume(data), || T::taken_down(data))
                .inspect_err(|_| Self::failed(dev))?;
            Ok(0)
        })
    }

    /// Called when the system goes down; with the device's lock held.
    extern "C" fn shutdown_callback(vdev: *mut virtio_device) {
        // SAFETY: The virtio bus only ever calls this with a valid device.
        let dev = unsafe { &*vdev.cast::<Device<device::CoreInternal<'_>>>() };

        // SAFETY: Who unbinds the driver needs the lock, which the caller has.
        if let Some(data) = unsafe { Self::data(dev) } {
            T::shut_down(data);
        }
        dev.halt();
    }

    /// Called when the device says that its configuration has changed.
    extern "C" fn config_changed_callback(vdev: *mut virtio_device) {
        // SAFETY: The virtio bus only ever calls this with a valid device.
        let dev = unsafe { &*vdev.cast::<Device>() };

        // SAFETY: The virtio core does not call this before the driver is bound, or any more when it
        // begins to unbind it.
        if let Some(data) = unsafe { Self::data(dev) } {
            T::config_changed(data);
        }
    }
}

/// A virtio device.
///
/// # Invariants
///
/// Represents a valid `struct virtio_device`. From probe on, its `priv` is NULL or comes from
/// [`KBox::into_raw`] of a [`Started`](super::started::Started), in [`Device::start`].
#[repr(transparent)]
pub(crate) struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<virtio_device>,
    PhantomData<Ctx>,
);

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
