// SPDX-License-Identifier: GPL-2.0

//! Buffers that are lent to a device.

use core::{
    cell::UnsafeCell,
    mem::{
        size_of,
        MaybeUninit, //
    },
    ptr::NonNull,
};
use kernel::{
    alloc::Flags,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    },
};

/// Memory that shares no cache line with other data, so that DMA to it cannot damage any.
///
/// The alignment is the largest that `ARCH_DMA_MINALIGN` has on the architectures with Rust.
#[repr(C, align(128))]
struct OwnLines<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> OwnLines<T> {
    const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::zeroed()))
    }
}

/// What a buffer is made of, in one allocation.
#[repr(C)]
struct Parts<R, W, C> {
    readable: OwnLines<R>,
    writable: OwnLines<W>,
    context: C,
}

/// An owned buffer with a part that the device reads, `R`, a part that it writes, `W`, and a
/// context that it does not see, `C`.
///
/// While a [queue](super::Queue) owns the buffer the device uses it and nobody else can; to have it
/// is to know that the device is through with it. A device that does not keep to that, and writes
/// when it must not, changes bytes of the writable part and nothing else: that part is only ever
/// copied out, byte by byte.
///
/// A part of size zero is not shown to the device.
///
/// # Invariants
///
/// `parts` comes from [`KBox::into_raw`] and is owned by this value. No reference to its parts that
/// the device sees is ever made.
pub(crate) struct Buffer<R, W, C> {
    parts: NonNull<Parts<R, W, C>>,
}

// SAFETY: A buffer owns what it points to, as a `KBox` does, so it may be sent wherever the context
// may. The other two parts are plain bytes.
unsafe impl<R: AsBytes, W: FromBytes, C: Send> Send for Buffer<R, W, C> {}

impl<R: AsBytes, W: FromBytes, C> Buffer<R, W, C> {
    /// Bytes of the device-readable part.
    pub(super) const READABLE_SIZE: usize = size_of::<R>();

    /// Bytes of the device-writable part.
    pub(super) const WRITABLE_SIZE: usize = size_of::<W>();

    /// Allocates a buffer whose shared parts are zero.
    pub(crate) fn new(context: C, flags: Flags) -> Result<Self> {
        let parts = KBox::new(
            Parts {
                readable: OwnLines::new(),
                writable: OwnLines::new(),
                context,
            },
            flags,
        )?;

        // INVARIANT: `parts` comes from a `KBox` that is given up here.
        Ok(Self {
            // SAFETY: `KBox::into_raw()` does not return NULL.
            parts: unsafe { NonNull::new_unchecked(KBox::into_raw(parts)) },
        })
    }

    /// Fills in what the device is to read.
    pub(crate) fn write(&mut self, value: R) {
        // SAFETY: By the type invariant the pointer is valid, and nothing refers to this part. The
        // device does not own the buffer. If it writes here all the same it changes bytes that are
        // never read back.
        unsafe { self.readable().cast::<R>().write_volatile(value) };
    }

    /// Copies out what the device has written, as it is at this moment.
    ///
    /// Two calls can have different results if the device breaks the rules: call this once and
    /// check the copy.
    pub(crate) fn read(&self) -> W {
        // SAFETY: By the type invariant the pointer is valid, and nothing refers to this part. All
        // bytes were initialised in `new()`, and `W: FromBytes` has a meaning for any. The read is
        // volatile: if the device breaks the rules and writes at the same time, then the result is
        // some other bytes.
        unsafe { self.writable().cast::<W>().read_volatile() }
    }

    /// The driver's own data about the buffer.
    pub(crate) fn context(&self) -> &C {
        // SAFETY: By the type invariant the pointer is valid; the device does not see this part.
        unsafe { &(*self.parts.as_ptr()).context }
    }

    /// Address of what the device reads.
    pub(super) fn readable(&self) -> *mut c_void {
        // SAFETY: By the type invariant the pointer is valid. Only an address is computed.
        unsafe { (&raw mut (*self.parts.as_ptr()).readable).cast() }
    }

    /// Address of what the device writes.
    pub(super) fn writable(&self) -> *mut c_void {
        // SAFETY: By the type invariant the pointer is valid. Only an address is computed.
        unsafe { (&raw mut (*self.parts.as_ptr()).writable).cast() }
    }

    /// Address that stands for the buffer while a queue owns it.
    pub(super) fn token(&self) -> *mut c_void {
        self.parts.as_ptr().cast()
    }

    /// Gives up ownership: the buffer is now whoever's has the token.
    pub(super) fn into_token(self) -> *mut c_void {
        let token = self.token();
        core::mem::forget(self);
        token
    }

    /// Takes ownership back.
    ///
    /// # Safety
    ///
    /// `token` must come from [`Buffer::into_token`] of the same type, and be used once.
    pub(super) unsafe fn from_token(token: NonNull<c_void>) -> Self {
        // INVARIANT: By the safety requirement this is the pointer that `into_token()` gave up.
        Self {
            parts: token.cast(),
        }
    }
}

impl<R, W, C> Drop for Buffer<R, W, C> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this value owns the allocation, which comes from a `KBox`.
        drop(unsafe { KBox::from_raw(self.parts.as_ptr()) });
    }
}
