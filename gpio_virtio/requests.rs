// SPDX-License-Identifier: GPL-2.0

//! Sends commands to the device and waits for its replies.
//!
//! Each message has a slot of its own: a buffer with room for the message and for the reply to it.
//! The buffer itself says which slot it belongs to, so replies may come in any order. The slots are
//! made when the device is probed; to send a message allocates nothing.
//!
//! Messages that are sent together are a batch: the device is notified once, and who waits is woken
//! once, when all replies are there. A single command is a batch too.

use crate::{
    abstractions::{
        completion::{
            Completion,
            Deadline,
            Wait, //
        },
        spin::{
            Look,
            Sight, //
        },
        virtio::{
            Block,
            Buffer,
            LockedQueue,
            Peek,
            Queue, //
        },
    },
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    commands::{
        self,
        Asked,
        Commands,
        Looker,
        Purpose,
        Reply, //
    },
    identity,
    interrupts::Interrupts,
    line_states::{
        LineState,
        Part,
        Restored, //
    },
    message::Message,
    messages::Messages,
    protocol::Protocol,
    recovery::{
        Recovery,
        State, //
    },
    request_counts::RequestCounts,
    slots::{
        Access,
        Batch,
        Index,
        Refusal,
        Slot,
        Slots,
        MAX_SLOTS, //
    },
    spinning::Spinning,
    tracing, //
};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    device, fmt,
    prelude::*,
    static_lock_class,
    sync::Arc,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta,
        Jiffies, //
    },
};

/// How many messages one command about a line has at the most.
const SLOTS_FOR_A_LINE: usize = 2;

/// So many slots are worth their memory however few the lines are: several tasks can use one.
const MIN_SLOTS: usize = 16;

/// One of so many slots, and one at least, is left to others by a call that could use them all.
const RESERVED: usize = 8;

/// How long a device that was reset has for each batch of what it is told again, in milliseconds, unless
/// the limit of a request is less.
const RESTORE_MS: u32 = 1000;

/// How long it has for everything, in milliseconds.
const RESTORE_ALL_MS: u32 = 10_000;

/// How long others have to give their slots back, before it is looked again.
const A_MOMENT: Delta = Delta::from_millis(1);

/// So many lines are restored together.
const CHUNK: usize = 64;

/// Why a command has no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// The device replied, but not with an answer.
    Refused(Error),
    /// The device refused the first part of the command, and has done the second.
    Half(Error),
    /// There is no reply: the device is dead or gone, or the caller does not wait any more.
    Lost(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Half(error) | Failure::Lost(error) => error,
        }
    }
}

impl From<ReplyError> for Error {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Refused(errno) => Error::from_errno(-errno),
            error if error.is_violation() => EPROTO,
            _ => EIO,
        }
    }
}

/// What a command brings about, or why it does not.
pub(crate) type Outcome = core::result::Result<Answer, Failure>;

/// What a reply says, or what is wrong with it.
pub(crate) type CheckedReply = core::result::Result<Answer, ReplyError>;

/// What there is to say about the requests of a device at some time.
pub(crate) struct Snapshot {
    /// What the device is for them, in a word.
    pub(crate) state: &'static str,
    /// How often the device was reset and set up again.
    pub(crate) resets: u64,
    pub(crate) slots: usize,
    pub(crate) free_slots: usize,
    pub(crate) counts: RequestCounts,
}

/// Sends commands about the lines of one device.
pub(crate) struct Requests {
    protocol: Protocol,
    queue: Arc<Queue<Commands>>,
    /// Who waits for a slot waits here.
    room: Arc<Completion>,
    /// How long a caller waits for its reply.
    limit: Jiffies,
    spinning: Spinning,
    messages: Arc<Messages>,
    recovery: Arc<Recovery>,
}

