// SPDX-License-Identifier: GPL-2.0

//! GPIO chips.
//!
//! A driver implements [`Chip`] and makes a [`Registration`] of it; dropping that takes the chip
//! away again, however many consumers it has.
//!
//! C header: [`include/linux/gpio/driver.h`](srctree/include/linux/gpio/driver.h)

use super::{
    bindings as own_bindings,
    irq::{
        self,
        InterruptChip, //
    },
};
use core::{
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ptr, //
};
use kernel::{
    bindings,
    bitmap::Bitmap,
    container_of,
    device,
    error::{
        from_result,
        to_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*,
    str::CString,
    sync::Arc,
    types::Opaque, //
};

/// The direction of a line, as gpiolib codes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The line is an output.
    Output = bindings::GPIO_LINE_DIRECTION_OUT as isize,
    /// The line is an input.
    Input = bindings::GPIO_LINE_DIRECTION_IN as isize,
}

/// The operations of a GPIO chip.
///
/// They are called in process context and may sleep, on any number of threads at a time, for one
/// line or for several. `offset` is the number of a line within the chip, below the chip's number of
/// lines. Values are physical: gpiolib handles lines that are active low.
///
/// An operation that is not implemented is one that the chip does not have; gpiolib then does what
/// it does for such chips.
#[vtable]
pub(crate) trait Chip: Send + Sync + 'static {
    /// A consumer wants the line.
    fn request(&self, _offset: u32) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The consumer has given the line back.
    fn free(&self, _offset: u32) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Tells the direction of the line. Also called while the chip is registered.
    fn get_direction(&self, _offset: u32) -> Result<Direction> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes the line an input.
    fn direction_input(&self, _offset: u32) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes the line an output that is `high` from the beginning, or low.
    fn direction_output(&self, _offset: u32, _high: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Tells whether the line is high.
    fn get(&self, _offset: u32) -> Result<bool> {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Drives the line high, or low.
    fn set(&self, _offset: u32, _high: bool) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Tells which of several lines are high, in `levels`. If that fails for some of them then the whole
    /// fails.
    fn get_multiple(&self, _lines: LineSet<'_>, _levels: &mut Levels<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Drives several lines to the `levels`. If the hardware refuses some lines, then the others are
    /// driven all the same.
    fn set_multiple(&self, _lines: LineSet<'_>, _levels: &Levels<'_>) -> Result {
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The chip is about to go: operations that wait for something have to end now, with an error,
    /// and so have those to come.
    ///
    /// The chip is removed only after the operations that were called have returned.
    fn shut_down(&self);
}

/// Some lines of a chip.
#[derive(Clone, Copy)]
pub(crate) struct LineSet<'a>(&'a Bitmap);

impl<'a> LineSet<'a> {
    /// The offsets of the lines, the lowest one first.
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> + 'a {
        let mut from = 0;

        core::iter::from_fn(move || {
            if from >= self.0.len() {
                return None;
            }
            let offset = self.0.next_bit(from)?;
            from = offset + 1;
            // CAST: A chip has fewer lines than that.
            Some(offset as u32)
        })
    }

    fn has(self, offset: u32) -> bool {
        // CAST: `usize` has 32 bits at least.
        let offset = offset as usize;

        offset < self.0.len() && self.0.next_bit(offset) == Some(offset)
    }
}

/// The levels of the lines of a set: a bit for each, as gpiolib has them.
///
/// # Invariants
///
/// `words` is valid, for as long as this value may live, where bits of `lines` are; nobody else uses
/// it meanwhile.
pub(crate) struct Levels<'a> {
    lines: LineSet<'a>,
    words: *mut usize,
    _words: PhantomData<&'a mut usize>,
}

