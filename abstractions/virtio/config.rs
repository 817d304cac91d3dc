// SPDX-License-Identifier: GPL-2.0

//! The configuration space of a device.
//!
//! C header: [`include/linux/virtio_config.h`](srctree/include/linux/virtio_config.h)

use super::{
    super::bindings,
    Device, //
};
use kernel::{
    device::Bound,
    prelude::*, //
};

/// How often a configuration that changes while it is read is read anew.
const ATTEMPTS: usize = 8;

/// Reads the configuration of a device.
///
/// Fields are read at their own width, and never past the end of the configuration: the transports
/// would crash. Whatever is read comes from the device and is to be checked.
///
/// The methods may sleep.
pub(crate) struct Config<'a> {
    dev: &'a Device<Bound>,
    size: usize,
}

impl<'a> Config<'a> {
    pub(super) fn new(dev: &'a Device<Bound>) -> Self {
        // SAFETY: `dev` is a bound device and stays so while the reference exists.
        let size = unsafe { bindings::gpio_virtio_config_size(dev.as_raw()) };

        Self { dev, size }
    }

    /// Bytes that can be read; [`usize::MAX`] if the transport does not say.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    fn generation(&self) -> u32 {
        // SAFETY: `self.dev` is a bound device.
        unsafe { bindings::gpio_virtio_config_generation(self.dev.as_raw()) }
    }

    /// Runs `read`, and again if the device changed its configuration meanwhile.
    ///
    /// A device that never stops doing so is refused with [`EBUSY`].
    pub(crate) fn consistent<T>(&self, mut read: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        for _ in 0..ATTEMPTS {
            let before = self.generation();
            let result = read(self);

            if self.generation() == before {
                return result;
            }
        }
        Err(EBUSY)
    }

    fn read_bytes<const N: usize>(&self, offset: usize) -> Result<[u8; N]> {
        let end = offset.checked_add(N).ok_or(EINVAL)?;
        if end > self.size {
            return Err(EINVAL);
        }

        let offset = u32::try_from(offset).map_err(|_| EINVAL)?;
        let mut bytes = [0; N];
        // SAFETY: `self.dev` is a bound device, and `bytes` has room for `N` bytes. All callers
        // have an `N` of 1, 2 or 4, which the transports can read; that they lie inside of the
        // configuration was checked above.
        unsafe {
            bindings::gpio_virtio_config_read(
                self.dev.as_raw(),
                offset,
                bytes.as_mut_ptr().cast(),
                N as u32,
            )
        };
        Ok(bytes)
    }

    /// Reads the byte at `offset`. [`EINVAL`] if there is none.
    pub(crate) fn read_u8(&self, offset: usize) -> Result<u8> {
        self.read_bytes(offset).map(u8::from_le_bytes)
    }

    /// Reads the little-endian 16-bit field at `offset`. [`EINVAL`] if there is none.
    pub(crate) fn read_le16(&self, offset: usize) -> Result<u16> {
        self.read_bytes(offset).map(u16::from_le_bytes)
    }

    /// Reads the little-endian 32-bit field at `offset`. [`EINVAL`] if there is none.
    pub(crate) fn read_le32(&self, offset: usize) -> Result<u32> {
        self.read_bytes(offset).map(u32::from_le_bytes)
    }

    /// Reads a row of bytes that starts at `offset`. [`EINVAL`] if not all of them are there.
    pub(crate) fn read_row(&self, offset: usize, row: &mut [u8]) -> Result {
        for (index, byte) in row.iter_mut().enumerate() {
            *byte = self.read_u8(offset.checked_add(index).ok_or(EINVAL)?)?;
        }
        Ok(())
    }
}
