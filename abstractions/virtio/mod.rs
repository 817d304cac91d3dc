// SPDX-License-Identifier: GPL-2.0

//! The virtio bus: drivers, devices, and the queues between them.
//!
//! A [`Driver`] is registered for device IDs. When it is probed it reads the device's
//! [configuration](Config), makes its [queues](Queue) and hands them to [`Device::start`]. From then
//! on it submits [buffers](Buffer), which the queue owns until the device has returned them, and is
//! called when some came back.
//!
//! A device can be reset in between: because it does not work any more, because the bus wants it, or
//! because the system goes to sleep. Then the driver [pauses](Driver::pause), gets all buffers back, and
//! [resumes](Driver::resume) on queues that are empty.
//!
//! When the driver is unbound, its data is dropped first, with whatever would still send requests.
//! Then this abstraction stops the queues: it resets the device, which then writes no more, and
//! drops the buffers that never came back. A driver has no duty in this and cannot get it wrong.
//!
//! C headers: [`include/linux/virtio.h`](srctree/include/linux/virtio.h),
//! [`include/linux/virtio_config.h`](srctree/include/linux/virtio_config.h)

mod buffer;
mod bus;
mod config;
mod queue;
mod started;

pub(crate) use buffer::{
    Block,
    Buffer, //
};
pub(crate) use bus::{
    Adapter,
    Device,
    DeviceId,
    Driver,
    IdTable,
    Negotiation, //
};
pub(crate) use config::Config;
pub(crate) use queue::{
    Handler,
    LockedQueue,
    Peek,
    Queue, //
};
pub(crate) use started::{
    NotReset,
    QueueHandle,
    Resetter, //
};

/// Declares a kernel module that is a single virtio driver.
macro_rules! module_virtio_driver {
    ($($f:tt)*) => {
        kernel::module_driver!(<T>, $crate::abstractions::virtio::Adapter<T>, { $($f)* });
    };
}
pub(crate) use module_virtio_driver;

/// Declares the table of device IDs of a virtio driver, and the module's aliases with it.
macro_rules! virtio_device_table {
    ($name:ident, [$($id:expr),* $(,)?]) => {
        kernel::module_device_table!(
            "virtio",
            $crate::abstractions::virtio::DeviceId,
            $name,
            @none,
            [$($id),*]
        );
    };
}
pub(crate) use virtio_device_table;

/// The device is one of the VIRTIO standard, little-endian in all it says.
///
/// From [`include/uapi/linux/virtio_config.h`](srctree/include/uapi/linux/virtio_config.h).
pub(crate) const F_VERSION_1: u32 = 32;
