// SPDX-License-Identifier: GPL-2.0

//! The command queue: slots, and the device's end of the ring.

use std::collections::VecDeque;

use crate::completion::{
    lock,
    wait,
    Completion, //
};
use gpio_virtio_logic::slots::{
    Access,
    Batch,
    Index,
    Refusal,
    Returned,
    Slot,
    Slots, //
};
use loom::sync::{
    Condvar,
    Mutex,
    MutexGuard, //
};

/// The buffer of a slot, whose number it has. There is no other one, as it cannot be copied.
#[derive(Debug)]
struct Buffer(usize);

/// A message that the device has.
#[derive(Debug)]
struct Sent {
    index: Index,
    buffer: Buffer,
    message: u32,
}

/// A mistake of who uses the slots, to see that the model would find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// A slot that comes back late is not given to those who have queued up.
    NobodyIsWokenWhenLate,
    /// A caller that goes away although it was promised a slot does not say so.
    PromiseIsKeptByNobody,
    /// Who gives up does not use up the signal that has come just now.
    OldSignalIsLeft,
    /// Who resets the device does not wake those who wait.
    NobodyIsWokenByReset,
    /// Who has asked for no interrupts does not look for replies once more at the end.
    NobodyLooksAtTheEnd,
}

/// Why a message has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The caller did not wait any more.
    GaveUp,
    /// The device was reset, or is going away.
    Lost,
    /// The device does not work.
    Failed,
}

/// Messages that were sent.
#[derive(Debug)]
struct Pending {
    batch: Batch,
    /// The caller is to look for the replies.
    looks: bool,
}

#[derive(Debug)]
struct State {
    /// What a slot is used for is a message. The reply to it is the same number.
    slots: Slots<Vec<Slot<Buffer, u32, u32>>>,
    ring: VecDeque<Sent>,
    /// What the device has answered, and nobody has seen yet.
    used: VecDeque<Sent>,
    /// Somebody looks for replies.
    has_looker: bool,
    /// The device was asked for no interrupts meanwhile.
    is_quiet: bool,
    /// The device goes away when it has nothing to do.
    is_over: bool,
    /// It was reset.
    was_reset: bool,
}

/// The queue, and all that is shared.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// Something was put on the ring, or all is over.
    kick: Condvar,
    /// By the number of a batch's first slot.
    done: Vec<Completion>,
    room: Completion,
    count: usize,
    /// Callers look for replies before they sleep.
    looks: bool,
    planted: Planted,
}

impl Queue {
    /// Makes one with so many slots, whose callers look for replies before they sleep, or do not.
    pub fn new(count: usize, looks: bool, planted: Planted) -> Self {
        let storage: Vec<_> = (0..count)
            .map(|number| Slot::new(Buffer(number), 0))
            .collect();

        Self {
            state: Mutex::new(State {
                slots: Slots::new(storage),
                ring: VecDeque::new(),
                used: VecDeque::new(),
                has_looker: false,
                is_quiet: false,
                is_over: false,
                was_reset: false,
            }),
            kick: Condvar::new(),
            done: (0..count).map(|_| Completion::default()).collect(),
            room: Completion::default(),
            count,
            looks,
            planted,
        }
    }

    fn has_planted(&self, planted: Planted) -> bool {
        self.planted == planted
    }

    fn wake_queued(&self, state: &mut State) {
        for _ in 0..state.slots.promise() {
            self.room.signal();
        }
    }

    /// Waits for a slot; see `lock_with_room()`.
    fn lock_with_room(&self, is_patient: bool) -> Result<MutexGuard<'_, State>, Failure> {
        let mut state = lock(&self.state);