impl Requests {
    /// Makes the requests of a device, without any slots yet.
    ///
    /// A caller waits `limit_ms` milliseconds at most, and does not sleep for the first `spin_us`
    /// microseconds of that, if there is nothing else to do.
    pub(crate) fn new(
        dev: &device::Device,
        protocol: Protocol,
        limit_ms: u32,
        spin_us: u32,
        interrupts: Arc<Interrupts>,
        recovery: Arc<Recovery>,
    ) -> Result<Arc<Self>> {
        let room = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let messages = Messages::new(dev)?;
        let commands = Commands::new(
            protocol,
            room.clone(),
            interrupts,
            messages.clone(),
            recovery.clone(),
        );
        let queue = Arc::pin_init(
            Queue::new(commands, c"gpio_virtio::Commands", static_lock_class!()),
            GFP_KERNEL,
        )?;

        Ok(Arc::new(
            Self {
                protocol,
                queue,
                room,
                // A wait of no time at all would not be a wait.
                limit: msecs_to_jiffies(limit_ms).max(1),
                spinning: Spinning::new(spin_us),
                messages,
                recovery,
            },
            GFP_KERNEL,
        )?)
    }

    /// For messages about requests.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// What is done if the device does not answer them.
    pub(crate) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// The queue that the requests are sent on.
    pub(crate) fn queue(&self) -> &Arc<Queue<Commands>> {
        &self.queue
    }

    /// What there is to say at this moment.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let queue = self.queue.lock();

