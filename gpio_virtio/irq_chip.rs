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
        completion::Deadline,
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
    line::{
        Direction,
        Level, //
    },
    line_irqs::{
        Left,
        Unsure, //
    },
    requests::{
        Failure,
        Requests, //
    },
};
use kernel::{
    bitmap::BitmapVec,
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        CondVar,
        Mutex, //
    },
    time::msecs_to_jiffies, //
};

/// Tells the device what to report, where one can sleep.
#[pin_data]
pub(crate) struct Teller {
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
    /// Fires what could not be fired when it came.
    make_up: Pin<KBox<IrqWork<MakeUp>>>,
    #[pin]
    turns: Turns,
    /// How often in a row the device did not answer when it was told something.
    tries: Atomic<u32>,
}

/// So often in a row a device that does not answer is told what to report.
const MAX_TRIES: u32 = 3;

/// When it is told again, in milliseconds.
const AGAIN_MS: u32 = 1000;

/// How long a device that is about to be reset is asked for levels, in milliseconds; one question may take
/// longer.
const NOTE_MS: u32 = 1000;

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
        let turns = Turns::new(interrupts.count())?;
        let teller = pin_init!(Self {
            requests,
            interrupts,
            events,
            make_up,
            turns <- turns,
            tries: Atomic::new(0),
        });

        KBox::pin_init(Deferred::new(teller), GFP_KERNEL)
    }

    /// Asks the device for `trigger`, and remembers what it says. Returns in which of its lives it was
    /// asked, besides.
    fn ask_for(&self, line: u16, trigger: Trigger) -> (u32, core::result::Result<(), Failure>) {
        let life = self.interrupts.is_being_told(line);
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
        (life, result)
    }

    /// Finds out which triggers the device accepts for a line by now.
    fn try_triggers(&self, line: u16) -> Result {
        if !self.interrupts.is_silent(line) {
            self.silence(line)?;
        }
        for trigger in Trigger::ALL {
            let (life, result) = self.ask_for(line, trigger);
            match result {
                // From one trigger to another the way leads over none.
                Ok(()) => self.silence(line)?,
                Err(Failure::Lost(error)) => return Err(error),
                // That is for the one who wants that trigger. The line is as it was.
                Err(Failure::Refused(_) | Failure::Half(_)) => {
                    self.interrupts.was_told(line, Trigger::None, life);
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
        // If the device does not say it, it may report it all the same.
        let level = self.level(line)?;

        self.interrupts.learn(line, epoch, level);
        // A change that the answer knows of must not be taken for another one.
        self.settle();
        Ok(())
    }

    /// Gets a line ready to interrupt.
    fn prepare(&self, line: u16) -> Result {
        let _turn = self.turns.take(line);

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
        let _turn = self.turns.take(line);

        self.interrupts.set_claimed(line, false);
        self.give_back(line);
    }

    /// A line gets a consumer.
    pub(crate) fn line_requested(&self, line: u16) {
        // Not while it is being given back.
        let _turn = self.turns.take(line);

        self.interrupts.set_requested(line, true);
    }

    /// A line has no consumer any more.
    pub(crate) fn line_freed(&self, line: u16) {
        let _turn = self.turns.take(line);

        self.interrupts.set_requested(line, false);
        self.give_back(line);
    }

    /// Gives a line back to the device, unless somebody still uses it: who has its interrupt need not
    /// have requested the line.
    fn give_back(&self, line: u16) {
        // Nobody is left to be told of an error; a time-out has a message.
        if !self.interrupts.is_in_use(line) && self.requests.run(Command::Free, line).is_err() {
            // The device is not to be told again, for the next one, what this one wanted.
            self.requests.forget_line(line);
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
        let (life, result) = self.ask_for(line, Trigger::None);
        match result {
            Ok(()) => (),
            // There are devices that refuse this where it is so already.
            Err(Failure::Refused(error) | Failure::Half(error)) => self.requests.messages().warn(
                fmt!("line {line}: the device will not report nothing: {error:?}"),
            ),
            Err(Failure::Lost(error)) => return Err(error),
        }
        self.interrupts.was_told(line, Trigger::None, life);
        // What was reported before must not be taken for what is going to be asked for.
        self.settle();
        Ok(())
    }

    /// Tells the device what the consumers of a line want, until that is what they want.
    ///
    /// Who changes that meanwhile may find that the device knows it already, and leave it at that, just
    /// when the device is about to be told the opposite. So it is looked at again afterwards.
    fn tell_all(&self, line: u16) -> core::result::Result<(), Failure> {
        while self.interrupts.change(line).is_some() {
            self.tell(line)?;
        }
        Ok(())
    }

    /// Tells the device what the consumers of a line want by now.
    fn tell(&self, line: u16) -> core::result::Result<(), Failure> {
        let Some(wanted) = self.interrupts.change(line) else {
            return Ok(());
        };
        if !self.interrupts.is_silent(line) {
            self.silence(line).map_err(Failure::Lost)?;
        }
        if wanted == Trigger::None {
            return Ok(());
        }

        let (life, result) = self.ask_for(line, wanted);
        match result {
            Ok(()) => {
                if self.interrupts.was_told(line, wanted, life) {
                    self.make_up.queue();
                }
                Ok(())
            }
            Err(failure) => {
                if let Failure::Refused(_) = failure {
                    self.interrupts.was_told(line, Trigger::None, life);
                }
                Err(failure)
            }
        }
    }

    /// Tells the device about a line, if there is something to be told. Returns whether it is to be tried
    /// again, later.
    fn sync(&self, line: u16) -> bool {
        // Nearly never there is.
        if self.interrupts.change(line).is_none() {
            return false;
        }
        let _turn = self.turns.take(line);

        let (error, is_lost) = match self.tell_all(line) {
            Ok(()) => {
                self.tries.store(0, Relaxed);
                return false;
            }
            // A device that goes away need not be told.
            Err(Failure::Lost(ENODEV)) => return false,
            Err(Failure::Lost(error)) => (error, true),
            Err(Failure::Refused(error) | Failure::Half(error)) => (error, false),
        };
        self.requests.messages().warn(fmt!(
            "line {line}: cannot tell the device what to report: {error:?}"
        ));
        is_lost && self.is_to_be_tried_again()
    }

    /// Whether what the device did not answer is asked once more, later.
    fn is_to_be_tried_again(&self) -> bool {
        // When a device works again that does not work now it is told everything.
        self.requests.recovery().is_running() && self.may_try_again()
    }

    /// Whether what the device did not answer is asked once more: not for ever.
    fn may_try_again(&self) -> bool {
        let tries = self.tries.load(Relaxed).saturating_add(1);

        self.tries.store(tries, Relaxed);
        tries < MAX_TRIES
    }
}

/// When the device is reset.
impl Teller {
    /// Asks the device, which is about to be reset, for what has to be known of the lines before.
    pub(crate) fn note_levels(&self) {
        let deadline = Deadline::after(msecs_to_jiffies(NOTE_MS));

        for line in 0..self.interrupts.count() {
            if deadline.is_over() {
                return;
            }
            if let Some(epoch) = self.interrupts.is_to_be_noted(line) {
                let Ok(level) = self.level(line) else {
                    // It does not work.
                    return;
                };
                self.settle();
                self.interrupts.learn(line, epoch, level);
            }
        }
    }

    /// Takes note of what the device has reported until it is reset.
    pub(crate) fn note_events(&self) {
        self.settle();
    }

    /// The device was reset: it is to be told everything anew.
    pub(crate) fn was_reset(&self) {
        self.interrupts.was_reset();
    }

    /// The device works again. What it could not be told, or asked, until now is to be tried once more.
    pub(crate) fn resume(&self) {
        self.tries.store(0, Relaxed);
        self.interrupts.want_syncs();
    }

    /// Makes up for what has changed while the device was reset, now that it reports again. Returns
    /// whether it is to be tried again, later.
    fn compare(&self, line: u16) -> bool {
        let something = match self.interrupts.next_unsure(line) {
            Unsure::Nothing => false,
            Unsure::Look => true,
            Unsure::Level(epoch) => match self.level(line) {
                Ok(level) => {
                    // A change that was reported must not be inferred too.
                    self.settle();
                    self.interrupts.compared(line, epoch, level)
                }
                Err(_) => {
                    self.interrupts.put_back_unsure(line, epoch);
                    return self.is_to_be_tried_again();
                }
            },
        };

        if something {
            self.make_up.queue();
        }
        false
    }

    /// The level of a line, if the device says it. The error is that of a device that does not answer.
    fn level(&self, line: u16) -> Result<Option<Level>> {
        match self.requests.send_and_wait(Command::GetValue, line) {
            Ok(answer) => Ok(answer.level()),
            Err(Failure::Refused(_) | Failure::Half(_)) => Ok(None),
            Err(Failure::Lost(error)) => Err(error),
        }
    }
}

impl Job for Teller {
    fn run(&self, work: &Deferred<Self>) {
        while let Some(line) = self.interrupts.next_sync() {
            let again =
                self.sync(line) || self.interrupts.change(line).is_none() && self.compare(line);
            if again {
                // One at a time, or the system could not go to sleep.
                self.interrupts.want_sync(line);
                work.queue_after(msecs_to_jiffies(AGAIN_MS));
                return;
            }
        }
    }
}

/// Whose turn it is to tell the device something about a line: one's at a time. Other lines are not kept
/// waiting by one of which the device says nothing.
#[pin_data]
struct Turns {
    /// The lines that it is somebody's turn with.
    #[pin]
    taken: Mutex<BitmapVec>,
    /// Notified when it is nobody's any more.
    #[pin]
    over: CondVar,
}

impl Turns {
    fn new(lines: u16) -> Result<impl PinInit<Self>> {
        let taken = BitmapVec::new(usize::from(lines), GFP_KERNEL)?;

        Ok(pin_init!(Self {
            taken <- new_mutex!(taken, "gpio_virtio::Turns"),
            over <- new_condvar!("gpio_virtio::Turns"),
        }))
    }

    /// Waits until it is nobody's turn, and takes it.
    fn take(&self, line: u16) -> Turn<'_> {
        let index = usize::from(line);
        let mut taken = self.taken.lock();

        while taken.next_bit(index) == Some(index) {
            self.over.wait(&mut taken);
        }
        taken.set_bit(index);
        Turn { turns: self, index }
    }
}

/// It is somebody's turn until this is dropped.
struct Turn<'a> {
    turns: &'a Turns,
    index: usize,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken.lock().clear_bit(self.index);
        self.turns.over.notify_all();
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

        if self.teller.sync(line) {
            self.interrupts.want_sync(line);
            self.teller.queue_after(msecs_to_jiffies(AGAIN_MS));
        }
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