        loop {
            match state.slots.refusal() {
                Some(Refusal::Closed) => return Err(Failure::Lost),
                Some(Refusal::Failed) => return Err(Failure::Failed),
                None if state.slots.room(Access::Open) > 0 => return Ok(state),
                None => (),
            }
            state.slots.queue_up();
            drop(state);
            if is_patient {
                self.room.wait();
                state = lock(&self.state);
                state.slots.redeem();
                continue;
            }

            // The time is over just now. Others may have their turn before or after that.
            state = lock(&self.state);
            let is_forgetful = self.has_planted(Planted::PromiseIsKeptByNobody);
            if !is_forgetful && self.room.try_wait() {
                state.slots.redeem();
            } else {
                state.slots.leave();
                return Err(Failure::GaveUp);
            }
        }
    }

    /// Sends a message, or as many of them as there is room for.
    fn send(&self, state: &mut State, access: Access, messages: &[u32]) -> Option<Pending> {
        let mut batch = None;

        for &message in messages {
            let Some((index, buffer)) = state.slots.begin(access) else {
                break;
            };
            assert_eq!(buffer.0, index.get(), "a buffer of another slot");
            assert!(
                state.ring.iter().all(|sent| sent.index != index),
                "two owners of a slot"
            );
            state.ring.push_back(Sent {
                index,
                buffer,
                message,
            });
            state.slots.add(&mut batch, index, message);
        }
        // One who looks is enough.
        let looks = self.looks && batch.is_some() && !state.has_looker;
        state.has_looker |= looks;
        state.is_quiet |= looks;
        self.kick.notify_all();
        batch.map(|batch| Pending { batch, looks })
    }

    /// Looks for the replies to a batch, and for those of all others; see `Pending::look()`. Returns
    /// whether they are there.
    fn look(&self, done: &Completion) -> bool {
        let mut state = lock(&self.state);
        if state.is_quiet {
            self.take(&mut state);
        }
        let is_there = done.try_wait();
        drop(state);

        let mut state = lock(&self.state);
        state.has_looker = false;
        self.end_look(&mut state);
        is_there || done.try_wait()
    }

    fn end_look(&self, state: &mut State) {
        if std::mem::take(&mut state.is_quiet) && !self.has_planted(Planted::NobodyLooksAtTheEnd) {
            self.take(state);
        }
    }

    /// Somebody who looks for no replies has the device interrupt again, to send it something that is
    /// answered by an interrupt.
    pub fn interrupt_again(&self) {
        self.end_look(&mut lock(&self.state));
    }

    /// Waits for the replies to a batch, and ends it. Who is not patient just looks whether they are
    /// there.
    fn wait(&self, sent: Pending, is_patient: bool, messages: &[u32]) -> Result<(), Failure> {
        let Pending { batch, looks } = sent;
        let done = &self.done[batch.first().get()];
        let is_done = match is_patient {
            _ if looks && self.look(done) => true,
            true => {
                done.wait();
                true
            }
            false => false,
        };

        let mut state = lock(&self.state);
        let is_done = is_done || {
            self.end_look(&mut state);
            !self.has_planted(Planted::OldSignalIsLeft) && done.try_wait()
        };
        let mut sent = messages.iter();
        let mut lost = 0;
        state.slots.finish(batch, |message, reply| {
            assert_eq!(Some(&message), sent.next(), "not what was sent");
            match reply {
                Some(reply) => assert_eq!(reply, message, "somebody else's reply"),
                None => lost += 1,
            }
        });
        self.wake_queued(&mut state);
        let is_closed = state.slots.refusal() == Some(Refusal::Closed);

        match (lost, is_done) {
            (0, _) => Ok(()),
            (_, false) => Err(Failure::GaveUp),
            (_, true) => {
                assert!(state.was_reset || is_closed, "woken without a reply");
                Err(Failure::Lost)
            }
        }
    }

    /// Sends messages and waits for the replies, or does not wait.
    ///
    /// # Errors
    ///
    /// There is no slot, or no reply.
    pub fn run(&self, is_patient: bool, messages: &[u32]) -> Result<(), Failure> {
        let mut left = messages;

        while !left.is_empty() {
            let mut state = self.lock_with_room(is_patient)?;
            let fits = state.slots.room(Access::Open).min(left.len());
            let (now, later) = left.split_at(fits);
            let sent = self.send(&mut state, Access::Open, now);
            drop(state);

            assert!(sent.is_some(), "there was room, but no slot");
            if let Some(sent) = sent {
                self.wait(sent, is_patient, now)?;
            }
            left = later;
        }
        Ok(())
    }

    fn slot_returned(&self, state: &mut State, index: Index, buffer: Buffer, reply: Option<u32>) {
        match state.slots.returned(index, buffer, reply) {
            Returned::Complete(_)
                if reply.is_none() && self.has_planted(Planted::NobodyIsWokenByReset) => {}
            Returned::Complete(first) => self.done[first.get()].signal(),
            Returned::Late if self.has_planted(Planted::NobodyIsWokenWhenLate) => (),
            Returned::Late => self.wake_queued(state),
            Returned::Part => (),
            stray @ Returned::Stray => assert_ne!(stray, Returned::Stray, "two buffers of a slot"),
        }
    }

    /// The device: answers one message after the other, until all is [over](Self::over).
    pub fn answer_all(&self) {
        loop {
            let mut state = lock(&self.state);
            while state.ring.is_empty() && !state.is_over {
                state = wait(&self.kick, state);
            }
            let Some(sent) = state.ring.pop_front() else {
                return;
            };
            assert_eq!(state.slots.asked(sent.index), Some(sent.message));
            let was_quiet = state.is_quiet;
            state.used.push_back(sent);
            drop(state);

            // It may have been asked for no interrupts since; then this is one too many.
            if !was_quiet {
                self.take(&mut lock(&self.state));
            }
        }
    }

    /// Takes what the device has answered.
    fn take(&self, state: &mut State) {
        while let Some(Sent {
            index,
            buffer,
            message,
        }) = state.used.pop_front()
        {
            self.slot_returned(state, index, buffer, Some(message));
        }
    }

    /// The device answers nothing more when it has answered what it has.
    pub fn over(&self) {
        lock(&self.state).is_over = true;
        self.kick.notify_all();
    }

    /// Resets the device, and then sends it a message, as to bring it to where it was; see `recovery.rs`.
    /// Returns whether the device works then.
    pub fn reset(&self, message: u32) -> bool {
        lock(&self.state).slots.pause();

        // The queue is detached, and no callback of it runs any more. What the device had comes back.
        let ring = {
            let mut state = lock(&self.state);
            state.was_reset = true;
            let mut all = std::mem::take(&mut state.used);
            all.append(&mut state.ring);
            all
        };
        for Sent { index, buffer, .. } in ring {
            self.slot_returned(&mut lock(&self.state), index, buffer, None);
        }

        let works = self.restore(message);
        let mut state = lock(&self.state);
        match works {
            true => state.slots.resume(),
            false => state.slots.fail(),
        }
        self.wake_queued(&mut state);
        works
    }

    fn restore(&self, message: u32) -> bool {
        let mut state = lock(&self.state);
        state.is_quiet = false;
        let sent = self.send(&mut state, Access::Restoring, &[message]);
        drop(state);

        // Those who were waited for are free when the ones who did have seen that.
        sent.is_some_and(|sent| self.wait(sent, true, &[message]).is_ok())
    }

    /// The device is going away; see `close()`.
    pub fn close(&self) {
        let mut state = lock(&self.state);

        state.slots.close();
        let waiting: Vec<Index> = state.slots.waiting().collect();
        for index in waiting {
            self.done[index.get()].signal();
        }
        drop(state);
        self.room.signal_for_ever();
    }

    /// Nobody uses the queue any more, and the device has nothing: all slots are free, and nobody waits
    /// for one or was promised one.
    pub fn check_end(&self) {
        let state = lock(&self.state);

        assert_eq!(state.slots.free_count(), self.count, "a slot was lost");
        assert_eq!(state.slots.waiting().count(), 0);
        assert!(!state.is_quiet && !state.has_looker);
        assert!(state.used.is_empty(), "replies are left");
        if state.slots.refusal().is_none() {
            let room = state.slots.room(Access::Open);
            assert_eq!(room, self.count, "a promise is left");
        }
    }
}
