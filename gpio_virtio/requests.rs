// SPDX-License-Identifier: GPL-2.0

//! Sends commands to the device and waits for its replies.
//!
//! Each request has a slot of its own: a buffer with room for the message and for the reply to it,
//! and a completion to wait on. The buffer itself says which slot it belongs to, so replies may come
//! in any order. The slots are made when the device is probed; to send a request allocates nothing.

use crate::{
    abstractions::{
        completion::{
            Completion,
            Deadline,
            Wait, //
        },
        virtio::{
            Block,
            Buffer,
            LockedQueue,
            Queue, //
        },
    },
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    commands::{
        Commands,
        Purpose,
        Reply, //
    },
    identity,
    interrupts::Interrupts,
    message::Message,
    messages::Messages,
    protocol::Protocol,
    slots::{
        Index,
        Slot,
        Slots,
        MAX_SLOTS, //
    },
};
use core::ops::ControlFlow;
use kernel::{
    alloc::flags::__GFP_NOWARN,
    device, fmt,
    prelude::*,
    static_lock_class,
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
};

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

/// What a command brings about, or why it does not.
pub(crate) type Outcome = core::result::Result<Answer, Failure>;

/// Sends commands about the lines of one device.
pub(crate) struct Requests {
    protocol: Protocol,
    queue: Arc<Queue<Commands>>,
    /// Counts the free slots: who waits for one waits here.
    free: Arc<Completion>,
    /// How long a caller waits for its reply.
    limit: Jiffies,
    messages: Arc<Messages>,
}

impl Requests {
    /// Makes the requests of a device, without any slots yet.
    ///
    /// A caller waits `limit_ms` milliseconds at most.
    pub(crate) fn new(
        dev: &device::Device,
        protocol: Protocol,
        limit_ms: u32,
        interrupts: Arc<Interrupts>,
    ) -> Result<Arc<Self>> {
        let free = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let messages = Messages::new(dev)?;
        let commands = Commands::new(protocol, free.clone(), interrupts, messages.clone());
        let queue = Arc::pin_init(
            Queue::new(commands, c"gpio_virtio::Commands", static_lock_class!()),
            GFP_KERNEL,
        )?;

        Ok(Arc::new(
            Self {
                protocol,
                queue,
                free,
                // A wait of no time at all would not be a wait.
                limit: msecs_to_jiffies(limit_ms).max(1),
                messages,
            },
            GFP_KERNEL,
        )?)
    }

    /// For messages about requests.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// The queue that the requests are sent on.
    pub(crate) fn queue(&self) -> &Arc<Queue<Commands>> {
        &self.queue
    }

