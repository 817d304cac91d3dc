// SPDX-License-Identifier: GPL-2.0

//! The interrupts of a device: from its reports to the consumers' handlers.
//!
//! What is to be done is decided by [`line_irqs`](crate::line_irqs), under a raw spinlock; here it is
//! done. Reports come from the [`events`](crate::events), and go straight on to the handlers. What
//! could not be fired then is made up for by [`MakeUp`], in an interrupt of its own: it is the
//! interrupt core that says so, by unmasking the line, and it cannot be called back from there. What
//! the device has to be asked then is left to the end of the consumer's call, if there is one.

use crate::{
    abstractions::{
        irq::{
            Domain,
            Trigger, //
        },
        irq_work::{
            IrqWork,
            Work, //
        },
        raw_spinlock::{
            new_raw_spinlock,
            RawSpinLock, //
        },
    },
    events::Events,
    line::Level,
    line_irqs::{
        Counts,
        Finished,
        Left,
        LineIrq,
        LineIrqs,
        Reporting,
        Returned,
        Unsure, //
    },
    standard::IrqStatus, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The interrupts of one device's lines.
#[pin_data]
pub(crate) struct Interrupts {
    domain: Arc<Domain>,
    count: u16,
    #[pin]
    lines: RawSpinLock<LineIrqs<KVVec<LineIrq>>>,
}

impl Interrupts {
    /// Makes the interrupts of `lines` lines, which nobody waits for.
    pub(crate) fn new(lines: u16, reporting: Reporting) -> Result<Arc<Self>> {
        let domain = Arc::new(Domain::new(), GFP_KERNEL)?;
        let count = lines;
        let lines = KVVec::from_elem(LineIrq::default(), usize::from(count), GFP_KERNEL)?;

        Arc::pin_init(
            pin_init!(Self {
                domain,
                count,
                lines <- new_raw_spinlock!(
                    LineIrqs::new(lines, reporting),
                    "gpio_virtio::Interrupts"
                ),
            }),
            GFP_KERNEL,
        )
    }

    /// Where the interrupts are fired.
    pub(crate) fn domain(&self) -> &Arc<Domain> {
        &self.domain
    }

    /// How often what happened.
    pub(crate) fn counts(&self) -> Counts {
        self.lines.lock().counts()
    }

    /// The device has reported a level. Returns whether the line is then to be [fired](Self::fire).
    pub(crate) fn report(&self, line: u16, level: Level) -> bool {
        self.lines.lock().report(line, level)
    }

    /// The device has given a line's buffer back; see [`LineIrqs::returned`].
    pub(crate) fn returned(&self, line: u16, status: Option<IrqStatus>) -> Returned {
        self.lines.lock().returned(line, status)
    }

    /// A line whose buffer the device is to be given; see [`LineIrqs::next_buffer`].
    pub(crate) fn next_buffer(&self) -> Option<u16> {
        self.lines.lock().next_buffer()
    }

    /// The device could not be given a line's buffer.
    pub(crate) fn put_back_buffer(&self, line: u16) {
        self.lines.lock().put_back_buffer(line);
    }

    /// Whether the device has a line's buffer.
    pub(crate) fn is_lent(&self, line: u16) -> bool {
        self.lines.lock().is_lent(line)
    }

    /// Fires a line, if it is still to be fired. Returns whether the device may have to be
    /// [asked](Events::start_looking) something after that.
    pub(crate) fn fire(&self, line: u16) -> bool {
        let begun = self.lines.lock().begin(line);

        begun && self.call_handlers(line)
    }

    fn call_handlers(&self, line: u16) -> bool {
        let mut was_open = false;

        loop {
            if !self.domain.fire(line.into()) {
                let mut lines = self.lines.lock();

                // The chip may have come just now, and with it whoever is to be called. If it was
                // there before, there is nobody, or nobody any more.
                if !was_open && lines.is_open() {
                    was_open = true;
                    continue;
                }
                lines.cancel(line);
                return false;
            }
            match self.lines.lock().finish(line) {
                Finished::Again => (),
                Finished::Check => return true,
                Finished::Done => return false,
            }
        }
    }

    /// Fires a line whose edge was latched. Returns whether there was one.
    fn fire_latched(&self) -> bool {
        let line = self.lines.lock().next_latched();

        if let Some(line) = line {
            self.call_handlers(line);
        }
        line.is_some()
    }

    /// A line whose level the device is to be asked for; see [`LineIrqs::next_check`].
    pub(crate) fn next_check(&self) -> Option<(u16, u32)> {
        self.lines.lock().next_check()
    }

    /// A check cannot be made now.
    pub(crate) fn put_back_check(&self, line: u16) {
        self.lines.lock().put_back_check(line);
    }

    /// The device has said what level a line has, or not; see [`LineIrqs::checked`]. The next check
    /// is to be started then.
    pub(crate) fn checked(&self, line: u16, epoch: u32, level: Option<Level>) {
        let due = self.lines.lock().checked(line, epoch, level);

        if due {
            self.fire(line);
        }
    }

    /// A point in time, for [`learn`](Self::learn).
    pub(crate) fn epoch(&self, line: u16) -> u32 {
        self.lines.lock().epoch(line)
    }

    /// The device was asked for the level of a line; see [`LineIrqs::learn`].
    pub(crate) fn learn(&self, line: u16, epoch: u32, level: Option<Level>) {
        self.lines.lock().learn(line, epoch, level);
    }

    /// A line's interrupt gets its first consumer, or has lost the last one.
    pub(crate) fn set_claimed(&self, line: u16, claimed: bool) {
        self.lines.lock().set_claimed(line, claimed);
    }

    /// A line itself gets a consumer, or has lost it.
    pub(crate) fn set_requested(&self, line: u16, requested: bool) {
        self.lines.lock().set_requested(line, requested);
    }

    /// Whether a line has a consumer, or its interrupt has.
    pub(crate) fn is_in_use(&self, line: u16) -> bool {
        self.lines.lock().is_in_use(line)
    }

    /// Whether a line itself has a consumer.
    pub(crate) fn is_requested(&self, line: u16) -> bool {
        self.lines.lock().is_requested(line)
    }

    /// Whether a line's interrupt has a consumer.
    pub(crate) fn is_claimed(&self, line: u16) -> bool {
        self.lines.lock().is_claimed(line)
    }

    /// Sets what fires. Returns whether there is something to make up for; see
    /// [`LineIrqs::set_trigger`].
    pub(crate) fn set_trigger(&self, line: u16, trigger: Trigger) -> Result<bool> {
        self.lines
            .lock()
            .set_trigger(line, trigger)
            .map_err(|errno| Error::from_errno(-i32::from(errno)))
    }

    /// The chip is there now. Returns whether there is something to make up for.
    pub(crate) fn opened(&self) -> bool {
        self.lines.lock().opened()
    }

    /// Turns a line on. Returns whether there is something to make up for.
    pub(crate) fn enable(&self, line: u16) -> bool {
        self.lines.lock().enable(line)
    }

    /// Turns a line off.
    pub(crate) fn disable(&self, line: u16) {
        self.lines.lock().disable(line);
    }

    /// Lets a line fire no more.
    pub(crate) fn mask(&self, line: u16) {
        self.lines.lock().mask(line);
    }

    /// Lets a line fire again. Returns whether there is something to make up for.
    pub(crate) fn unmask(&self, line: u16) -> bool {
        self.lines.lock().unmask(line)
    }

    /// A consumer's call that may change the line begins; see [`LineIrqs::begin_sync`].
    pub(crate) fn begin_sync(&self, line: u16) {
        self.lines.lock().begin_sync(line);
    }

    /// Leaves what there is to do to the end of a consumer's call; see [`LineIrqs::leave_to_sync`].
    pub(crate) fn leave_to_sync(&self, line: u16) -> bool {
        self.lines.lock().leave_to_sync(line)
    }

    /// A consumer's call ends; see [`LineIrqs::end_sync`].
    pub(crate) fn end_sync(&self, line: u16) -> Left {
        self.lines.lock().end_sync(line)
    }

    /// Whether the device has to be told what to report.
    pub(crate) fn is_selective(&self) -> bool {
        self.lines.lock().is_selective()
    }

    /// What the device says to a trigger.
    pub(crate) fn answered(&self, line: u16, trigger: Trigger, answer: Result) {
        // CAST: An errno has 12 bits.
        let answer = answer.map_err(|error| error.to_errno().unsigned_abs() as u16);

        self.lines.lock().answered(line, trigger, answer);
    }

    /// What the device is to be told about a line; see [`LineIrqs::change`].
    pub(crate) fn change(&self, line: u16) -> Option<Trigger> {
        self.lines.lock().change(line)
    }

    /// Whether the device has been told nothing about a line.
    pub(crate) fn is_silent(&self, line: u16) -> bool {
        self.lines.lock().is_silent(line)
    }

    /// The device is being told something about a line; see [`LineIrqs::is_being_told`].
    pub(crate) fn is_being_told(&self, line: u16) -> u32 {
        self.lines.lock().is_being_told(line)
    }

    /// The device has been told. Returns whether there is something to make up for.
    pub(crate) fn was_told(&self, line: u16, trigger: Trigger, life: u32) -> bool {
        self.lines.lock().was_told(line, trigger, life)
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// The device was reset, and has forgotten all lines. Afterwards it may have to be told about some.
    pub(crate) fn was_reset(&self) {
        self.lines.lock().begin_life();
        // One at a time: interrupts are off while the lock is held.
        for line in 0..self.count {
            self.lines.lock().forget(line);
        }
    }

    /// The system goes to sleep; see [`LineIrqs::fall_asleep`].
    pub(crate) fn fall_asleep(&self) {
        self.lines.lock().fall_asleep();
    }

    /// The system has slept.
    pub(crate) fn wake_up(&self) {
        self.lines.lock().wake_up();
    }

    /// Whether a line's level has to be known before the device is reset; see
    /// [`LineIrqs::is_to_be_noted`].
    pub(crate) fn is_to_be_noted(&self, line: u16) -> Option<u32> {
        self.lines.lock().is_to_be_noted(line)
    }

    /// What is not known of a line since the device was reset.
    pub(crate) fn next_unsure(&self, line: u16) -> Unsure {
        self.lines.lock().next_unsure(line)
    }

    /// The device was asked for what was not known. Returns whether there is something to make up for.
    pub(crate) fn compared(&self, line: u16, epoch: u32, level: Option<Level>) -> bool {
        self.lines.lock().compared(line, epoch, level)
    }

    /// Nothing came of asking the device; see [`LineIrqs::put_back_unsure`].
    pub(crate) fn put_back_unsure(&self, line: u16, epoch: u32) {
        self.lines.lock().put_back_unsure(line, epoch);
    }

    /// The device works again. Lists the lines about which it does not know everything.
    pub(crate) fn want_syncs(&self) {
        // One at a time, as above.
        for line in 0..self.count {
            self.lines.lock().want_sync_if_needed(line);
        }
    }

    /// The device cannot be told about a line now.
    pub(crate) fn want_sync(&self, line: u16) {
        self.lines.lock().want_sync(line);
    }

    /// A line about which the device is to be told something.
    pub(crate) fn next_sync(&self) -> Option<u16> {
        self.lines.lock().next_sync()
    }
}

/// So many latched edges are fired at a time.
const BUDGET: usize = 64;

/// Makes up for what was not fired when it came.
pub(crate) struct MakeUp {
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) events: Arc<dyn Events>,
}

impl Work for MakeUp {
    fn run(work: &IrqWork<Self>) {
        let Self { interrupts, events } = work.inner();

        events.make_up();
        for _ in 0..BUDGET {
            if !interrupts.fire_latched() {
                events.start_looking();
                return;
            }
        }
        // Others have their turn in between.
        work.queue();
    }
}
