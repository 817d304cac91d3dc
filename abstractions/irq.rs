// SPDX-License-Identifier: GPL-2.0

//! Interrupts of GPIO lines.
//!
//! A GPIO chip whose lines can interrupt implements [`InterruptChip`] besides
//! [`Chip`](super::gpio::Chip), and is registered together with a [`Domain`]. gpiolib then makes an
//! interrupt of each line that a consumer asks for. When the hardware reports something about a line
//! the driver has the consumers called by [`Domain::fire`].
//!
//! C headers: [`include/linux/irq.h`](srctree/include/linux/irq.h),
//! [`include/linux/irqdomain.h`](srctree/include/linux/irqdomain.h)

use super::{
    bindings as own_bindings,
    completion::Completion,
    gpio,
    raw_spinlock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings, device,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
        rcu, //
    },
};

pub(crate) use super::trigger::Trigger;

const _: () = {
    assert!(Trigger::None.bits() == bindings::IRQ_TYPE_NONE);
    assert!(Trigger::Rising.bits() == bindings::IRQ_TYPE_EDGE_RISING);
    assert!(Trigger::Falling.bits() == bindings::IRQ_TYPE_EDGE_FALLING);
    assert!(Trigger::Both.bits() == bindings::IRQ_TYPE_EDGE_BOTH);
    assert!(Trigger::High.bits() == bindings::IRQ_TYPE_LEVEL_HIGH);
    assert!(Trigger::Low.bits() == bindings::IRQ_TYPE_LEVEL_LOW);
};

/// The operations of a chip whose lines can interrupt.
///
/// `offset` is the number of a line within the chip, below the chip's number of lines.
///
/// The flow is that of a level: the line is masked while its handlers run, and longer if they have
/// a thread that runs once for each interrupt. An edge that is reported meanwhile has to be kept by
/// the chip, and fired when the line is unmasked; a level that is still there has to be fired anew.
///
/// Where it says "atomic" below, the operation is called with a raw spinlock held and interrupts
/// off, on any number of processors at a time for different lines: it must not sleep, and may take
/// raw spinlocks only. None of these operations may call [`Domain::fire`].
pub(crate) trait InterruptChip: gpio::Chip {
    /// What the interrupts' chip is called in `/sys/kernel/irq`.
    const NAME: &'static CStr;

    /// The first consumer asks for the line's interrupt. May sleep.
    ///
    /// The trigger is not known yet. An error is what the consumer gets.
    fn request_irq(&self, offset: u32) -> Result;

    /// The last consumer has given the line's interrupt back. May sleep.
    ///
    /// It was [disabled](Self::disable_irq) and [synced](Self::sync_irq) before. Also called if
    /// [`request_irq`](Self::request_irq) has succeeded and what came after that has not; not called if
    /// the chip is being removed.
    fn release_irq(&self, offset: u32);

    /// Sets what the line's interrupt fires on. Atomic.
    ///
    /// An error is what the consumer gets; the trigger is then what it was.
    fn set_trigger(&self, offset: u32, trigger: Trigger) -> Result;

    /// Turns the interrupt on, unmasked. Atomic.
    fn enable_irq(&self, offset: u32);

    /// Turns the interrupt off, and forgets what was not fired yet. Atomic.
    fn disable_irq(&self, offset: u32);

    /// Has the interrupt not fire until it is unmasked, and forgets nothing. Atomic.
    fn mask_irq(&self, offset: u32);

    /// Lets the interrupt fire again, and fires what came meanwhile. Atomic.
    fn unmask_irq(&self, offset: u32);

    /// Atomic operations may follow, from a consumer's call; [`sync_irq`](Self::sync_irq) or
    /// [`sync_irq_later`](Self::sync_irq_later) comes after them, unless the interrupt is disposed of
    /// in between. May be called in any context, several times for one line before the first of those.
    fn begin_sync(&self, offset: u32);

    /// Brings the hardware to where the atomic operations want it to be. May sleep.
    ///
    /// Called after them, when the raw spinlock is released, before the consumer's call returns;
    /// concurrently for one line if several consumers share it.
    fn sync_irq(&self, offset: u32);

    /// As [`sync_irq`](Self::sync_irq), but the consumer's call came from where one cannot sleep: it
    /// has to be done later. Atomic.
    fn sync_irq_later(&self, offset: u32);

