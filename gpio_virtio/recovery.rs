// SPDX-License-Identifier: GPL-2.0

//! Resets a device that does not work any more, and brings it to where it was.
//!
//! A device that answers no request, breaks a queue, or says that something has changed, is reset: a
//! back end that has died and was started again is then one that works, but remembers nothing. So the
//! [requests](crate::requests) tell it again what it knew of the lines, and the
//! [`Teller`](crate::irq_chip::Teller) what to report. The same is done when the bus resets the device,
//! or the system has slept.
//!
//! What was under way fails, and what is new waits, until that is over. If the device does not work
//! after it either, then requests fail at once, and it is tried again, less and less often.

use crate::{
    abstractions::{
        deferred::{
            Deferred,
            Job, //
        },
        virtio::{
            self,
            NotReset,
            Resetter, //
        },
    },
    chip::Lines,
    line_states::Restored,
    messages::Messages, //
};
use kernel::{
    device::Core,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
};

/// Why a device is to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Reason {
    /// It did not answer so many requests in a row.
    TimeOuts = 1,
    /// It has broken the rules of a queue.
    Broken = 2,
    /// It says that its configuration has changed, or that it has to be reset.
    Changed = 3,
    /// It did not work after it was reset.
    Failed = 4,
}

impl Reason {
    fn from_i32(number: i32) -> Option<Self> {
        [
            Reason::TimeOuts,
            Reason::Broken,
            Reason::Changed,
            Reason::Failed,
        ]
        .into_iter()
        .find(|&reason| reason as i32 == number)
    }

    const fn text(self) -> &'static str {
        match self {
            Reason::TimeOuts => "it did not answer",
            Reason::Broken => "it broke a queue",
            Reason::Changed => "it said that it has changed",
            Reason::Failed => "it did not work after a reset",
        }
    }
}

/// There is no reason.
const NONE: i32 = 0;

/// For so long after a reset there is no other one, in milliseconds.
const HOLD_OFF_MS: u32 = 1000;

/// For so long somebody who has the device's lock is waited for, in milliseconds.
const LOCKED_MS: u32 = 10;

/// After so many failures in a row the time until the next try is doubled no more.
const MAX_DOUBLINGS: u32 = 6;

/// What a device is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum State {
    /// It works, as far as anybody knows.
    Running = 0,
    /// It is being reset.
    Paused = 1,
    /// It did not work after it was reset, and is tried again.
    Failed = 2,
}

/// Resets one device when it has to be.
#[pin_data]
pub(crate) struct Recovery {
    #[pin]
    job: Deferred<Reset>,
}

/// The job of it.
struct Reset {
    device: Resetter,
    messages: Arc<Messages>,
    /// After so many time-outs in a row the device is reset; never if it is 0.
    limit: u32,
    in_a_row: Atomic<u32>,
    /// The device has answered a request since it was reset.
    has_answered: Atomic<bool>,
    /// Why the device is to be reset: a [`Reason`], or [`NONE`].
    wanted: Atomic<i32>,
    /// Why it is just being reset by this: the same.
    doing: Atomic<i32>,
    state: Atomic<i32>,
    failures: Atomic<u32>,
    resets: Atomic<u64>,
}

impl Recovery {
    /// Makes the one for a device, which is reset after `limit` time-outs in a row, if that is not 0.
    pub(crate) fn new<T: virtio::Driver + 'static>(
        dev: &virtio::Device<Core<'_>>,
        limit: u32,
    ) -> Result<Arc<Self>> {
        let reset = Reset {
            device: Resetter::new::<T>(dev),
            messages: Messages::new(dev.as_ref())?,
            limit,
            in_a_row: Atomic::new(0),
            has_answered: Atomic::new(true),
            wanted: Atomic::new(NONE),
            doing: Atomic::new(NONE),
            state: Atomic::new(State::Running as i32),
            failures: Atomic::new(0),
            resets: Atomic::new(0),
        };

        Arc::pin_init(
            pin_init!(Self {
                job <- Deferred::new(reset),
            }),
            GFP_KERNEL,
        )
    }

    /// The device is to be reset. May be called in any context.
    pub(crate) fn wanted(&self, reason: Reason) {
        if !self.job.device.can_reset() {
            return;
        }
        // The first reason is the one to be told.
        let _ = self.job.wanted.cmpxchg(NONE, reason as i32, Relaxed);
        // While it is being reset it is looked at again afterwards, and not at once. That counts for a
        // change too: it may be the death of one that has just been told everything.
        if !self.is_doing() {
            self.job.queue();
        }
    }

    /// The device did not answer a request.
    pub(crate) fn timed_out(&self) {
        let count = self.job.in_a_row.fetch_add(1, Relaxed).saturating_add(1);

        if self.job.limit > 0 && count >= self.job.limit {
            self.wanted(Reason::TimeOuts);
        }
    }

    /// The device has answered a request.
    pub(crate) fn answered(&self) {
        // Nearly always these are so already, and then they are not written to.
        if self.job.in_a_row.load(Relaxed) != 0 {
            self.job.in_a_row.store(0, Relaxed);
        }
        if !self.job.has_answered.load(Relaxed) {
            self.job.has_answered.store(true, Relaxed);
        }
    }

    /// The device was reset, and has not been asked anything yet: what it did before does not count.
    fn forget(&self) {
        self.job.in_a_row.store(0, Relaxed);
        self.job.wanted.store(NONE, Relaxed);
    }

    /// The device is where it was. Who has waited for that in vain has no reason to complain of it.
    fn is_restored(&self) {
        self.job.in_a_row.store(0, Relaxed);
        self.job.has_answered.store(false, Relaxed);
        let _ = self
            .job
            .wanted
            .cmpxchg(Reason::TimeOuts as i32, NONE, Relaxed);
    }

    /// Has the device left alone for a while, whatever it does.
    fn hold_off(&self) {
        self.job.postpone(msecs_to_jiffies(HOLD_OFF_MS));
    }

    /// Resets the device no more. When this returns nobody is doing so. May sleep.
    pub(crate) fn cancel(&self) {
        self.job.cancel();
    }

    /// Whether it is this that resets the device, and not the bus.
    pub(crate) fn is_doing(&self) -> bool {
        self.job.doing.load(Relaxed) != NONE
    }

    fn set_state(&self, state: State) {
        self.job.state.store(state as i32, Relaxed);
    }

    /// What the device is doing.
    pub(crate) fn state(&self) -> State {
        match self.job.state.load(Relaxed) {
            state if state == State::Paused as i32 => State::Paused,
            state if state == State::Failed as i32 => State::Failed,
            _ => State::Running,
        }
    }

    /// Whether the device works, as far as anybody knows.
    pub(crate) fn is_running(&self) -> bool {
        self.state() == State::Running
    }

    /// How often the device was reset by this.
    pub(crate) fn resets(&self) -> u64 {
        self.job.resets.load(Relaxed)
    }

    /// Says what came of a reset.
    fn say(&self, restored: &Restored) {
        let Some(reason) = Reason::from_i32(self.job.doing.load(Relaxed)) else {
            // When the system has slept nobody wants to know.
            return;
        };
        let Restored { lines, .. } = restored;

        self.job.messages.warn(fmt!(
            "the device was reset, as {}; {lines} lines restored",
            reason.text()
        ));
    }
}