        Snapshot {
            state: match (queue.slots.refusal(), self.recovery.state()) {
                (Some(Refusal::Closed), _) => "removed",
                (_, State::Running) => "running",
                (_, State::Paused) if self.recovery.is_doing() => "recovering",
                (_, State::Paused) => "suspended",
                (_, State::Failed) => "failed",
            },
            resets: self.recovery.resets(),
            slots: queue.slots.count(),
            free_slots: queue.slots.free_count(),
            counts: queue.counts,
        }
    }

    /// Makes the slots for a device with so many lines, if the queue has room for them beside a buffer
    /// for checks, where there are checks. To be called once, when it is attached.
    ///
    /// [`ENOSPC`] if the queue has no room for any. Returns the number of slots.
    pub(crate) fn make_slots(&self, lines: u16) -> Result<usize> {
        let capacity = self.queue.lock().capacity();
        if capacity == 0 {
            return Err(ENOSPC);
        }
        let for_checks = usize::from(self.protocol.has_checks());
        let count = (usize::from(lines) * SLOTS_FOR_A_LINE)
            .clamp(MIN_SLOTS, MAX_SLOTS)
            .min((capacity - for_checks).max(1));

        let reply_size = self.protocol.reply_size();
        let mut storage = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut completions = KVec::with_capacity(count, GFP_KERNEL)?;
        for index in Index::all(count) {
            let buffer = Buffer::with_shown(reply_size, Purpose::Request(index), GFP_KERNEL)?;
            storage.push(Slot::new(buffer, Asked::NOTHING), GFP_KERNEL)?;
            completions.push(Arc::pin_init(Completion::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let check_buffer = match for_checks > 0 && capacity > count {
            true => Some(Buffer::with_shown(reply_size, Purpose::Check, GFP_KERNEL)?),
            false => None,
        };

        let line_states = KVVec::from_elem(LineState::UNUSED, usize::from(lines), GFP_KERNEL)?;

        let mut queue = self.queue.lock();
        queue.line_states = line_states;
        queue.has_check_buffer = check_buffer.is_some();
        queue.check_buffer = check_buffer;
        queue.slots = Slots::new(storage);
        queue.done = completions;
        Ok(count)
    }

    /// Gives `command` for a line and waits until the device has done it.
    ///
    /// # Errors
    ///
    /// - the device's own errno, or [`EIO`] if it sent a number that is none, or cannot send one;
    /// - [`EPROTO`] if the reply breaks the protocol;
    /// - [`ETIMEDOUT`] if there is no reply, or no slot, within the time limit;
    /// - [`EINTR`] if the task is being killed, unless the command must be done all the same;
    /// - [`ENODEV`] if the device is going away;
    /// - [`EIO`] if the device is reset before it has answered, does not work after a reset, or has
    ///   broken the queue; or [`ENOMEM`] if the device's memory cannot be mapped.
    pub(crate) fn run(&self, command: Command, line: u16) -> Result<Answer> {
        Ok(self.send_and_wait(command, line)?)
    }

    /// As [`Requests::run`], but says whether an error is the device's.
    pub(crate) fn send_and_wait(&self, command: Command, line: u16) -> Outcome {
        let mut last = None;
        let all = self.run_all(&mut core::iter::once((command, line)), &mut |_, reply| {
            last = reply.ok();
        });

        match (all, last) {
            (Ok(()), last) => Ok(last.unwrap_or(Answer::Done)),
            // It was not the last part that the device has refused.
            (Err(Failure::Refused(error)), Some(_)) => Err(Failure::Half(error)),
            (Err(failure), _) => Err(failure),
        }
    }

    /// Gives commands about lines and waits until the device has done them: all at once, or as many at
    /// a time as there is room for.
    ///
    /// `each` gets the reply to each message, in order. It is called with interrupts off, so it has to
    /// be short.
    ///
    /// If the device refuses some, the others are done all the same, but for one of two parts that is not
    /// sent yet. The error is that of the first one it has refused. Once a reply is lost nothing more is
    /// sent.
    pub(crate) fn run_all(
        &self,
        commands: &mut dyn Iterator<Item = (Command, u16)>,
        each: &mut dyn FnMut(u16, CheckedReply),
    ) -> core::result::Result<(), Failure> {
        self.run_all_as(Access::Open, commands, each)
    }

    fn run_all_as(
        &self,
        access: Access,
        commands: &mut dyn Iterator<Item = (Command, u16)>,
        each: &mut dyn FnMut(u16, CheckedReply),
    ) -> core::result::Result<(), Failure> {
        let mut refused = None;
        let mut last_refused = None;
        let mut refusals = 0;
        let mut parts = Parts {
            protocol: self.protocol,
            commands,
            second: None,
        };
        let mut next = parts.next();

        while let Some((asked, _)) = next {
            // Not what depends on something that was refused.
            if asked.part == Part::Second && last_refused == Some(asked.line) {
                next = parts.next();
                continue;
            }
            let pending = self.send(access, &mut next, &mut parts)?;
            pending.wait(&mut |asked, reply| {
                if let Err(error) = reply {
                    last_refused = Some(asked.line);
                    refusals += 1;
                    refused.get_or_insert((asked, error));
                }
                each(asked.line, reply);
            })?;
        }

        match refused {
            Some((asked, error)) => Err(Failure::Refused(self.refused(asked, error, refusals))),
            None => Ok(()),
        }
    }

    /// Asks for the names of all lines, which are a block of `size` bytes. If that cannot be done there
    /// is a message.
    ///
    /// Whoever asks has a slot until the answer is waited for.
    pub(crate) fn ask_names(&self, dev: &device::Device, size: usize) -> Option<PendingNames<'_>> {
        self.send_for_names(size)
            .inspect_err(|error| identity::names_not_used(dev, fmt!("{error:?}")))
            .ok()
    }

    fn send_for_names(&self, size: usize) -> Result<PendingNames<'_>> {
        let message = self.protocol.names_message().ok_or(EINVAL)?;
        let block_size = size.checked_add(1).ok_or(EINVAL)?;
        // A large one may not be had in one piece, and that is no reason to warn.
        let block = Block::new(block_size, GFP_KERNEL | __GFP_NOWARN)?;
        let asked = Asked::NOTHING;
        let access = Access::Open;
        let patience = self.patience(access, asked);

        let mut queue = self.lock_with_room(access, asked, patience)?;
        let mut batch = None;
        commands::submit(&mut queue, access, &mut batch, asked, message, Some(block))?;
        let pending = self.pending(queue, batch, patience, false)?;

        Ok(PendingNames { pending, size })
    }

    /// How long one waits for what begins now.
    fn patience(&self, access: Access, asked: Asked) -> Patience {
        match access {
            Access::Open => Patience {
                deadline: Deadline::after(self.limit),
                is_killable: !asked.command.must_be_done(),
            },
            // Whoever unbinds the driver waits for this.
            Access::Restoring => Patience {
                deadline: Deadline::after(self.limit.min(msecs_to_jiffies(RESTORE_MS))),
                is_killable: false,
            },
        }
    }

    /// Locks the queue when there is room for a message, at least for one.
    fn lock_with_room(
        &self,
        access: Access,
        asked: Asked,
        patience: Patience,
    ) -> core::result::Result<LockedQueue<'_, Commands>, Failure> {
        let mut queue = self.queue.lock();

        loop {
            match queue.slots.refusal() {
                Some(Refusal::Closed) => return Err(Failure::Lost(ENODEV)),
                Some(Refusal::Failed) => return Err(Failure::Lost(EIO)),
                None if queue.slots.room(access) > 0 => return Ok(queue),
                None => (),
            }
            if access == Access::Restoring {
                // Those whose replies were lost in the reset have yet to give their slots back.
                drop(queue);
                if patience.deadline.is_over() {
                    return Err(Failure::Lost(EIO));
                }
                fsleep(A_MOMENT);
                queue = self.queue.lock();
                continue;
            }
            queue.slots.queue_up();
            drop(queue);
            let wait = patience.wait_for(&self.room);

            queue = self.queue.lock();
            // Whatever ended the wait, a slot that was promised meanwhile counts.
            if wait == Wait::Done || self.room.try_wait() {
                // Nobody else has what was promised: that is this one's, unless the slots were paused since.
                queue.slots.redeem();
            } else {
                queue.slots.leave();
                drop(queue);
                return Err(Failure::Lost(match wait {
                    Wait::TimedOut => self.timed_out("there was no room for", asked),
                    Wait::Done | Wait::Killed => EINTR,
                }));
            }
        }
    }

    /// Sends messages, as many as there is room for, but one at least. Their replies are to be waited
    /// for. `next` is the first of them, and then the one that comes after them.
    fn send(
        &self,
        access: Access,
        next: &mut Option<(Asked, Message)>,
        parts: &mut Parts<'_>,
    ) -> core::result::Result<Pending<'_>, Failure> {
        let asked = next.map_or(Asked::NOTHING, |(asked, _)| asked);
        let patience = self.patience(access, asked);
        let mut queue = self.lock_with_room(access, asked, patience)?;
        let mut batch = None;

        // One batch must not have all slots: while it waits for a reply that does not come, others go
        // on.
        let mut most = match queue.slots.count() {
            count @ 0..=2 => count,
            count => count - (count / RESERVED).max(1),
        };

        while let Some((asked, message)) = *next {
            if most == 0 {
                break;
            }
            most -= 1;
            match commands::submit(&mut queue, access, &mut batch, asked, message, None) {
                Ok(true) => *next = parts.next(),
                Ok(false) => break,
                // What was sent before is waited for. Then this one is tried again.
                Err(_) if batch.is_some() => break,
                Err(error) => return Err(Failure::Lost(error)),
            }
        }
        self.pending(queue, batch, patience, true)
    }

    /// Tells the device about a batch. If the caller is going to wait at once it may look for the replies.
    fn pending<'a>(
        &'a self,
        mut queue: LockedQueue<'a, Commands>,
        batch: Option<Batch>,
        patience: Patience,
        at_once: bool,
    ) -> core::result::Result<Pending<'a>, Failure> {
        let done = batch
            .as_ref()
            .and_then(|batch| queue.done.get(batch.first().get()))
            .cloned();
        // There is one, unless the queue is closed.
        let Some(done) = done else {
            queue.notify();
            return Err(Failure::Lost(ENODEV));
        };

        let turn = match at_once && Looker::may_begin(&queue) {
            true => self.spinning.next(),
            false => None,
        };
        let looker = turn.map(|turn| Looker::begin(&mut queue, turn));
        queue.notify();

        Ok(Pending {
            requests: self,
            batch,
            done,
            patience,
            looker,
        })
    }

    /// Counts what is rare.
    fn count(&self, count: impl FnOnce(&mut RequestCounts)) {
        count(&mut self.queue.lock().counts);
    }

    fn timed_out(&self, what: &str, asked: Asked) -> Error {
        let Asked { command, line, .. } = asked;

        self.count(|counts| counts.time_outs += 1);
        self.messages
            .warn(fmt!("line {line}: {what} {command:?} in time"));
        self.recovery.timed_out();
        ETIMEDOUT
    }

    /// What replies that carry no answer mean to the caller: the first one of them is to `asked`, and
    /// there are `count`.
    fn refused(&self, asked: Asked, error: ReplyError, count: usize) -> Error {
        let Asked { command, line, .. } = asked;

        match error {
            ReplyError::Refused(_) | ReplyError::Failed => return error.into(),
            _ => (),
        }
        match count {
            1 => self
                .messages
                .warn(fmt!("line {line}: {command:?}: {error}")),
            _ => self.messages.warn(fmt!(
                "line {line}: {command:?}: {error}; and {} more",
                count - 1
            )),
        }
        error.into()
    }

    /// Has new requests wait, as the device is about to be reset. Those that it has are given up when it
    /// [is](crate::abstractions::virtio::Handler::taken_back).
    pub(crate) fn pause(&self) {
        self.queue.lock().slots.pause();
    }

    /// Lets requests begin again, those first that have waited.
    pub(crate) fn resume(&self) {
        let mut queue = self.queue.lock();

        queue.slots.resume();
        queue.wake_queued();
    }

    /// Has requests fail at once, as the device does not work.
    pub(crate) fn fail(&self) {
        let mut queue = self.queue.lock();

        queue.slots.fail();
        queue.wake_queued();
    }

    /// Tells a device that was reset what it knew of its lines. To be called while requests are
    /// [paused](Self::pause).
    ///
    /// Lines that the device refuses to have as they were stay as they are: there is a message. The error
    /// is that of a device that does not answer.
    pub(crate) fn restore(&self) -> Result<Restored> {
        let mut restored = Restored::default();
        let deadline = Deadline::after(msecs_to_jiffies(RESTORE_ALL_MS));
        let mut first = 0;

        while let Some(states) = self.states_to_restore(first) {
            let lines = || (first..=u16::MAX).zip(&states);
            let mut refused = [false; CHUNK];
            let mut half = [false; CHUNK];

            // What is to be done with a line may need it to be requested.
            self.restore_some(
                deadline,
                &mut lines().filter_map(|(line, state)| Some((state.restore()[0]?, line))),
                &mut |line, reply| {
                    if reply.is_err() {
                        restored.note(line, false);
                        mark(&mut refused, line - first);
                    }
                },
            )?;
            self.restore_some(
                deadline,
                &mut lines()
                    .zip(&refused)
                    .filter(|(_, is_refused)| !**is_refused)
                    .filter_map(|((line, state), _)| Some((state.restore()[1]?, line))),
                &mut |line, reply| {
                    if restored.note(line, reply.is_ok()) {
                        mark(&mut half, line - first);
                    }
                },
            )?;
            // They must not drive levels that nobody has asked for.
            self.restore_some(
                deadline,
                &mut lines()
                    .zip(&half)
                    .filter(|(_, is_half)| **is_half)
                    .map(|((line, _), _)| (Command::DirectionInput, line)),
                &mut |_, _| (),
            )?;

            // CAST: It is a few.
            let Some(next) = first.checked_add(CHUNK as u16) else {
                break;
            };
            first = next;
        }
        Ok(restored)
    }

    fn restore_some(
        &self,
        deadline: Deadline,
        commands: &mut dyn Iterator<Item = (Command, u16)>,
        each: &mut dyn FnMut(u16, CheckedReply),
    ) -> Result {
        let result = self.run_all_as(
            Access::Restoring,
            &mut commands.take_while(|_| !deadline.is_over()),
            each,
        );

        match result {
            _ if deadline.is_over() => Err(ETIMEDOUT),
            Ok(()) | Err(Failure::Refused(_) | Failure::Half(_)) => Ok(()),
            Err(Failure::Lost(error)) => Err(error),
        }
    }

    /// What is known of the lines from `first` on, of as many as are restored together; `None` if there are
    /// no such lines.
    fn states_to_restore(&self, first: u16) -> Option<[LineState; CHUNK]> {
        let mut queue = self.queue.lock();
        let Commands {
            line_states,
            interrupts,
            ..
        } = &mut *queue;
        let states = line_states.get_mut(usize::from(first)..)?;
        if states.is_empty() {
            return None;
        }

        let mut copies = [LineState::UNUSED; CHUNK];
        for ((line, state), copy) in (first..=u16::MAX).zip(states).zip(&mut copies) {
            // What was given back while the device did not answer has nobody who could say so again.
            if self.protocol.has_free() && !interrupts.is_in_use(line) {
                *state = LineState::UNUSED;
            }
            *copy = *state;
        }
        Some(copies)
    }

    /// Forgets what a line is, as nobody uses it any more, and the device could not be told so.
    pub(crate) fn forget_line(&self, line: u16) {
        let mut queue = self.queue.lock();

        if let (true, Some(state)) = (
            self.protocol.has_free(),
            queue.line_states.get_mut(usize::from(line)),
        ) {
            *state = LineState::UNUSED;
        }
    }

    fn is_closed(&self) -> bool {
        self.queue.lock().slots.refusal() == Some(Refusal::Closed)
    }

    /// Ends all waits with [`ENODEV`], those to come included.
    ///
    /// Slots stay the device's as long as it has their buffers.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();

        queue.slots.close();
        for index in queue.slots.waiting() {
            if let Some(done) = queue.done.get(index.get()) {
                done.signal();
            }
        }
        drop(queue);

        self.room.signal_for_ever();
    }
}

