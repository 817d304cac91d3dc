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
        irq_work::IrqWork, //
    },
    chip::{
        line_number as line,
        Lines, //
    },
    command::{
        Answer,
        Command, //
    },
    events::Events,
    interrupts::{
        Interrupts,
        MakeUp, //
    },
    line::Direction,
    line_irqs::Left,
    requests::{
        Failure,
        Requests, //
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

/// Tells the device what to report, where one can sleep.
#[pin_data]
pub(crate) struct Teller {
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
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
        events: Arc<dyn Events>,
    ) -> Result<Pin<KBox<Deferred<Self>>>> {
        let make_up = MakeUp {
            interrupts: interrupts.clone(),
            events: events.clone(),
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
        // Nobody is just about to act upon what it was told before.
        self.settle();
        let result = self
            .requests
            .send_and_wait(Command::SetIrqType(trigger), line)
            .map(|_| ());

        match result {
            Ok(()) => self.interrupts.answered(line, trigger, Ok(())),
            Err(Failure::Refused(error) | Failure::Half(error)) => {
                self.interrupts.answered(line, trigger, Err(error));
            }
            Err(Failure::Lost(_)) => (),
        }
        result
    }

    /// Finds out which triggers the device accepts for a line by now.
    fn try_triggers(&self, line: u16) -> Result {
        if !self.interrupts.is_silent(line) {
            self.silence(line)?;
        }
        for trigger in Trigger::ALL {
            match self.ask_for(line, trigger) {
                // From one trigger to another the way leads over none.
                Ok(()) => self.silence(line)?,
                Err(Failure::Lost(error)) => return Err(error),
                // That is for the one who wants that trigger. The line is as it was.
                Err(Failure::Refused(_) | Failure::Half(_)) => {
                    self.interrupts.was_told(line, Trigger::None);
                }
            }
        }
        Ok(())
    }

    /// Has the line be an input if nobody has said yet what it is.
    fn find_direction(&self, line: u16) -> Result {
        match self.requests.send_and_wait(Command::GetDirection, line) {
            Ok(Answer::Direction(None)) => {
                self.requests.run(Command::DirectionInput, line)?;
                Ok(())
            }
            // gpiolib does not know, or it is one that is an input at times (open drain). A device that
            // is told what to report must not be told so about it.
            Ok(Answer::Direction(Some(Direction::Output))) if self.interrupts.is_selective() => {
                Err(EIO)
            }
            Err(Failure::Lost(error)) => Err(error),
            // Whoever does not say it may let the line interrupt all the same.
            _ => Ok(()),
        }
    }

    /// Finds out which level a line has, to know the first change from the level before.
    fn learn_level(&self, line: u16) -> Result {
        let epoch = self.interrupts.epoch(line);
        let level = match self.requests.send_and_wait(Command::GetValue, line) {
            Ok(answer) => answer.level(),
            // The device may report it all the same.
            Err(Failure::Refused(_) | Failure::Half(_)) => None,
            Err(Failure::Lost(error)) => return Err(error),
        };

        self.interrupts.learn(line, epoch, level);
        // A change that the answer knows of must not be taken for another one.
        self.settle();
        Ok(())
    }

    /// Gets a line ready to interrupt.
    fn prepare(&self, line: u16) -> Result {
        let _telling = self.telling.lock();

        // From now on nobody else gives the line back.
        self.interrupts.set_claimed(line, true);
        self.find_direction(line)?;
        match self.interrupts.is_selective() {
            true => self.try_triggers(line),
            false => self.learn_level(line),
        }
    }

    /// A line's interrupt has no consumer any more.
    fn release(&self, line: u16) {
        let _telling = self.telling.lock();

        self.interrupts.set_claimed(line, false);
        self.give_back(line);
    }

    /// A line gets a consumer.
    pub(crate) fn line_requested(&self, line: u16) {
        // Not while it is being given back.
        let _telling = self.telling.lock();

        self.interrupts.set_requested(line, true);
    }

    /// A line has no consumer any more.
    pub(crate) fn line_freed(&self, line: u16) {
        let _telling = self.telling.lock();

        self.interrupts.set_requested(line, false);
        self.give_back(line);
    }

    /// Gives a line back to the device, unless somebody still uses it: who has its interrupt need not
    /// have requested the line.
    fn give_back(&self, line: u16) {
        if !self.interrupts.is_in_use(line) {
            // Nobody is left to be told of an error; a time-out has a message.
            let _ = self.requests.run(Command::Free, line);
        }
    }

    /// Takes note of the reports that are there.
    fn settle(&self) {
        if self.events.settle() {
            self.make_up.queue();
        }
    }

    /// Has the device report nothing about a line, and drops what it has reported.
    fn silence(&self, line: u16) -> Result {
        match self.ask_for(line, Trigger::None) {
            Ok(()) => (),
            // There are devices that refuse this where it is so already.
            Err(Failure::Refused(error) | Failure::Half(error)) => self.requests.messages().warn(
                fmt!("line {line}: the device will not report nothing: {error:?}"),
            ),
            Err(Failure::Lost(error)) => return Err(error),
        }
        self.interrupts.was_told(line, Trigger::None);
        // What was reported before must not be taken for what is going to be asked for.
        self.settle();
        Ok(())
    }

    /// Tells the device what the consumers of a line want, until that is what they want.
    ///
    /// Who changes that meanwhile may find that the device knows it already, and leave it at that, just
    /// when the device is about to be told the opposite. So it is looked at again afterwards.
    fn tell_all(&self, line: u16) -> Result {
        while self.interrupts.change(line).is_some() {
            self.tell(line)?;
        }
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

        match self.tell_all(line) {
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

        self.events.claim(line)?;
        self.teller.prepare(line).inspect_err(|_| {
            self.release_irq(offset);
        })
    }

    fn release_irq(&self, offset: u32) {
        let line = line(offset);

        self.teller.release(line);
        self.events.release(line);
    }

    fn set_trigger(&self, offset: u32, trigger: Trigger) -> Result {
        let line = line(offset);

        self.make_up_if(line, self.interrupts.set_trigger(line, trigger)?);
        Ok(())
    }

    fn enable_irq(&self, offset: u32) {
        let line = line(offset);

        self.make_up_if(line, self.interrupts.enable(line));
    }

    fn disable_irq(&self, offset: u32) {
        self.interrupts.disable(line(offset));
    }

    fn mask_irq(&self, offset: u32) {
        self.interrupts.mask(line(offset));
    }

    fn unmask_irq(&self, offset: u32) {
        let line = line(offset);

        self.make_up_if(line, self.interrupts.unmask(line));
    }

    fn begin_sync(&self, offset: u32) {
        self.interrupts.begin_sync(line(offset));
    }

    fn sync_irq(&self, offset: u32) {
        let line = line(offset);

        self.teller.sync(line);
        match self.interrupts.end_sync(line) {
            Left::Nothing => (),
            Left::ToAsk => self.events.start_looking(),
            Left::ToFire => self.teller.make_up.queue(),
        }
    }

    fn sync_irq_later(&self, offset: u32) {
        let line = line(offset);

        if self.interrupts.change(line).is_some() {
            self.interrupts.want_sync(line);
            self.teller.queue();
        }
        if self.interrupts.end_sync(line) != Left::Nothing {
            self.teller.make_up.queue();
        }
    }

    fn opened(&self) {
        if self.interrupts.opened() {
            self.teller.make_up.queue();
        }
    }
}

impl Lines {
    /// Has done what is left, if there is something: at the end of the consumer's call if there is one,
    /// else in an interrupt of its own.
    fn make_up_if(&self, line: u16, something: bool) {
        if something && !self.interrupts.leave_to_sync(line) {
            self.teller.make_up.queue();
        }
    }
}