    /// Makes as many slots as the queue has room for, beside a buffer for checks. To be called once, when it is attached.
    ///
    /// [`ENOSPC`] if the queue has no room for any. Returns the number of slots.
    pub(crate) fn make_slots(&self) -> Result<usize> {
        let capacity = self.queue.lock().capacity();
        if capacity == 0 {
            return Err(ENOSPC);
        }
        // One buffer is for checks.
        let count = (capacity - 1).clamp(1, MAX_SLOTS);

        let reply_size = self.protocol.reply_size();
        let mut storage = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut completions = KVec::with_capacity(count, GFP_KERNEL)?;
        for index in Index::all(count) {
            let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
            let purpose = Purpose::Request {
                index,
                done: done.clone(),
            };
            let buffer = Buffer::with_shown(reply_size, purpose, GFP_KERNEL)?;
            storage.push(Slot::Free(buffer), GFP_KERNEL)?;
            completions.push(done, GFP_KERNEL)?;
        }
        let check_buffer = match capacity > count {
            true => Some(Buffer::with_shown(reply_size, Purpose::Check, GFP_KERNEL)?),
            false => None,
        };

        let mut queue = self.queue.lock();
        queue.check_buffer = check_buffer;
        queue.slots = Slots::new(storage);
        queue.done = completions;
        drop(queue);

        for _ in 0..count {
            self.free.signal();
        }
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
    /// - [`EIO`] if the queue is broken, or [`ENOMEM`] if the device's memory cannot be mapped.
    pub(crate) fn run(&self, command: Command, line: u16) -> Result<Answer> {
        Ok(self.send_and_wait(command, line)?)
    }

    /// As [`Requests::run`], but says whether an error is the device's.
    pub(crate) fn send_and_wait(&self, command: Command, line: u16) -> Outcome {
        let about = self.about(command, line);

        match self.protocol.messages(command, line) {
            [None, _] => Ok(Answer::Done),
            [Some(message), None] => self.send(message, about)?.wait(),
            [Some(first), Some(second)] => self.send_both_and_wait(first, second, about),
        }
    }

    /// Gives a command that has two parts, both at once if there is room.
    fn send_both_and_wait(&self, first: Message, second: Message, about: About<'_>) -> Outcome {
        self.take_slot(about)?;
        // Not one after the other while the first is kept: all may be kept by those who do so.
        if !self.free.try_wait() {
            let mut queue = self.queue.lock();
            let first = self.submit(&mut queue, first, about);
            queue.notify();
            first?.wait()?;
            return self.send(second, about)?.wait();
        }

        let mut queue = self.queue.lock();
        let first = self.submit(&mut queue, first, about);
        if first.is_err() {
            self.free.signal();
            return first.and_then(Pending::wait);
        }
        let second = self.submit(&mut queue, second, about);
        queue.notify();

        let outcomes = (
            first.and_then(Pending::wait),
            second.and_then(Pending::wait),
        );
        match outcomes {
            (Err(Failure::Refused(error)), Ok(_)) => Err(Failure::Half(error)),
            (Err(failure), _) => Err(failure),
            (Ok(_), second) => second,
        }
    }

    /// Gives `command` for each of the lines below `lines`, at most `room` at a time. It has to be
    /// one that is sent in one message.
    ///
    /// `each` gets the outcome for each line, in order, and may break off with an error, which is
    /// then returned.
    pub(crate) fn run_for_all(
        &self,
        command: Command,
        lines: u16,
        room: usize,
        mut each: impl FnMut(Outcome) -> ControlFlow<Error>,
    ) -> Result {
        let mut batch = KVec::with_capacity(room.min(usize::from(lines)), GFP_KERNEL)?;
        let mut next = 0;

        while next < lines {
            while next < lines && batch.len() < batch.capacity() {
                let [Some(message), None] = self.protocol.messages(command, next) else {
                    return Err(EINVAL);
                };
                batch.push(self.send(message, self.about(command, next))?, GFP_KERNEL)?;
                next += 1;
            }
            for pending in batch.drain_all() {
                if let ControlFlow::Break(error) = each(pending.wait()) {
                    return Err(error);
                }
            }
        }
        Ok(())
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
        // It is about all lines, in fact.
        let about = self.about(Command::Request, 0);

        self.take_slot(about)?;
        let mut queue = self.queue.lock();
        let pending = self.submit_with(&mut queue, message, Some(block), about);
        queue.notify();

        Ok(PendingNames {
            pending: pending?,
            size,
        })
    }

    /// What a request is about that begins now.
    fn about(&self, command: Command, line: u16) -> About<'_> {
        About {
            requests: self,
            command,
            line,
            deadline: Deadline::after(self.limit),
        }
    }

    /// Waits for a free slot.
    fn take_slot(&self, about: About<'_>) -> core::result::Result<(), Failure> {
        match about.wait_for(&self.free) {
            Wait::Done => Ok(()),
            Wait::TimedOut => Err(Failure::Lost(about.timed_out("there was no room for"))),
            Wait::Killed => Err(Failure::Lost(EINTR)),
        }
    }

    /// Sends a message; its reply is to be waited for.
    fn send<'a>(
        &'a self,
        message: Message,
        about: About<'a>,
    ) -> core::result::Result<Pending<'a>, Failure> {
        self.take_slot(about)?;

        let mut queue = self.queue.lock();
        let pending = self.submit(&mut queue, message, about);
        queue.notify();
        pending
    }

    /// Gives a message to the queue, in a slot that was taken.
    fn submit<'a>(
        &'a self,
        queue: &mut LockedQueue<'_, Commands>,
        message: Message,
        about: About<'a>,
    ) -> core::result::Result<Pending<'a>, Failure> {
        self.submit_with(queue, message, None, about)
    }

    /// As [`submit`](Self::submit), with room for a reply that is larger than others.
    fn submit_with<'a>(
        &'a self,
        queue: &mut LockedQueue<'_, Commands>,
        message: Message,
        block: Option<Block>,
        about: About<'a>,
    ) -> core::result::Result<Pending<'a>, Failure> {
        // There is a free slot, unless the slots were closed.
        let (index, mut buffer) = queue.slots.begin().ok_or(Failure::Lost(ENODEV))?;
        let Some(done) = queue.done.get(index.get()).cloned() else {
            return Err(Failure::Lost(ENODEV));
        };

        // The last one who waited may have given up just before the signal came.
        while done.try_wait() {}

        buffer.write(message.to_bytes());
        if let Some(block) = block {
            buffer.lend_block(block);
        }
        if let Err((mut buffer, error)) = queue.submit(buffer) {
            buffer.take_block();
            queue.slots.cancel(index, buffer);
            self.free.signal();
            return Err(Failure::Lost(error));
        }

        Ok(Pending {
            about,
            index: Some(index),
            done,
        })
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

        self.free.signal_for_ever();
    }
}

