// SPDX-License-Identifier: GPL-2.0

//! What a device has refused to report about a line.

use super::Trigger;

/// The errno with which a device has refused each of [`Trigger::ALL`], 0 if it has not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusals([u16; Trigger::ALL.len()]);

impl Refusals {
    fn index(trigger: Trigger) -> Option<usize> {
        Trigger::ALL.iter().position(|&other| other == trigger)
    }

    pub(super) fn get(&self, trigger: Trigger) -> Option<u16> {
        let errno = *self.0.get(Self::index(trigger)?)?;
        (errno != 0).then_some(errno)
    }

    pub(super) fn set(&mut self, trigger: Trigger, refusal: Option<u16>) {
        let place = Self::index(trigger).and_then(|index| self.0.get_mut(index));
        if let Some(place) = place {
            *place = refusal.unwrap_or(0);
        }
    }
}