impl Levels<'_> {
    /// Whether a line is high. One that is not in the set is not.
    pub(crate) fn get(&self, offset: u32) -> bool {
        if !self.lines.has(offset) {
            return false;
        }
        let (word, bit) = (offset / usize::BITS, offset % usize::BITS);

        // SAFETY: By the type invariant there is such a word, as the line is in the set. It is gpiolib's:
        // it may have left bits of other lines as they were, which is why they are not looked at.
        let word = unsafe { self.words.add(word as usize).read_volatile() };
        word >> bit & 1 != 0
    }

    /// Says whether a line is high. Of one that is not in the set nothing can be said.
    pub(crate) fn set(&mut self, offset: u32, high: bool) {
        if !self.lines.has(offset) {
            return;
        }
        // CAST: `usize` has 32 bits at least.
        let offset = offset as usize;

        // SAFETY: By the type invariant this bit is there, as the line is in the set, and nobody else
        // uses it.
        unsafe {
            match high {
                true => bindings::__set_bit(offset, self.words),
                false => bindings::__clear_bit(offset, self.words),
            }
        }
    }
}

/// The names of a chip's lines.
pub(crate) struct LineNames {
    /// What `pointers` point into: C strings, one after the other.
    _block: KVVec<u8>,
    /// A C string or NULL for each line.
    pointers: KVVec<*const c_char>,
}

// SAFETY: The pointers are those of memory that the value owns and that does not change.
unsafe impl Send for LineNames {}

// SAFETY: As above.
unsafe impl Sync for LineNames {}

impl LineNames {
    /// Takes the names for `lines` lines from a block of NUL-terminated strings in line order.
    ///
    /// An empty string, or none, leaves a line without a name. What comes after the last line's
    /// name, or has no terminator, is not used.
    pub(crate) fn new(block: KVVec<u8>, lines: u16) -> Result<Self> {
        let mut pointers = KVVec::from_elem(ptr::null(), usize::from(lines), GFP_KERNEL)?;
        let mut rest: &[u8] = &block;

        for pointer in pointers.iter_mut() {
            let Ok(name) = CStr::from_bytes_until_nul(rest) else {
                break;
            };
            if !name.is_empty() {
                *pointer = name.as_char_ptr();
            }
            rest = rest.get(name.to_bytes_with_nul().len()..).unwrap_or(&[]);
        }

        Ok(Self {
            _block: block,
            pointers,
        })
    }

    /// The name of a line, if it has one.
    #[cfg(CONFIG_GPIO_VIRTIO_KUNIT_TEST)]
    pub(super) fn get(&self, offset: usize) -> Option<&CStr> {
        let pointer = *self.pointers.get(offset)?;
        if pointer.is_null() {
            return None;
        }
        // SAFETY: A pointer that is not NULL is that of a C string in the block, which does not
        // change while the value is borrowed.
        Some(unsafe { CStr::from_char_ptr(pointer) })
    }
}

/// What a chip is registered with.
pub(crate) struct Info {
    /// The label that users find the chip by.
    pub(crate) label: CString,
    /// How many lines the chip has, at least 1.
    pub(crate) lines: u16,
    /// The names of the lines, if they have any.
    pub(crate) names: Option<LineNames>,
}

/// A registered GPIO chip. It is removed when this is dropped.
///
/// It belongs into the data of the driver that is bound to the chip's parent, whose binding is the
/// lifetime `'bound`: there it is dropped before the driver is gone.
///
/// # Invariants
///
/// `chip` is registered with gpiolib, and what it points to is in `info`. If it has interrupts, then they
/// are those of `domain`, which is open.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<'bound, T: Chip> {
    #[pin]
    shared: Shared<T>,
    info: Info,
    domain: Option<Arc<irq::Domain>>,
    #[pin]
    chip: Opaque<bindings::gpio_chip>,
    #[pin]
    _pin: PhantomPinned,
    _bound: PhantomData<&'bound device::Device<device::Bound>>,
}

/// What callbacks need.
#[pin_data]
pub(super) struct Shared<T> {
    /// The implementation.
    pub(super) ops: T,
    /// Where those are who use it for an interrupt.
    #[pin]
    pub(super) gate: irq::Gate,
}

// SAFETY: gpiolib may be called on any thread to remove a chip, and `T` is `Send`.
unsafe impl<T: Chip> Send for Registration<'_, T> {}