/// A command on its way, for those who wait and for messages.
#[derive(Clone, Copy)]
struct About<'a> {
    requests: &'a Requests,
    command: Command,
    line: u16,
    deadline: Deadline,
}

impl About<'_> {
    /// Waits for a signal, as long as this command may wait.
    fn wait_for(&self, signal: &Completion) -> Wait {
        match self.command.must_be_done() {
            true => signal.wait_until(self.deadline),
            false => signal.wait_killable(self.deadline),
        }
    }

    fn timed_out(&self, what: &str) -> Error {
        let Self { line, command, .. } = self;

        self.requests
            .messages
            .warn(fmt!("line {line}: {what} {command:?} in time"));
        ETIMEDOUT
    }

    /// What a reply that carries no answer means to the caller.
    fn refused(&self, error: ReplyError) -> Error {
        let Self { line, command, .. } = self;

        match error {
            ReplyError::Refused(errno) => return Error::from_errno(-errno),
            ReplyError::Failed => return EIO,
            _ => (),
        }
        self.requests
            .messages
            .warn(fmt!("line {line}: {command:?}: {error}"));
        match error.is_violation() {
            true => EPROTO,
            false => EIO,
        }
    }
}

/// A message that was sent, and whose reply nobody has waited for yet.
///
/// If it is dropped without a wait its slot is given up.
struct Pending<'a> {
    about: About<'a>,
    /// The slot; `None` when this has given it back or up.
    index: Option<Index>,
    done: Arc<Completion>,
}

impl Pending<'_> {
    /// Waits for the reply, and checks it; see [`Requests::run`].
    fn wait(self) -> Outcome {
        let about = self.about;
        let Reply { raw, written, .. } = self.wait_for_reply().map_err(|wait| {
            Failure::Lost(match wait {
                Wait::Done => ENODEV,
                Wait::TimedOut => about.timed_out("the device did not answer"),
                Wait::Killed => EINTR,
            })
        })?;

        about
            .requests
            .protocol
            .check_reply(about.command, about.line, written, raw)
            .map_err(|error| Failure::Refused(about.refused(error)))
    }

    /// Waits for the reply. If there is none the error says what has ended the wait.
    fn wait_for_reply(mut self) -> core::result::Result<Reply, Wait> {
        let wait = self.about.wait_for(&self.done);

        // Whatever ended the wait, a reply that is there counts.
        self.finish().ok_or(wait)
    }

    /// Takes the reply if it is there, and gives the slot back or up.
    fn finish(&mut self) -> Option<Reply> {
        let index = self.index.take()?;
        let requests = self.about.requests;
        let reply = requests.queue.lock().slots.finish(index);

        if reply.is_some() {
            requests.free.signal();
        }
        reply
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.finish();
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
        let requests = pending.about.requests;
        let warn = |why: fmt::Arguments<'_>| {
            requests.messages.warn(fmt!(
                "the device does not tell the names of the lines: {why}"
            ));
        };

        let (block, written) = match pending.wait_for_reply() {
            Ok(Reply { block, written, .. }) => (block?, written),
            Err(_) => {
                warn(fmt!("no answer"));
                return None;
            }
        };
        let mut block = block
            .into_copy()
            .inspect_err(|error| warn(fmt!("{error:?}")))
            .ok()?;
        // There is at least the status.
        let status = *block.first()?;
        if let Err(error) = requests.protocol.check_names(written, status, size) {
            warn(fmt!("{error}"));
            return None;
        }
        block.remove(0).ok()?;
        Some(block)
    }
}
