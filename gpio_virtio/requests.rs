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
            Buffer,
            Handler,
            Queue, //
        },
    },
    interrupts::Interrupts,
    messages::Messages,
    rfc::{
        self,
        Command,
        Level,
        RawMessage,
        ReplyError, //
    },
    slots::{
        Index,
        Returned,
        Slot,
        Slots,
        MAX_SLOTS, //
    },
};
use core::ops::ControlFlow;
use kernel::{
    device,
    prelude::*,
    static_lock_class,
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
};

/// What a buffer of the command queue is for.
pub(crate) enum Purpose {
    /// A request: the buffer is that of a slot.
    Request {
        index: Index,
        /// Signalled when the reply is there, or will not come.
        done: Arc<Completion>,
    },
    /// To ask, in interrupt context, for the level of a line.
    Check,
}

/// What the device wrote: the bytes, and how many of them it says there are.
struct Reply {
    raw: RawMessage,
    written: usize,
}

type CommandBuffer = Buffer<RawMessage, RawMessage, Purpose>;

/// A question for the level of a line, which nobody waits for: see
/// [`LineIrqs::next_check`](crate::line_irqs::LineIrqs::next_check).
#[derive(Clone, Copy, Default)]
struct Check {
    line: u16,
    epoch: u32,
}

/// The command queue's state: under its lock.
pub(crate) struct Commands {
    slots: Slots<KVec<Slot<CommandBuffer, Reply>>>,
    /// Completions of the slots, by their number.
    done: KVec<Arc<Completion>>,
    /// Counts the free slots.
    free: Arc<Completion>,
    interrupts: Arc<Interrupts>,
    messages: Arc<Messages>,
    /// The buffer for checks, unless the device has it: there is one at a time. A queue that has room
    /// for one buffer only has none for checks; levels then fire when they are reported.
    check_buffer: Option<CommandBuffer>,
    /// The check that the device was given last.
    check: Check,
    /// A check could not be given to the device.
    check_is_owed: bool,
}

impl Handler for Commands {
    type Readable = RawMessage;
    type Writable = RawMessage;
    type Context = Purpose;

    fn returned(queue: &Queue<Self>) {
        let mut locked = queue.lock();
        let mut check = None;

        while let Some((buffer, written)) = locked.take() {
            let reply = Reply {
                raw: buffer.read(),
                written,
            };
            let Purpose::Request { index, done } = buffer.context() else {
                check = Some((locked.check, reply));
                locked.check_buffer = Some(buffer);
                continue;
            };
            let (index, done) = (*index, done.clone());

            match locked.slots.returned(index, buffer, reply) {
                Returned::Awaited => done.signal(),
                Returned::Late => locked.free.signal(),
                Returned::Stray => (),
            }
        }
        if check.is_none() && !locked.check_is_owed {
            return;
        }

        // Not under the lock: the handlers of an interrupt may be called.
        let interrupts = locked.interrupts.clone();
        let messages = locked.messages.clone();
        drop(locked);

        if let Some((Check { line, epoch }, Reply { raw, written })) = check {
            let level = match rfc::check_reply(Command::GetValue, line, written, raw) {
                Ok(value) => Level::from_wire(value),
                Err(error) => {
                    messages.warn(fmt!("line {line}: cannot check its level: {error}"));
                    None
                }
            };
            interrupts.checked(line, epoch, level);
        }
        start_check(queue);
    }
}

/// Asks the device for the level of the next line that has to be checked, if there is one, and if
/// the device is not being asked already. May be called in any context.
pub(crate) fn start_check(queue: &Queue<Commands>) {
    let mut locked = queue.lock();
    locked.check_is_owed = false;

    let Some(mut buffer) = locked.check_buffer.take() else {
        return;
    };
    let Some((line, epoch)) = locked.interrupts.next_check() else {
        locked.check_buffer = Some(buffer);
        return;
    };

    buffer.write(Command::GetValue.message(line).to_bytes());
    match locked.submit(buffer) {
        Ok(()) => {
            locked.check = Check { line, epoch };
            locked.notify();
        }
        Err((buffer, _)) => {
            locked.check_buffer = Some(buffer);
            locked.interrupts.put_back_check(line);
            // There is room for it, so the queue is broken, or memory was short.
            locked.check_is_owed = true;
        }
    }
}

/// Why a command has no result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// The device answered, but not with a result.
    Refused(Error),
    /// There is no answer: the device is dead or gone, or the caller does not wait any more.
    Lost(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::Lost(error) => error,
        }
    }
}