    /// The chip is registered: from now on [`Domain::fire`] fires. Somebody may just be finding out that
    /// it does not yet.
    fn opened(&self);
}

/// Counts those who are in an operation that sleeps.
///
/// gpiolib waits for operations of the chip, and the interrupt core for those that are atomic. For
/// the ones that sleep nobody waits when a chip is removed and its interrupts are taken from their
/// consumers.
#[pin_data]
pub(super) struct Gate {
    #[pin]
    state: RawSpinLock<GateState>,
    #[pin]
    empty: Completion,
}

struct GateState {
    inside: usize,
    closing: bool,
}

impl Gate {
    pub(super) fn new() -> impl PinInit<Self> {
        let state = GateState {
            inside: 0,
            closing: false,
        };
        pin_init!(Self {
            state <- new_raw_spinlock!(state, "irq::Gate"),
            empty <- Completion::new(),
        })
    }

    fn enter(&self) {
        self.state.lock().inside += 1;
    }

    fn leave(&self) {
        let mut state = self.state.lock();
        state.inside -= 1;
        // Under the lock: whoever waits must not be gone before this is through.
        if state.closing && state.inside == 0 {
            self.empty.signal();
        }
    }

    /// Waits until nobody is inside. Nobody must come in any more.
    pub(super) fn wait_until_empty(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        let busy = state.inside > 0;
        drop(state);

        if busy {
            self.empty.wait();
            // The one who signalled has the lock.
            drop(self.state.lock());
        }
    }
}

/// The interrupts of a chip: from a line's number to those who wait for it.
///
/// # Invariants
///
/// `domain` is NULL, or [`CLOSED`], or points to a `struct irq_domain` that is freed only an RCU
/// grace period after this was closed.
pub(crate) struct Domain {
    domain: Atomic<*mut bindings::irq_domain>,
}

/// In [`Domain`]: there was one, and there will be none.
const CLOSED: *mut bindings::irq_domain = ptr::dangling_mut();

impl Domain {
    /// Makes a domain whose chip is not registered yet.
    pub(crate) const fn new() -> Self {
        Self {
            domain: Atomic::new(ptr::null_mut()),
        }
    }

    /// Calls the handlers of the line's interrupt, and tells whether there was one to call.
    ///
    /// To be called in hard interrupt context. Elsewhere it works too, but the handlers are then not
    /// in an interrupt: where they depend on that (`IRQD_HANDLE_ENFORCE_IRQCTX`) they are not called.
    pub(crate) fn fire(&self, offset: u32) -> bool {
        let _rcu = rcu::read_lock();
        let domain = self.domain.load(Acquire);

        if domain.is_null() || domain == CLOSED {
            return false;
        }

        // SAFETY: By the type invariant the domain is valid, and is not freed before this reader is
        // through. CAST: `usize` has 32 bits at least.
        let ret = unsafe { bindings::generic_handle_domain_irq_safe(domain, offset as usize) };
        ret == 0
    }

    /// Starts to fire into `domain`. [`EBUSY`] if this was done before.
    ///
    /// # Safety
    ///
    /// `domain` must be valid, and must stay so until [`Domain::close`] has returned.
    pub(super) unsafe fn open(&self, domain: *mut bindings::irq_domain) -> Result {
        // INVARIANT: By the safety requirement, as `close()` waits for a grace period.
        match self.domain.cmpxchg(ptr::null_mut(), domain, Full) {
            Ok(_) => Ok(()),
            Err(_) => Err(EBUSY),
        }
    }

    /// Fires no more: when this returns no handler runs that [`Domain::fire`] called.
    pub(super) fn close(&self) {
        self.domain.xchg(CLOSED, Full);

        // SAFETY: May be called where one may sleep, as here.
        unsafe { bindings::synchronize_rcu() };
    }
}

/// The C callbacks of an [`InterruptChip`].
///
/// The interrupt core calls them with an interrupt of a chip that a
/// [`Registration`](gpio::Registration) of `T` has registered. It calls those that are atomic with the
/// interrupt's lock held, which gpiolib takes to dispose of the interrupt before it removes the chip.
pub(super) struct Callbacks<T>(PhantomData<T>);

