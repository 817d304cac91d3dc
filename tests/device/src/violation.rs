// SPDX-License-Identifier: GPL-2.0

//! The rules that a driver can break, by name.

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
    /// A command is about a line that does not exist.
    LineRange,
    /// A command's value is out of its range.
    ValueRange,
    /// A command that has no value has one that is not zero.
    ValueUnused,
    /// A line becomes an output while it is armed for interrupts.
    ArmedOutput,
    /// An event buffer has device-readable bytes.
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
            Violation::ArmedOutput => "armed-output",
            Violation::EventReadable => "event-readable",
            Violation::EventWritable => "event-writable",
            Violation::ConfigWrite => "config-write",
            Violation::Version1 => "version-1",
        }
    }
}
