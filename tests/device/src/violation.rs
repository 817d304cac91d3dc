// SPDX-License-Identifier: GPL-2.0

//! The rules that a driver can break, by name.
//!
//! Of the standard's rules for drivers, each is here under these names:
//!
//! - D1, requests go to the request queue: `event-readable`, as an event buffer that is none;
//! - D2 to D4, a request of 8 bytes that the device reads, and a response of 2 (or with all names)
//!   that it writes: `readable-size`, `writable-size`, `chain-order`; with D3, all fields filled:
//!   `type-unknown`, `line-range`, `line-unused`, `value-range`, `value-unused`, `names-absent`;
//! - D5 is no duty: any number of requests may be on their way;
//! - D6, no interrupts without the feature: `type-feature`, `event-feature`;
//! - D7, none of an output: `output-irq`, `armed-output`;
//! - D8, the type is set to none when the interrupt is not needed any more: `irq-left`;
//! - D9, and before it is set to another: `irq-change`;
//! - E1 and E2, an interrupt is enabled before it is unmasked by a buffer: `buffer-disabled`;
//! - E3 and E4, one buffer for each line: `buffer-twice`; and of the right form: `event-readable`,
//!   `event-writable`, `line-range`.

/// One rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// The available ring's index has run further ahead than the ring is long.
    AvailIndex,
    /// A chain starts at a descriptor that does not exist.
    Head,
    /// A chain was made available while the device still has it.
    HeadInFlight,
    /// A chain breaks off: a bad link, a bad indirect table, or more than it may be long.
    ChainBroken,
    /// A device-readable descriptor comes after a device-writable one.
    ChainOrder,
    /// A descriptor, or a ring, points outside of the memory.
    Address,
    /// A command has a wrong number of device-readable bytes.
    ReadableSize,
    /// A command has a wrong number of device-writable bytes.
    WritableSize,
    /// A command's type has a bit set that marks replies.
    ReplyMark,
    /// A command's type is none that exists.
    TypeUnknown,
    /// A command's type is that of an event.
    TypeEvent,
    /// A command's type needs a feature that was not negotiated.
    TypeFeature,
    /// A command, or an event buffer, is about a line that does not exist.
    LineRange,
    /// A command's value is out of its range.
    ValueRange,
    /// A command that has no value has one that is not zero.
    ValueUnused,
    /// A command that is about no line has one that is not zero.
    LineUnused,
    /// The names are asked for, but there are none.
    NamesAbsent,
    /// A line becomes an output while it is armed for interrupts.
    ArmedOutput,
    /// An output is armed for interrupts.
    OutputIrq,
    /// A line is given back while it is armed for interrupts.
    IrqLeft,
    /// A line that is armed for one type of interrupt is armed for another.
    IrqChange,
    /// There is an event buffer though the feature for that was not negotiated.
    EventFeature,
    /// An event buffer is of a line that is not armed, or not as far as the driver can know.
    BufferDisabled,
    /// An event buffer is of a line that has one already.
    BufferTwice,
    /// An event buffer has a wrong number of device-readable bytes.
    EventReadable,
    /// An event buffer has a wrong number of device-writable bytes.
    EventWritable,
    /// The driver has written to the configuration, which has nothing to write to.
    ConfigWrite,
    /// The driver has not accepted `VIRTIO_F_VERSION_1`.
    Version1,
}

impl Violation {
    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Violation::AvailIndex => "avail-index",
            Violation::Head => "head",
            Violation::HeadInFlight => "head-in-flight",
            Violation::ChainBroken => "chain-broken",
            Violation::ChainOrder => "chain-order",
            Violation::Address => "address",
            Violation::ReadableSize => "readable-size",
            Violation::WritableSize => "writable-size",
            Violation::ReplyMark => "reply-mark",
            Violation::TypeUnknown => "type-unknown",
            Violation::TypeEvent => "type-event",
            Violation::TypeFeature => "type-feature",
            Violation::LineRange => "line-range",
            Violation::ValueRange => "value-range",
            Violation::ValueUnused => "value-unused",
            Violation::LineUnused => "line-unused",
            Violation::NamesAbsent => "names-absent",
            Violation::ArmedOutput => "armed-output",
            Violation::OutputIrq => "output-irq",
            Violation::IrqLeft => "irq-left",
            Violation::IrqChange => "irq-change",
            Violation::EventFeature => "event-feature",
            Violation::BufferDisabled => "buffer-disabled",
            Violation::BufferTwice => "buffer-twice",
            Violation::EventReadable => "event-readable",
            Violation::EventWritable => "event-writable",
            Violation::ConfigWrite => "config-write",
            Violation::Version1 => "version-1",
        }
    }
}
