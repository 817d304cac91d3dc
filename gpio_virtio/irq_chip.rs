// SPDX-License-Identifier: GPL-2.0

//! The interrupt chip: turns what the interrupt core wants into state, and into commands.
//!
//! What cannot wait is done in the [`interrupts`](crate::interrupts)' state. A device that has to be
//! told what to report is told, by the [`Teller`], when the core lets one sleep again, before the consumer's call
//! returns. By then that call cannot fail any more. So the device is asked beforehand: when a line's
//! interrupt is requested, each trigger is tried on it, and what the device refuses, the consumer is
//! refused with the device's own error.

use crate::{
    abstractions::{
        deferred::{
            Deferred,
            Job, //
        },
        irq::{
            InterruptChip,
            Trigger, //
        },
        irq_work::IrqWork,
        virtio::Queue, //
    },
    chip::Lines,
    events::{
        self,
        Events, //
    },
    interrupts::{
        Interrupts,
        MakeUp, //
    },
    requests::{
        Failure,
        Requests, //
    },
    rfc::{
        Command,
        Level, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// The number of a line: gpiolib keeps offsets below the number of lines, which has 16 bits.
const fn line(offset: u32) -> u16 {
    offset as u16
}

/// Tells the device what to report, where one can sleep.
#[pin_data]
pub(crate) struct Teller {
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<Queue<Events>>,
    /// Fires what could not be fired when it came.
    make_up: Pin<KBox<IrqWork<MakeUp>>>,
    /// Held by the one who does it.
    #[pin]
    telling: Mutex<()>,
}

impl Teller {
    /// Makes the one for a device.
    pub(crate) fn new(
        requests: Arc<Requests>,
        interrupts: Arc<Interrupts>,
        events: Arc<Queue<Events>>,
    ) -> Result<Pin<KBox<Deferred<Self>>>> {
        let make_up = MakeUp {
            interrupts: interrupts.clone(),
            events: events.clone(),
            commands: requests.queue().clone(),
        };
        let make_up = KBox::pin_init(IrqWork::new(make_up), GFP_KERNEL)?;
        let teller = pin_init!(Self {
            requests,
            interrupts,
            events,
            make_up,
            telling <- new_mutex!((), "gpio_virtio::telling"),
        });

        KBox::pin_init(Deferred::new(teller), GFP_KERNEL)
    }

    /// Asks the device for `trigger`, and remembers what it says.
    fn ask_for(&self, line: u16, trigger: Trigger) -> core::result::Result<(), Failure> {
        self.interrupts.is_being_told(line);
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
        self.settle();
        Ok(())
    }

    /// Takes note of the reports that are there.
    fn settle(&self) {
        if events::settle(&self.events) {
            self.make_up.queue();
        }
    }

    /// Has the device report nothing about a line, and drops what it has reported.
    fn silence(&self, line: u16) -> Result {
        self.ask_for(line, Trigger::None)?;
        self.interrupts.was_told(line, Trigger::None);
        // What was reported before must not be taken for what is going to be asked for.
        self.settle();
        Ok(())
    }

    /// Tells the device what the consumers of a line want by now.
    fn tell(&self, line: u16) -> Result {
        let Some(wanted) = self.interrupts.change(line) else {
            return Ok(());
        };
        if !self.interrupts.is_silent(line) {
            self.silence(line)?;
        }
        if wanted == Trigger::None {
            return Ok(());
        }

        match self.ask_for(line, wanted) {
            Ok(()) => {
                if self.interrupts.was_told(line, wanted) {
                    self.make_up.queue();
                }
                Ok(())
            }
            Err(failure) => {
                if let Failure::Refused(_) = failure {
                    self.interrupts.was_told(line, Trigger::None);
                }
                Err(failure.into())
            }
        }
    }

    /// Tells the device about a line, if there is something to be told.
    fn sync(&self, line: u16) {
        // Nearly never there is.
        if self.interrupts.change(line).is_none() {
            return;
        }
        let _telling = self.telling.lock();

        match self.tell(line) {
            // A device that goes away need not be told.
            Ok(()) | Err(ENODEV) => (),
            Err(error) => self.requests.messages().warn(fmt!(
                "line {line}: cannot tell the device what to report: {error:?}"
            )),
        }
    }
}

impl Job for Teller {
    fn run(&self) {
        while let Some(line) = self.interrupts.next_sync() {
            self.sync(line);
        }
    }
}

impl InterruptChip for Lines {
    const NAME: &'static CStr = c"gpio_virtio";

    fn request_irq(&self, offset: u32) -> Result {
        let line = line(offset);

        if !self.interrupts.is_selective() {
            return self.teller.learn_level(line);
        }
        let _telling = self.teller.telling.lock();

        self.teller.try_triggers(line)
    }

    fn set_trigger(&self, offset: u32, trigger: Trigger) -> Result {
        self.make_up_if(self.interrupts.set_trigger(line(offset), trigger)?);
        Ok(())
    }

    fn enable_irq(&self, offset: u32) {
        self.make_up_if(self.interrupts.enable(line(offset)));
    }

    fn disable_irq(&self, offset: u32) {
        self.interrupts.disable(line(offset));
    }

    fn mask_irq(&self, offset: u32) {
        self.interrupts.mask(line(offset));
    }

    fn unmask_irq(&self, offset: u32) {
        self.make_up_if(self.interrupts.unmask(line(offset)));
    }

    fn sync_irq(&self, offset: u32) {
        self.teller.sync(line(offset));
    }

    fn sync_irq_later(&self, offset: u32) {
        let line = line(offset);

        if self.interrupts.change(line).is_some() {
            self.interrupts.want_sync(line);
            self.teller.queue();
        }
    }

    fn opened(&self) {
        self.make_up_if(self.interrupts.opened());
    }
}

impl Lines {
    /// Has done what is left, if there is something.
    fn make_up_if(&self, something: bool) {
        if something {
            self.teller.make_up.queue();
        }
    }
}
