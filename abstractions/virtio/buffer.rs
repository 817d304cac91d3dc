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

/// Memory that shares no cache line with other data where that matters, so that DMA to it cannot damage
/// any.
///
/// The alignment is the largest that `ARCH_DMA_MINALIGN` has on the architectures with Rust. On those
/// whose caches are always coherent there is none, and this only keeps what is in one word together.
#[repr(C)]
#[cfg_attr(any(CONFIG_X86_64, CONFIG_S390), repr(align(8)))]
#[cfg_attr(not(any(CONFIG_X86_64, CONFIG_S390)), repr(align(128)))]
struct OwnLines<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> OwnLines<T> {
    const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::zeroed()))
    }
}

/// Memory of any size that a device writes, for what does not fit into a [`Buffer`].
pub(crate) struct Block(KVec<u8>);

impl Block {
    /// Allocates a block of `size` bytes, all zero. [`ENOMEM`] if there is not so much in one piece.
    pub(crate) fn new(size: usize, flags: Flags) -> Result<Self> {
        Ok(Self(KVec::from_elem(0, size, flags)?))
    }

    /// Copies out what the device has written, as it is at this moment, and frees the block.
    ///
    /// A device that breaks the rules may write as long as the block is there: check the copy.
    pub(crate) fn into_copy(self) -> Result<KVVec<u8>> {
        let size = self.0.len();
        let mut copy = KVVec::with_capacity(size, GFP_KERNEL)?;

        for index in 0..size {
            // SAFETY: `index` is inside of the block. The read is volatile: if the device breaks the
            // rules and writes at the same time, then the result is some other byte.
            let byte = unsafe { self.0.as_ptr().add(index).read_volatile() };
            copy.push(byte, GFP_KERNEL)?;
        }
        Ok(copy)
    }
}

/// What a buffer is made of, in one allocation.
#[repr(C)]
struct Parts<R, W, C> {
    readable: OwnLines<R>,
    writable: OwnLines<W>,
    /// How many bytes of `writable` the device is shown.
    shown: usize,
    /// What the device is shown instead of that.
    block: Option<Block>,
    context: C,
}

/// An owned buffer with a part that the device reads, `R`, a part that it writes, `W`, and a
/// context that it does not see, `C`.
///
/// While a [queue](super::Queue) owns the buffer the device uses it and nobody else can; to have it
/// is to know that the device is through with it. A device that does not keep to that, and writes
/// when it must not, changes bytes of the writable part and nothing else: that part is only ever
/// copied out, once.
///
/// A part of size zero is not shown to the device. Of the writable part it may be shown less than
/// there is, or a [`Block`] instead.
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

    /// Allocates a buffer whose shared parts are zero.
    pub(crate) fn new(context: C, flags: Flags) -> Result<Self> {
        Self::with_shown(size_of::<W>(), context, flags)
    }

    /// Allocates a buffer whose shared parts are zero, and of whose writable part the device is shown
    /// the first `shown` bytes, or all if that is more.
    pub(crate) fn with_shown(shown: usize, context: C, flags: Flags) -> Result<Self> {
        let parts = KBox::new(
            Parts {
                readable: OwnLines::new(),
                writable: OwnLines::new(),
                shown: shown.min(size_of::<W>()),
                block: None,
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
        let to: *mut R = self.readable().cast();

        // SAFETY: By the type invariant the pointer is valid, and nothing refers to this part. The
        // device does not own the buffer. If it writes here all the same it changes bytes that are
        // never read back. A part is aligned to words; if it is as large as one, it is written as one.
        unsafe {
            match size_of::<R>() == size_of::<u64>() {
                true => to
                    .cast::<u64>()
                    .write_volatile(core::mem::transmute_copy(&value)),
                false => to.write_volatile(value),
            }
        }
    }

    /// Copies out what the device has written, as it is at this moment.
    ///
    /// Two calls can have different results if the device breaks the rules: call this once and
    /// check the copy.
    pub(crate) fn read(&self) -> W {
        let from: *mut W = self.writable().cast();

        // SAFETY: By the type invariant the pointer is valid, and nothing refers to this part. All
        // bytes were initialised in `new()`, and `W: FromBytes` has a meaning for any. The read is
        // volatile: if the device breaks the rules and writes at the same time, then the result is
        // some other bytes. A part is aligned to words; if it is as large as one, it is read as one.
        unsafe {
            match size_of::<W>() == size_of::<u64>() {
                true => core::mem::transmute_copy(&from.cast::<u64>().read_volatile()),
                false => from.read_volatile(),
            }
        }
    }

    /// Has the device shown `block` instead of the writable part, until the block is taken back.
    pub(crate) fn lend_block(&mut self, block: Block) {
        // SAFETY: By the type invariant the pointer is valid; the device does not see this field.
        unsafe { (*self.parts.as_ptr()).block = Some(block) };
    }

    /// Takes back the block that the device was shown.
    pub(crate) fn take_block(&mut self) -> Option<Block> {
        // SAFETY: By the type invariant the pointer is valid; the device does not see this field.
        unsafe { (*self.parts.as_ptr()).block.take() }
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

    /// Address of the part that the device writes, where it is no block.
    fn writable(&self) -> *mut c_void {
        // SAFETY: By the type invariant the pointer is valid. Only an address is computed.
        unsafe { (&raw mut (*self.parts.as_ptr()).writable).cast() }
    }

    /// Address and size of what the device writes.
    pub(super) fn shown(&self) -> (*mut c_void, usize) {
        // SAFETY: By the type invariant the pointer is valid; the device does not see these fields.
        let (block, shown) = unsafe {
            let parts = self.parts.as_ptr();
            (&(*parts).block, (*parts).shown)
        };

        match block {
            Some(Block(bytes)) => (bytes.as_ptr().cast_mut().cast(), bytes.len()),
            None => (self.writable(), shown),
        }
    }

    /// How many entries of a ring it takes.
    pub(super) fn entries(&self) -> usize {
        let (_, shown) = self.shown();

        usize::from(Self::READABLE_SIZE > 0) + usize::from(shown > 0)
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