/// Sends commands about the lines of one device.
pub(crate) struct Requests {
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
        limit_ms: u32,
        interrupts: Arc<Interrupts>,
    ) -> Result<Arc<Self>> {
        let free = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let messages = Messages::new(dev)?;
        let commands = Commands {
            slots: Slots::new(KVec::new()),
            done: KVec::new(),
            free: free.clone(),
            interrupts,
            messages: messages.clone(),
            check_buffer: None,
            check: Check::default(),
            check_is_owed: false,
        };
        let queue = Arc::pin_init(
            Queue::new(commands, c"gpio_virtio::Commands", static_lock_class!()),
            GFP_KERNEL,
        )?;

        Ok(Arc::new(
            Self {
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

        let mut storage = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut completions = KVec::with_capacity(count, GFP_KERNEL)?;
        for index in Index::all(count) {
            let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
            let purpose = Purpose::Request {
                index,
                done: done.clone(),
            };
            storage.push(Slot::Free(Buffer::new(purpose, GFP_KERNEL)?), GFP_KERNEL)?;
            completions.push(done, GFP_KERNEL)?;
        }
        let check_buffer = match capacity > count {
            true => Some(Buffer::new(Purpose::Check, GFP_KERNEL)?),
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
    /// Returns the value of the reply, which is in the range that the command has.
    ///
    /// # Errors
    ///
    /// - the device's own errno, or [`EIO`] if it sent a number that is none;
    /// - [`EPROTO`] if the reply breaks the protocol;
    /// - [`ETIMEDOUT`] if there is no reply, or no slot, within the time limit;
    /// - [`EINTR`] if the task is being killed;
    /// - [`ENODEV`] if the device is going away;
    /// - [`EIO`] if the queue is broken, or [`ENOMEM`] if the device's memory cannot be mapped.
    pub(crate) fn run(&self, command: Command, line: u16) -> Result<u32> {
        Ok(self.send_and_wait(command, line)?)
    }

    /// As [`Requests::run`], but says whether an error is the device's.
    pub(crate) fn send_and_wait(
        &self,
        command: Command,
        line: u16,
    ) -> core::result::Result<u32, Failure> {
        self.send(command, line)?.wait()
    }

    /// Gives `command` for each of the lines below `lines`, as many at a time as there are slots.
    ///
    /// `each` gets the result for each line, in order, and may break off with an error, which is
    /// then returned.
    pub(crate) fn run_for_all(
        &self,
        command: Command,
        lines: u16,
        slots: usize,
        mut each: impl FnMut(core::result::Result<u32, Failure>) -> ControlFlow<Error>,
    ) -> Result {
        let mut batch = KVec::with_capacity(slots.min(usize::from(lines)), GFP_KERNEL)?;
        let mut next = 0;

        while next < lines {
            while next < lines && batch.len() < batch.capacity() {
                batch.push(self.send(command, next)?, GFP_KERNEL)?;
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

    /// Gives `command` for a line; its reply is to be waited for.
    fn send(&self, command: Command, line: u16) -> core::result::Result<Pending<'_>, Failure> {
        let deadline = Deadline::after(self.limit);

        match self.free.wait_killable(deadline) {
            Wait::Done => (),
            Wait::TimedOut => {
                let error = self.timed_out(command, line, "there was no room for");
                return Err(Failure::Lost(error));
            }
            Wait::Killed => return Err(Failure::Lost(EINTR)),
        }

        let mut queue = self.queue.lock();
        // There is a free slot, unless the slots were closed.
        let (index, mut buffer) = queue.slots.begin().ok_or(Failure::Lost(ENODEV))?;
        let Some(done) = queue.done.get(index.get()).cloned() else {
            return Err(Failure::Lost(ENODEV));
        };

        // The last one who waited may have given up just before the signal came.
        while done.try_wait() {}

        buffer.write(command.message(line).to_bytes());
        if let Err((buffer, error)) = queue.submit(buffer) {
            queue.slots.cancel(index, buffer);
            drop(queue);
            self.free.signal();
            return Err(Failure::Lost(error));
        }
        queue.notify();

        Ok(Pending {
            requests: self,
            command,
            line,
            index: Some(index),
            done,
            deadline,
        })
    }

    fn timed_out(&self, command: Command, line: u16, what: &str) -> Error {
        self.messages
            .warn(fmt!("line {line}: {what} {command:?} in time"));
        ETIMEDOUT
    }

    /// What a reply that carries no result means to the caller.
    fn refused(&self, command: Command, line: u16, error: ReplyError) -> Error {
        if let ReplyError::Refused(errno) = error {
            return Error::from_errno(-errno);
        }

        self.messages
            .warn(fmt!("line {line}: {command:?}: {error}"));
        if error.is_violation() {
            EPROTO
        } else {
            EIO
        }
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

/// A command that was sent, and whose reply nobody has waited for yet.
///
/// If it is dropped without a wait its slot is given up.
struct Pending<'a> {
    requests: &'a Requests,
    command: Command,
    line: u16,
    /// The slot; `None` when this has given it back or up.
    index: Option<Index>,
    done: Arc<Completion>,
    deadline: Deadline,
}

impl Pending<'_> {
    /// Waits for the reply; see [`Requests::run`].
    fn wait(mut self) -> core::result::Result<u32, Failure> {
        let wait = self.done.wait_killable(self.deadline);
        let Self {
            requests,
            command,
            line,
            ..
        } = self;

        // Whatever ended the wait, a reply that is there counts.
        if let Some(Reply { raw, written }) = self.finish() {
            return rfc::check_reply(command, line, written, raw)
                .map_err(|error| Failure::Refused(requests.refused(command, line, error)));
        }
        Err(Failure::Lost(match wait {
            Wait::Done => ENODEV,
            Wait::TimedOut => requests.timed_out(command, line, "the device did not answer"),
            Wait::Killed => EINTR,
        }))
    }

    /// Takes the reply if it is there, and gives the slot back or up.
    fn finish(&mut self) -> Option<Reply> {
        let index = self.index.take()?;
        let reply = self.requests.queue.lock().slots.finish(index);

        if reply.is_some() {
            self.requests.free.signal();
        }
        reply
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}