/// Marks one of the lines that are restored together.
fn mark(lines: &mut [bool; CHUNK], offset: u16) {
    if let Some(line) = lines.get_mut(usize::from(offset)) {
        *line = true;
    }
}

/// The messages of commands, one after the other.
struct Parts<'a> {
    protocol: Protocol,
    commands: &'a mut dyn Iterator<Item = (Command, u16)>,
    /// The second one of a command that has two.
    second: Option<(Asked, Message)>,
}

impl Parts<'_> {
    fn next(&mut self) -> Option<(Asked, Message)> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        // A command that the protocol does without is done.
        loop {
            let (command, line) = self.commands.next()?;
            let [first, second] = self.protocol.messages(command, line);
            let asked = |part| Asked {
                command,
                line,
                part,
            };

            if let Some(first) = first {
                let part = match second {
                    Some(_) => Part::First,
                    None => Part::Whole,
                };
                self.second = second.map(|second| (asked(Part::Second), second));
                return Some((asked(part), first));
            }
        }
    }
}

/// How long, and how, one waits.
#[derive(Clone, Copy)]
struct Patience {
    deadline: Deadline,
    is_killable: bool,
}

impl Patience {
    fn wait_for(self, signal: &Completion) -> Wait {
        match self.is_killable {
            true => signal.wait_killable(self.deadline),
            false => signal.wait_until(self.deadline),
        }
    }
}