impl<T: InterruptChip> Callbacks<T> {
    /// One for all chips of this type: it never changes.
    pub(super) const CHIP: &'static bindings::irq_chip = &bindings::irq_chip {
        name: T::NAME.to_bytes_with_nul().as_ptr(),
        irq_request_resources: Some(Self::request_resources),
        irq_release_resources: Some(Self::release_resources),
        irq_set_type: Some(Self::set_type),
        irq_enable: Some(Self::enable),
        irq_disable: Some(Self::disable),
        irq_mask: Some(Self::mask),
        irq_unmask: Some(Self::unmask),
        irq_retrigger: Some(Self::retrigger),
        irq_bus_lock: Some(Self::bus_lock),
        irq_bus_sync_unlock: Some(Self::bus_sync_unlock),
        irq_print_chip: Some(Self::print_chip),
        // No driver can say which interrupt of the bus its reports come by, so there is nothing to be
        // done for a line to wake the system; but consumers whose users want it must not fail. CAST: The flags have fewer than 32 bits.
        flags: (bindings::IRQCHIP_IMMUTABLE | bindings::IRQCHIP_SKIP_SET_WAKE) as c_ulong,
        // SAFETY: All fields are pointers, which may be NULL, or numbers.
        ..unsafe { core::mem::zeroed() }
    };

    /// Runs an operation that may sleep, unless the chip is being removed.
    ///
    /// # Safety
    ///
    /// `data` must be, or have been, an interrupt of a chip that a `Registration<T>` has registered.
    unsafe fn in_gate<R>(
        data: *mut bindings::irq_data,
        operation: impl FnOnce(*mut bindings::gpio_chip, &T, u32) -> R,
    ) -> Option<R> {
        let rcu = rcu::read_lock();
        // Who disposes of the interrupt clears the number after the chip: it counts if the chip is there
        // after it was read. CAST: The number of a line has 16 bits.
        //
        // SAFETY: By the requirement of this function `data` is valid.
        let offset = unsafe { (&raw const (*data).hwirq).read_volatile() } as u32;
        smp_mb(Read);
        // SAFETY: As above.
        let chip = unsafe { (&raw const (*data).chip_data).read_volatile() };
        let chip: *mut bindings::gpio_chip = chip.cast();
        if chip.is_null() {
            return None;
        }
        // SAFETY: The chip was not disposed of before the read-side critical section began. A
        // registration is freed only a grace period after that, when nobody is in the gate.
        let shared = unsafe { gpio::shared::<T>(chip) };
        shared.gate.enter();
        drop(rcu);

        let result = operation(chip, &shared.ops, offset);

        shared.gate.leave();
        Some(result)
    }

    /// The chip, its operations, and the line that an interrupt is of.
    ///
    /// # Safety
    ///
    /// `data` must be an interrupt of a chip that a `Registration<T>` has registered. What is
    /// returned must not be used after the chip was removed.
    unsafe fn parts<'a>(data: *mut bindings::irq_data) -> (*mut bindings::gpio_chip, &'a T, u32) {
        // SAFETY: By the requirement of this function. gpiolib sets the chip's data to the chip.
        // CAST: The number of a line has 16 bits.
        let (chip, offset) = unsafe { ((*data).chip_data.cast(), (*data).hwirq as u32) };

        // SAFETY: By the requirement of this function.
        (chip, unsafe { gpio::ops(chip) }, offset)
    }

    /// # Safety
    ///
    /// As for [`Self::in_gate`].
    unsafe extern "C" fn request_resources(data: *mut bindings::irq_data) -> c_int {
        let request = |chip, ops: &T, offset| {
            // From here on the implementation does not say that the line is an output; gpiolib, which
            // writes that down beside what the next call writes, would warn of it.
            ops.request_irq(offset)?;

            // An output cannot be an interrupt, nor become one as long as this is in force.
            //
            // SAFETY: The chip is registered, or is being removed by who waits for the one in the gate.
            to_result(unsafe { bindings::gpiochip_reqres_irq(chip, offset) })
                .inspect_err(|_| ops.release_irq(offset))
        };

        from_result(|| {
            // SAFETY: By the requirement of this function.
            unsafe { Self::in_gate(data, request) }.ok_or(ENODEV)??;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// As for [`Self::in_gate`], and [`Self::request_resources`] must have succeeded.
    unsafe extern "C" fn release_resources(data: *mut bindings::irq_data) {
        let release = |chip, ops: &T, offset| {
            ops.release_irq(offset);
            // SAFETY: The chip is registered, and the line was requested before.
            unsafe { bindings::gpiochip_relres_irq(chip, offset) };
        };

        // SAFETY: By the requirement of this function.
        unsafe { Self::in_gate(data, release) };
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; the interrupt's lock keeps it from being disposed of meanwhile.
    unsafe extern "C" fn set_type(data: *mut bindings::irq_data, flow_type: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        let (_, ops, offset) = unsafe { Self::parts(data) };

        from_result(|| {
            let trigger = Trigger::from_bits(flow_type).ok_or(EINVAL)?;
            ops.set_trigger(offset, trigger)?;
            // The core takes note of the type.
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; the interrupt's lock keeps it from being disposed of meanwhile.
    unsafe extern "C" fn enable(data: *mut bindings::irq_data) {
        // SAFETY: By the requirement of this function.
        let (chip, ops, offset) = unsafe { Self::parts(data) };

        // gpiolib warns about a line that is no interrupt. This one is, unless it forgot: it keeps that in
        // a word that it also writes what the device tells of the line's direction into.
        //
        // SAFETY: The chip is registered.
        unsafe {
            if bindings::gpiochip_line_is_irq(chip, offset) {
                bindings::gpiochip_enable_irq(chip, offset);
            }
        }
        ops.enable_irq(offset);
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; the interrupt's lock keeps it from being disposed of meanwhile.
    unsafe extern "C" fn disable(data: *mut bindings::irq_data) {
        // SAFETY: By the requirement of this function.
        let (chip, ops, offset) = unsafe { Self::parts(data) };

        ops.disable_irq(offset);
        // SAFETY: The chip is registered. As in `enable()`.
        unsafe {
            if bindings::gpiochip_line_is_irq(chip, offset) {
                bindings::gpiochip_disable_irq(chip, offset);
            }
        }
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; the interrupt's lock keeps it from being disposed of meanwhile.
    unsafe extern "C" fn mask(data: *mut bindings::irq_data) {
        // SAFETY: By the requirement of this function.
        let (_, ops, offset) = unsafe { Self::parts(data) };

        ops.mask_irq(offset);
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; the interrupt's lock keeps it from being disposed of meanwhile.
    unsafe extern "C" fn unmask(data: *mut bindings::irq_data) {
        // SAFETY: By the requirement of this function.
        let (_, ops, offset) = unsafe { Self::parts(data) };

        ops.unmask_irq(offset);
    }

    /// Tells the core that it need not make an interrupt anew.
    ///
    /// It wants to if one came when the interrupt was just being turned off. What is discarded then
    /// stays discarded: the next one to turn it on may be another consumer. What came while the line
    /// was masked is kept by the chip.
    extern "C" fn retrigger(_data: *mut bindings::irq_data) -> c_int {
        1
    }

    /// # Safety
    ///
    /// As for [`Self::in_gate`].
    unsafe extern "C" fn bus_lock(data: *mut bindings::irq_data) {
        let begin = |_, ops: &T, offset| ops.begin_sync(offset);

        // SAFETY: By the requirement of this function.
        unsafe { Self::in_gate(data, begin) };
    }

    /// # Safety
    ///
    /// As for [`Self::in_gate`].
    unsafe extern "C" fn bus_sync_unlock(data: *mut bindings::irq_data) {
        // There are drivers that disable their interrupt in its hard handler, as they may where the
        // chip is a fast one.
        //
        // SAFETY: May be called anywhere.
        let may_sleep = unsafe { own_bindings::gpio_virtio_may_sleep() };
        let sync = |_, ops: &T, offset| match may_sleep {
            true => ops.sync_irq(offset),
            false => ops.sync_irq_later(offset),
        };

        // SAFETY: By the requirement of this function.
        unsafe { Self::in_gate(data, sync) };
    }

    /// # Safety
    ///
    /// As for [`Self::parts`]; `seq` must be a file that is being written.
    unsafe extern "C" fn print_chip(data: *mut bindings::irq_data, seq: *mut bindings::seq_file) {
        // SAFETY: By the requirement of this function.
        let seq = unsafe { SeqFile::from_raw(seq) };
        // SAFETY: As above; the chip's parent is a bound device.
        let dev: &device::Device = unsafe {
            let (chip, _, _) = Self::parts(data);
            device::Device::from_raw((*chip).parent)
        };

        // The name of the device says more than one that all chips share.
        seq_print!(seq, "{}", dev.name());
    }
}