// SAFETY: Nothing can be done with a shared reference but to use `T`, which is `Sync`.
unsafe impl<T: Chip> Sync for Registration<'_, T> {}

impl<'bound, T: Chip> Registration<'bound, T> {
    /// Registers a chip whose parent is `dev`. Its lines can be used at once.
    #[expect(
        dead_code,
        reason = "the one driver there is has lines that may interrupt"
    )]
    pub(crate) fn new(
        dev: &'bound device::Device<device::Bound>,
        info: Info,
        ops: T,
    ) -> impl PinInit<Self, Error> + 'bound {
        Self::with_irq_chip(dev, info, ops, None, |_| ())
    }

    /// Registers a chip whose lines can interrupt, by way of `domain`; without one, this chip's cannot.
    ///
    /// [`EBUSY`] if `domain` is another chip's.
    pub(crate) fn with_interrupts(
        dev: &'bound device::Device<device::Bound>,
        info: Info,
        ops: T,
        domain: Option<Arc<irq::Domain>>,
    ) -> impl PinInit<Self, Error> + 'bound
    where
        T: InterruptChip,
    {
        let irq = domain.map(|domain| (irq::Callbacks::<T>::CHIP, domain));
        Self::with_irq_chip(dev, info, ops, irq, T::opened)
    }

    fn with_irq_chip(
        dev: &'bound device::Device<device::Bound>,
        info: Info,
        ops: T,
        irq: Option<(&'static bindings::irq_chip, Arc<irq::Domain>)>,
        opened: fn(&T),
    ) -> impl PinInit<Self, Error> + 'bound {
        let (irq_chip, domain) = irq.unzip();

        let shared = pin_init!(Shared {
            ops,
            gate <- irq::Gate::new(),
        });

        try_pin_init!(&this in Self {
            shared <- shared,
            info,
            domain,
            _pin: PhantomPinned,
            _bound: PhantomData,
            chip <- Opaque::try_ffi_init(move |chip: *mut bindings::gpio_chip| {
                // SAFETY: `this` is the value under construction, in its final place; these fields
                // are initialised, as they come first.
                let (shared, info, domain) = unsafe {
                    (
                        &(*this.as_ptr()).shared,
                        &(*this.as_ptr()).info,
                        &(*this.as_ptr()).domain,
                    )
                };

                // SAFETY: `chip` is memory for a `struct gpio_chip`. Such a one may be zero.
                unsafe { chip.write(pin_init::zeroed()) };

                // SAFETY: `chip` was initialised above, and gpiolib does not have it yet. What the
                // pointers point to lives in `info` and `dev`, which outlive the registration:
                // `info` is a part of this value, and `dev` is bound as long as this value lives.
                unsafe {
                    (*chip).label = info.label.as_char_ptr();
                    // CAST: `device::Device` is a transparent wrapper of `struct device`.
                    (*chip).parent = ptr::from_ref(dev).cast_mut().cast();
                    (*chip).base = -1;
                    (*chip).ngpio = info.lines;
                    (*chip).can_sleep = true;
                    if let Some(names) = &info.names {
                        (*chip).names = names.pointers.as_ptr();
                    }
                    Callbacks::<T>::install(chip);

                    if let Some(irq_chip) = irq_chip {
                        // What is immutable (`IRQCHIP_IMMUTABLE`) is not written to.
                        (*chip).irq.chip = ptr::from_ref(irq_chip).cast_mut();
                        (*chip).irq.handler = Some(bindings::handle_level_irq);
                    }
                }

                // INVARIANT: If this succeeds the chip is registered.
                //
                // SAFETY: `chip` is set up, and stays where it is until it is removed. Callbacks find
                // what they need by where it is, so it has no data.
                to_result(unsafe {
                    own_bindings::gpio_virtio_gpiochip_add_data(chip, ptr::null_mut())
                })
                .inspect_err(|_| {
                    // It may have failed when there were interrupts already.
                    shared.ops.shut_down();
                    shared.wait_for_interrupts();
                })?;

                if let Some(domain) = domain {
                    // INVARIANT: If this succeeds the domain is open.
                    //
                    // SAFETY: The chip is registered, so the domain is valid. It is freed when the
                    // chip is removed; `drop()` closes it before.
                    unsafe { domain.open((*chip).irq.domain) }.inspect_err(|_| {
                        // SAFETY: The chip is registered.
                        unsafe { Self::remove(shared, chip) };
                    })?;
                    opened(&shared.ops);
                }
                Ok::<_, Error>(())
            }),
        })
    }

    /// The implementation.
    pub(crate) fn ops(&self) -> &T {
        &self.shared.ops
    }

    /// Removes the chip. When this returns, no callback runs, and none will.
    ///
    /// # Safety
    ///
    /// The chip must be registered, and nothing may fire its interrupts any more.
    unsafe fn remove(shared: &Shared<T>, chip: *mut bindings::gpio_chip) {
        // gpiochip_remove() waits for operations that run: they must not wait for ever.
        shared.ops.shut_down();

        // Those in the gate need it longer than gpiochip_remove() does.
        //
        // SAFETY: By the requirement of this function, a registered chip has a `struct gpio_device`.
        let gpio_device = unsafe { bindings::gpio_device_get((*chip).gpiodev) };

        // SAFETY: By the requirement of this function.
        unsafe { bindings::gpiochip_remove(chip) };

        // Operations of interrupts that sleep are not waited for by that.
        shared.wait_for_interrupts();

        // SAFETY: The reference was taken above.
        unsafe { bindings::gpio_device_put(gpio_device) };
    }
}

