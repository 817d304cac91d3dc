// SPDX-License-Identifier: GPL-2.0

//! Which changes of a line the driver wants to be told about.

use gpio_virtio_logic::line::Level;

/// The largest value that is a sum of the bits that there are.
pub const LARGEST: u32 = 15;

/// What a line is armed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IrqType {
    /// Nothing.
    #[default]
    None,
    /// Changes from low to high.
    Rising,
    /// Changes from high to low.
    Falling,
    /// All changes.
    Both,
    /// The level is high: now, or by a change.
    High,
    /// The level is low: now, or by a change.
    Low,
}

impl IrqType {
    /// The type that a message's value stands for, if it stands for one.
    ///
    /// Of the sums of bits, only both edges together make sense: a level has no edge to wait for.
    pub const fn from_wire(value: u32) -> Option<Self> {
        Some(match value {
            0 => IrqType::None,
            1 => IrqType::Rising,
            2 => IrqType::Falling,
            3 => IrqType::Both,
            4 => IrqType::High,
            8 => IrqType::Low,
            _ => return None,
        })
    }

    /// The name on the control channel.
    pub const fn name(self) -> &'static str {
        match self {
            IrqType::None => "none",
            IrqType::Rising => "rising",
            IrqType::Falling => "falling",
            IrqType::Both => "both",
            IrqType::High => "high",
            IrqType::Low => "low",
        }
    }

    /// Whether it is a level that the driver waits for.
    pub const fn is_level(self) -> bool {
        matches!(self, IrqType::High | IrqType::Low)
    }

    /// Whether a change to `level` has to be reported.
    pub const fn wants(self, level: Level) -> bool {
        match level {
            Level::High => matches!(self, IrqType::Rising | IrqType::Both | IrqType::High),
            Level::Low => matches!(self, IrqType::Falling | IrqType::Both | IrqType::Low),
        }
    }

    /// Whether `level` has to be reported though nothing changes.
    pub const fn is_active(self, level: Level) -> bool {
        matches!(
            (self, level),
            (IrqType::High, Level::High) | (IrqType::Low, Level::Low)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{
        High,
        Low, //
    };

    #[test]
    fn types_are_understood() {
        let names: Vec<_> = (0..=16)
            .map(|value| IrqType::from_wire(value).map_or("-", IrqType::name))
            .collect();
        assert_eq!(
            names[..9],
            ["none", "rising", "falling", "both", "high", "-", "-", "-", "low"]
        );
        assert!(names[9..].iter().all(|&name| name == "-"));
    }

    #[test]
    fn each_type_wants_its_changes_and_levels() {
        for (irq_type, high, low) in [
            (IrqType::None, false, false),
            (IrqType::Rising, true, false),
            (IrqType::Falling, false, true),
            (IrqType::Both, true, true),
            (IrqType::High, true, false),
            (IrqType::Low, false, true),
        ] {
            assert_eq!((irq_type.wants(High), irq_type.wants(Low)), (high, low));
            let level = irq_type.is_level();
            assert_eq!(irq_type.is_active(High), high && level);
            assert_eq!(irq_type.is_active(Low), low && level);
        }
    }
}
