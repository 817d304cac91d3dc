// SPDX-License-Identifier: GPL-2.0

//! The interrupt chip: turns what the interrupt core wants into state, and into commands.
//!
//! What cannot wait is done in the [`interrupts`](crate::interrupts)' state. A device that has to be
//! told what to report is told when the core lets one sleep again, before the consumer's call
//! returns. By then that call cannot fail any more. So the device is asked beforehand: when a line's
//! interrupt is requested, each trigger is tried on it, and what the device refuses, the consumer is
//! refused with the device's own error.

use crate::{
    abstractions::irq::{
        InterruptChip,
        Trigger, //
    },
    chip::Lines,
    events,
    line_irqs::Change,
    requests::Failure,
    rfc::{
        Command,
        Level, //
    },
};
use kernel::prelude::*;

/// The number of a line: gpiolib keeps offsets below the number of lines, which has 16 bits.
const fn line(offset: u32) -> u16 {
    offset as u16
}

impl Lines {
    /// Asks the device for `trigger`, and remembers what it says.
    fn ask_for(&self, line: u16, trigger: Trigger) -> core::result::Result<(), Failure> {
        let result = self
            .requests
            .send_and_wait(Command::SetIrqType(trigger), line)
            .map(|_| ());

        match result {
            Ok(()) => self.interrupts.answered(line, trigger, Ok(())),
            Err(Failure::Refused(error)) => self.interrupts.answered(line, trigger, Err(error)),
            Err(Failure::Lost(_)) => (),
        }
        result
    }

    /// Finds out which triggers the device accepts for a line by now.
    fn try_triggers(&self, line: u16) -> Result {
        for trigger in Trigger::ALL {
            // A refusal is for the one who wants that trigger.
            if let Err(Failure::Lost(error)) = self.ask_for(line, trigger) {
                return Err(error);
            }
        }
        self.silence(line)
    }

    /// Finds out which level a line has, to know the first change from the level before.
    fn learn_level(&self, line: u16) -> Result {
        let epoch = self.interrupts.epoch(line);
        let level = match self.requests.send_and_wait(Command::GetValue, line) {
            Ok(value) => Level::from_wire(value),
            // The device may report it all the same.
            Err(Failure::Refused(_)) => None,
            Err(Failure::Lost(error)) => return Err(error),
        };

        self.interrupts.learn(line, epoch, level);
        // A change that the answer knows of must not be taken for another one.
        events::settle(&self.events);
        Ok(())
    }

    /// Has the device report nothing about a line, and drops what it has reported.
    fn silence(&self, line: u16) -> Result {
        self.interrupts.tell(line, Trigger::None);
        self.requests
            .run(Command::SetIrqType(Trigger::None), line)
            .map(|_| ())?;
        // What was reported before must not be taken for what is going to be asked for.
        events::settle(&self.events);
        Ok(())
    }

    /// Tells the device what the consumers of a line want by now.
    fn tell(&self, line: u16) -> Result {
        let Some(Change { from, to }) = self.interrupts.change(line) else {
            return Ok(());
        };

        if from != Trigger::None {
            self.silence(line)?;
        }
        if to == Trigger::None {
            return Ok(());
        }

        // Beforehand: from when the device has it, what it reports counts.
        self.interrupts.tell(line, to);
        self.ask_for(line, to).inspect_err(|_| {
            self.interrupts.tell(line, Trigger::None);
        })?;
        if self.interrupts.was_told(line) {
            self.make_up.queue();
        }
        Ok(())
    }
}

impl InterruptChip for Lines {
    const NAME: &'static CStr = c"gpio_virtio";

    fn request_irq(&self, offset: u32) -> Result {
        if !self.interrupts.is_selective() {
            return self.learn_level(line(offset));
        }
        let _told = self.telling.lock();

        self.try_triggers(line(offset))
    }

    fn set_trigger(&self, offset: u32, trigger: Trigger) -> Result {
        self.interrupts.set_trigger(line(offset), trigger)
    }

    fn enable_irq(&self, offset: u32) {
        if self.interrupts.enable(line(offset)) {
            self.make_up.queue();
        }
    }

    fn disable_irq(&self, offset: u32) {
        self.interrupts.disable(line(offset));
    }

    fn mask_irq(&self, offset: u32) {
        self.interrupts.mask(line(offset));
    }

    fn unmask_irq(&self, offset: u32) {
        if self.interrupts.unmask(line(offset)) {
            self.make_up.queue();
        }
    }

    fn sync_irq(&self, offset: u32) {
        let line = line(offset);
        // Nearly always.
        if self.interrupts.change(line).is_none() {
            return;
        }
        let _told = self.telling.lock();

        if let Err(error) = self.tell(line) {
            self.requests.messages().warn(fmt!(
                "line {line}: cannot tell the device what to report: {error:?}"
            ));
        }
    }
}
