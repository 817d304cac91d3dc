// SPDX-License-Identifier: GPL-2.0

//! What makes an interrupt of a GPIO line fire.
//!
//! Pure: no kernel type, so that logic which decides about edges can be tested on the host.
//!
//! C header: [`include/linux/irq.h`](srctree/include/linux/irq.h)

/// What makes a line's interrupt fire.
///
/// The numbers are those of `IRQ_TYPE_*`, which devicetrees and devices use too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Trigger {
    /// Nothing.
    #[default]
    None = 0,
    /// The line goes from low to high.
    Rising = 1,
    /// The line goes from high to low.
    Falling = 2,
    /// The line changes.
    Both = 3,
    /// The line is high, as long as it is.
    High = 4,
    /// The line is low, as long as it is.
    Low = 8,
}

impl Trigger {
    /// All that an interrupt can be asked for, [`Trigger::None`] left out.
    pub const ALL: [Trigger; 5] = [
        Trigger::Rising,
        Trigger::Falling,
        Trigger::Both,
        Trigger::High,
        Trigger::Low,
    ];

    /// The trigger that a number stands for, if it stands for one.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        Some(match bits {
            0 => Trigger::None,
            1 => Trigger::Rising,
            2 => Trigger::Falling,
            3 => Trigger::Both,
            4 => Trigger::High,
            8 => Trigger::Low,
            _ => return None,
        })
    }

    /// The number that stands for this trigger.
    pub const fn bits(self) -> u32 {
        self as u32
    }

    /// Whether it is a level and not an edge that fires: `Some(true)` high, `Some(false)` low.
    pub const fn active_level(self) -> Option<bool> {
        match self {
            Trigger::High => Some(true),
            Trigger::Low => Some(false),
            _ => None,
        }
    }

    /// Whether a change to this level, from the other one, fires.
    pub const fn fires_on_edge_to(self, high: bool) -> bool {
        match self {
            Trigger::Rising => high,
            Trigger::Falling => !high,
            Trigger::Both => true,
            _ => false,
        }
    }
}
