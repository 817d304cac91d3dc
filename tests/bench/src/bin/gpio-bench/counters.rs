// SPDX-License-Identifier: GPL-2.0

//! What was counted while something was measured: by the device, and by the guest's kernel.

use std::{
    collections::BTreeMap,
    fs, //
};

use anyhow::{
    Context,
    Result, //
};

use crate::{
    control::{
        Control,
        Stats, //
    },
    samples::as_f64,
};

/// What the device counts that is told.
const COUNTED: [&str; 3] = ["requests", "notifications", "interrupts"];

/// The state of all counters at some time.
#[derive(Debug, Default)]
pub struct Counters {
    device: Stats,
    guest: u64,
}

impl Counters {
    /// Reads them: those of the device, if there is a control channel, and the interrupts that the
    /// guest's kernel had from it. `name` is that of the device on the virtio bus.
    pub fn read(control: &mut Option<Control>, name: Option<&str>) -> Result<Self> {
        let device = match control {
            Some(control) => control.stats()?,
            None => Stats::new(),
        };
        let guest = match name {
            Some(name) => interrupts(
                &fs::read_to_string("/proc/interrupts").context("cannot read /proc/interrupts")?,
                name,
            ),
            None => 0,
        };
        Ok(Self { device, guest })
    }

    /// Adds how much more there is of each for one operation than there was before.
    pub fn per_operation(
        &self,
        before: &Self,
        operations: u64,
        values: &mut BTreeMap<String, f64>,
    ) {
        if operations == 0 || self.device.is_empty() {
            return;
        }
        let per =
            |after: u64, before: u64| as_f64(after.saturating_sub(before)) / as_f64(operations);
        for name in COUNTED {
            let count = |counters: &Self| counters.device.get(name).copied().unwrap_or_default();
            values.insert(format!("{name}_per_op"), per(count(self), count(before)));
        }
        values.insert(
            "guest_interrupts_per_op".to_string(),
            per(self.guest, before.guest),
        );
    }
}

/// The interrupts of a virtio device, in all its lines of /proc/interrupts.
///
/// An interrupt may be shared, and have the names of several devices. The interrupts of GPIO lines,
/// whose chip has the device's name, are not the device's own.
fn interrupts(table: &str, name: &str) -> u64 {
    let queue = format!("{name}-");
    let mut total = 0;
    for line in table.lines() {
        let Some((_, rest)) = line.split_once(':') else {
            continue;
        };
        let mut words = rest
            .split([' ', '\t', ','])
            .filter(|word| !word.is_empty())
            .peekable();
        let mut count: u64 = 0;
        while let Some(number) = words.peek().and_then(|word| word.parse::<u64>().ok()) {
            count = count.saturating_add(number);
            words.next();
        }
        // The chip of the interrupt.
        words.next();
        if words.any(|word| word == name || word.starts_with(&queue)) {
            total += count;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
            CPU0       CPU1
   4:         12          3   IO-APIC   4-edge      ttyS0
  10:        100         20   IO-APIC  10-fasteoi   virtio3, virtio5
  24:          7          0  PCI-MSIX-0000:00:05.0   0-edge      virtio30-config
  25:          0          1  PCI-MSIX-0000:00:05.0   1-edge      virtio3-requests
  31:         50         50   virtio3   1 Level     gpio-bench
 NMI:          0          0   Non-maskable interrupts
 ERR:          0
";

    #[test]
    fn the_interrupts_of_a_device_are_found() {
        assert_eq!(interrupts(TABLE, "virtio3"), 121);
        assert_eq!(interrupts(TABLE, "virtio5"), 120);
        assert_eq!(interrupts(TABLE, "virtio30"), 7);
        assert_eq!(interrupts(TABLE, "virtio4"), 0);
    }

    #[test]
    fn what_is_counted_is_told_for_one_operation() {
        let counters = |n, guest| Counters {
            device: [("requests".to_string(), n)].into(),
            guest,
        };
        let mut values = BTreeMap::new();
        counters(110, 30).per_operation(&counters(10, 5), 50, &mut values);
        assert_eq!(values["requests_per_op"], 2.0);
        assert_eq!(values["notifications_per_op"], 0.0);
        assert_eq!(values["guest_interrupts_per_op"], 0.5);
        values.clear();
        Counters::default().per_operation(&Counters::default(), 50, &mut values);
        assert!(values.is_empty());
    }
}