/// Messages that were sent, and whose replies nobody has waited for yet.
///
/// If it is dropped without a wait its slots are given up.
struct Pending<'a> {
    requests: &'a Requests,
    /// The slots; `None` when this has given them back or up.
    batch: Option<Batch>,
    /// Signalled when all replies are there, or will not come.
    done: Arc<Completion>,
    patience: Patience,
    /// The caller is to look for the replies before he sleeps.
    looker: Option<Looker<'a>>,
}

impl<'a> Pending<'a> {
    /// Waits for the replies, and checks them; see [`Requests::run_all`].
    fn wait(self, each: &mut dyn FnMut(Asked, CheckedReply)) -> core::result::Result<(), Failure> {
        let requests = self.requests;
        let mut lost = None;
        let mut wrong = RequestCounts::default();

        let wait = self.wait_for_replies(&mut |asked, reply| match reply {
            Some(Reply { raw, written }) => {
                let Asked { command, line, .. } = asked;
                let protocol = requests.protocol;
                // CAST: `usize` has 32 bits at least.
                let checked = protocol.check_reply(command, line, written as usize, raw);
                if let Err(error) = checked {
                    wrong.note(error);
                }
                each(asked, checked);
            }
            None => {
                lost.get_or_insert(asked);
            }
        });

        if wrong != RequestCounts::default() {
            requests.count(|counts| counts.add(wrong));
        }
        let Some(asked) = lost else {
            requests.recovery.answered();
            return Ok(());
        };
        Err(Failure::Lost(match wait {
            // The device goes away, or was reset.
            Wait::Done if requests.is_closed() => ENODEV,
            Wait::Done => EIO,
            Wait::TimedOut => requests.timed_out("the device did not answer", asked),
            Wait::Killed => EINTR,
        }))
    }