impl Reset {
    /// How long it is until the next try.
    fn delay(&self) -> Jiffies {
        let doublings = self.failures.load(Relaxed).min(MAX_DOUBLINGS);

        msecs_to_jiffies(HOLD_OFF_MS << doublings)
    }

    /// The device had to be reset, whether it works after that or not. One that has to be again and again,
    /// and does nothing in between, has to wait for it.
    fn count_failure(&self) {
        let failures = self.failures.load(Relaxed).saturating_add(1);

        self.failures.store(failures, Relaxed);
    }
}

impl Job for Reset {
    fn run(&self, work: &Deferred<Self>) {
        let wanted = self.wanted.load(Relaxed);
        if wanted == NONE || self.has_answered.load(Relaxed) {
            // It has worked since: for as long as it was left alone, or until now.
            self.failures.store(0, Relaxed);
        }
        if wanted == NONE {
            return;
        }

        // Nobody but this takes the reason away, until the device is reset.
        let result = self.device.try_reset(|| {
            self.doing.store(wanted, Relaxed);
            self.wanted.store(NONE, Relaxed);
        });

        // Somebody may have queued it again before it was known to be under way.
        let want_again = |delay| {
            let _ = self.wanted.cmpxchg(NONE, wanted, Relaxed);
            work.postpone(delay);
        };
        match result {
            Ok(()) => {
                self.resets
                    .store(self.resets.load(Relaxed).wrapping_add(1), Relaxed);
                // If it is to be reset once more then that is done then.
                work.postpone(self.delay());
                self.count_failure();
            }
            // Whoever unbinds the driver waits for this to end.
            Err(NotReset::Locked) => want_again(msecs_to_jiffies(LOCKED_MS)),
            // It may come back, though it cannot say so; else somebody is about to unbind the driver.
            Err(NotReset::Gone) => {
                want_again(self.delay());
                self.count_failure();
            }
            Err(NotReset::Busy) => want_again(msecs_to_jiffies(HOLD_OFF_MS)),
            Err(NotReset::Failed(error)) => {
                self.messages.warn(fmt!(
                    "the device does not work after a reset: {error:?}; it is tried again"
                ));
                want_again(self.delay());
                self.count_failure();
            }
        }
        // Who queues it from now on does not have it done sooner.
        self.doing.store(NONE, Relaxed);
    }
}

impl Lines {
    /// Gets ready for the device to be reset.
    pub(crate) fn pause(&self) {
        let recovery = self.requests.recovery();

        // What changes until the device works again is not reported. It is found out afterwards, if it
        // is known what there was before: a device that works is asked.
        if !recovery.is_doing() {
            self.teller.note_levels();
            self.interrupts.fall_asleep();
        }
        recovery.set_state(State::Paused);
        self.requests.pause();
        self.teller.note_events();
    }

    /// The device was reset, and there is nothing that it still has.
    pub(crate) fn taken_down(&self) {
        self.teller.was_reset();
    }

    /// Brings a device that was reset to where it was.
    pub(crate) fn resume(&self) -> Result {
        let recovery = self.requests.recovery();
        recovery.forget();
        if !recovery.is_doing() {
            // The bus is not through with it.
            recovery.hold_off();
        }
        self.interrupts.wake_up();
        // If the device did not work then they were not.
        self.requests.pause();

        self.events.restarted();
        let restored = self.requests.restore()?;
        if let Some(line) = restored.first_refused {
            self.requests.messages().warn(fmt!(
                "line {line} and {} others: the device refuses to have them as they were",
                restored.refused.saturating_sub(1)
            ));
        }
        recovery.say(&restored);
        recovery.set_state(State::Running);
        recovery.is_restored();
        self.requests.resume();
        // A question for a level that was under way has no answer, and others wait for that.
        self.events.start_looking();
        self.teller.resume();
        self.teller.queue();
        Ok(())
    }

    /// Has requests fail as long as the device does not work.
    pub(crate) fn failed(&self) {
        let recovery = self.requests.recovery();

        recovery.set_state(State::Failed);
        self.interrupts.wake_up();
        self.requests.fail();
        // If the bus has reset it nobody else tries again.
        recovery.wanted(Reason::Failed);
    }
}