impl<T> Shared<T> {
    /// Waits until no operation of an interrupt runs any more. The interrupts must have been disposed of.
    fn wait_for_interrupts(&self) {
        // After a grace period there are none but those in the gate.
        //
        // SAFETY: May be called where one may sleep, as here.
        unsafe { bindings::synchronize_rcu() };
        self.gate.wait_until_empty();
    }
}

#[pinned_drop]
impl<T: Chip> PinnedDrop for Registration<'_, T> {
    fn drop(self: Pin<&mut Self>) {
        // It is freed with the chip.
        if let Some(domain) = &self.domain {
            domain.close();
        }

        // SAFETY: By the type invariant the chip is registered, and its domain was closed above.
        unsafe { Self::remove(&self.shared, self.chip.get()) };
    }
}

/// Finds what callbacks need.
///
/// # Safety
///
/// `chip` must be one that a `Registration<T>` has registered, or is registering. The reference must
/// not be used after the registration is freed.
pub(super) unsafe fn shared<'a, T: Chip>(chip: *mut bindings::gpio_chip) -> &'a Shared<T> {
    let chip: *mut Opaque<bindings::gpio_chip> = chip.cast();

    // Not by gpiolib's pointer to a chip's data: that is gone as soon as the chip is, while there may
    // still be somebody in the gate.
    //
    // SAFETY: By the requirement of this function `chip` is a part of a registration, whose `shared` is
    // there before the chip is.
    unsafe { &(*container_of!(chip, Registration<'a, T>, chip)).shared }
}

/// Finds the implementation behind a chip.
///
/// # Safety
///
/// As for [`shared`].
pub(super) unsafe fn ops<'a, T: Chip>(chip: *mut bindings::gpio_chip) -> &'a T {
    // SAFETY: By the requirement of this function.
    unsafe { &shared(chip).ops }
}

/// The C callbacks of a [`Chip`].
///
/// gpiolib calls them with a chip that a [`Registration`] of `T` has registered, or is about to, and
/// does not let the chip be removed meanwhile.
struct Callbacks<T>(PhantomData<T>);

impl<T: Chip> Callbacks<T> {
    /// Sets the operations that `T` has.
    ///
    /// # Safety
    ///
    /// `chip` must be valid and not registered.
    unsafe fn install(chip: *mut bindings::gpio_chip) {
        // SAFETY: By the requirement of this function.
        let chip = unsafe { &mut *chip };

        if T::HAS_REQUEST {
            chip.request = Some(Self::request);
        }
        if T::HAS_FREE {
            chip.free = Some(Self::free);
        }
        if T::HAS_GET_DIRECTION {
            chip.get_direction = Some(Self::get_direction);
        }
        if T::HAS_DIRECTION_INPUT {
            chip.direction_input = Some(Self::direction_input);
        }
        if T::HAS_DIRECTION_OUTPUT {
            chip.direction_output = Some(Self::direction_output);
        }
        if T::HAS_GET {
            chip.get = Some(Self::get);
        }
        if T::HAS_SET {
            chip.set = Some(Self::set);
        }
        if T::HAS_GET_MULTIPLE {
            chip.get_multiple = Some(Self::get_multiple);
        }
        if T::HAS_SET_MULTIPLE {
            chip.set_multiple = Some(Self::set_multiple);
        }
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn request(chip: *mut bindings::gpio_chip, offset: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| ops.request(offset).map(|()| 0))
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn free(chip: *mut bindings::gpio_chip, offset: c_uint) {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        ops.free(offset);
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn get_direction(chip: *mut bindings::gpio_chip, offset: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| {
            ops.get_direction(offset)
                .map(|direction| direction as c_int)
        })
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn direction_input(chip: *mut bindings::gpio_chip, offset: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| ops.direction_input(offset).map(|()| 0))
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn direction_output(
        chip: *mut bindings::gpio_chip,
        offset: c_uint,
        value: c_int,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| ops.direction_output(offset, value != 0).map(|()| 0))
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn get(chip: *mut bindings::gpio_chip, offset: c_uint) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| ops.get(offset).map(c_int::from))
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile.
    unsafe extern "C" fn set(
        chip: *mut bindings::gpio_chip,
        offset: c_uint,
        value: c_int,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        let ops = unsafe { ops::<T>(chip) };

        from_result(|| ops.set(offset, value != 0).map(|()| 0))
    }

    /// # Safety
    ///
    /// As for [`ops()`]; gpiolib keeps the chip from being removed meanwhile. `mask` and `bits` must be
    /// as [`several`](Self::several) wants them.
    unsafe extern "C" fn get_multiple(
        chip: *mut bindings::gpio_chip,
        mask: *mut usize,
        bits: *mut usize,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        let (ops, mut levels) = unsafe { (ops::<T>(chip), Self::several(chip, mask, bits)) };

        from_result(|| ops.get_multiple(levels.lines, &mut levels).map(|()| 0))
    }

    /// # Safety
    ///
    /// As for [`Self::get_multiple`].
    unsafe extern "C" fn set_multiple(
        chip: *mut bindings::gpio_chip,
        mask: *mut usize,
        bits: *mut usize,
    ) -> c_int {
        // SAFETY: By the requirement of this function.
        let (ops, levels) = unsafe { (ops::<T>(chip), Self::several(chip, mask, bits)) };

        from_result(|| ops.set_multiple(levels.lines, &levels).map(|()| 0))
    }

    /// The lines in `mask`, and their levels in `bits`.
    ///
    /// # Safety
    ///
    /// `chip` must be valid. `mask` must have a bit for each of its lines, which nobody changes, and
    /// `bits` must have words for those that are set, which nobody else uses. (It may be shorter than
    /// `mask`: gpiolib can pass on what its own caller had.)
    unsafe fn several<'a>(
        chip: *mut bindings::gpio_chip,
        mask: *const usize,
        bits: *mut usize,
    ) -> Levels<'a> {
        // SAFETY: By the requirement of this function. A chip has less than `i32::MAX` lines.
        let lines = unsafe { Bitmap::from_raw(mask, usize::from((*chip).ngpio)) };

        // INVARIANT: By the requirement of this function.
        Levels {
            lines: LineSet(lines),
            words: bits,
            _words: PhantomData,
        }
    }
}