    /// Waits for the replies, and returns what has ended the wait. `each` gets those that are there,
    /// whatever it was.
    fn wait_for_replies(mut self, each: &mut dyn FnMut(Asked, Option<Reply>)) -> Wait {
        if let Some(mut queue) = self.look() {
            self.finish(&mut queue, each);
            return Wait::Done;
        }
        let wait = self.patience.wait_for(&self.done);

        let mut queue = self.requests.queue.lock();
        let wait = match wait {
            Wait::Done => wait,
            _ => {
                // Whoever looks for replies may have been kept from it all the time.
                commands::end_look(&mut queue);
                // If the signal has come just now, it is not for the next one who uses the slot.
                match self.done.try_wait() {
                    true => Wait::Done,
                    false => wait,
                }
            }
        };
        self.finish(&mut queue, each);
        wait
    }

    /// Looks for the replies, if that is worth while. If they are there the queue is returned, locked.
    fn look(&mut self) -> Option<LockedQueue<'a, Commands>> {
        let Looker { mut peek, turn } = self.looker.take()?;
        let requests = self.requests;
        let done = &self.done;

        let found = turn.spinner.look(turn.limit, || {
            if !peek.as_ref().is_some_and(Peek::has_some) {
                return match done.try_wait() {
                    true => Sight::All(requests.queue.lock()),
                    false => Sight::Nothing,
                };
            }
            let mut queue = requests.queue.lock();
            let is_more = commands::look(&mut queue, &mut peek);
            match done.try_wait() {
                true => Sight::All(queue),
                false if is_more => Sight::More,
                false => Sight::Nothing,
            }
        });

        let (mut queue, is_found, is_in_vain) = match found {
            Look::Found(queue) => (queue, true, false),
            Look::TimedOut => (requests.queue.lock(), false, true),
            Look::Wanted => (requests.queue.lock(), false, false),
        };
        Looker::end(&mut queue);
        // They may have come just now.
        let is_found = is_found || done.try_wait();
        if is_found || is_in_vain {
            requests.spinning.learn(is_found);
        }
        is_found.then_some(queue)
    }

    /// Takes the replies that are there, and gives the slots back or up.
    fn finish(
        &mut self,
        queue: &mut LockedQueue<'_, Commands>,
        each: &mut dyn FnMut(Asked, Option<Reply>),
    ) {
        if let Some(batch) = self.batch.take() {
            queue.slots.finish(batch, each);
            queue.wake_queued();
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if self.batch.is_some() {
            let mut queue = self.requests.queue.lock();

            if self.looker.is_some() {
                Looker::end(&mut queue);
            }
            // It is not for the next one who uses the slot.
            self.done.try_wait();
            self.finish(&mut queue, &mut |_, _| ());
        }
    }
}

/// The question for the names of all lines, on its way.
pub(crate) struct PendingNames<'a> {
    pending: Pending<'a>,
    size: usize,
}

impl PendingNames<'_> {
    /// Waits for the block of names. If it cannot be had there is a message.
    pub(crate) fn wait(self) -> Option<KVVec<u8>> {
        let Self { pending, size } = self;
        let requests = pending.requests;
        let warn = |why: fmt::Arguments<'_>| {
            requests.messages.warn(fmt!(
                "the device does not tell the names of the lines: {why}"
            ));
        };

        let mut answer = None;
        let wait = pending.wait_for_replies(&mut |_, reply| answer = reply);
        let Some(Reply { written, .. }) = answer else {
            if wait == Wait::TimedOut {
                requests.count(|counts| counts.time_outs += 1);
            }
            warn(fmt!("no answer"));
            return None;
        };
        // There is one question of this kind, when the device is probed.
        let block = requests.queue.lock().block.take();
        let mut block = block?
            .into_copy()
            .inspect_err(|error| warn(fmt!("{error:?}")))
            .ok()?;
        // There is at least the status.
        let status = *block.first()?;
        let checked = requests
            .protocol
            .check_names(written as usize, status, size);
        let dev = requests.messages.device();
        tracing::named(dev, requests.protocol, written, checked);
        if let Err(error) = checked {
            requests.count(|counts| counts.note(error));
            warn(fmt!("{error}"));
            return None;
        }
        block.remove(0).ok()?;
        Some(block)
    }
}
