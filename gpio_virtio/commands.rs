// SPDX-License-Identifier: GPL-2.0

//! The command queue: what comes back on it, and who is told.
//!
//! Most of its buffers are those of [`requests`](crate::requests), each with a slot and somebody who
//! waits. One is for what nobody can wait for: to ask for the level of a line, in interrupt context.

use crate::{
    abstractions::{
        completion::Completion,
        virtio::{
            Block,
            Buffer,
            Handler,
            LockedQueue,
            Queue, //
        },
    },
    command::Command,
    interrupts::Interrupts,
    message::{
        Message,
        RawMessage, //
    },
    messages::Messages,
    protocol::{
        Protocol,
        RawReply, //
    },
    slots::{
        Batch,
        Index,
        Returned,
        Slot,
        Slots, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What a buffer of the command queue is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// A request: the buffer is that of a slot.
    Request(Index),
    /// To ask, in interrupt context, for the level of a line.
    Check,
}

/// What the device wrote: the bytes, and how many of them it says there are.
pub(crate) struct Reply {
    pub(crate) raw: RawReply,
    pub(crate) written: u32,
}

/// What a message is a part of, for when its reply is there.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) line: u16,
    /// Whether it is the second message of two.
    pub(crate) is_second: bool,
}

impl Asked {
    /// For a slot that was not used yet, or whose reply is checked in another way.
    pub(crate) const NOTHING: Self = Self {
        command: Command::Request,
        line: 0,
        is_second: false,
    };
}

pub(crate) type CommandBuffer = Buffer<RawMessage, RawReply, Purpose>;

/// A question for the level of a line, which nobody waits for: see
/// [`LineIrqs::next_check`](crate::line_irqs::LineIrqs::next_check).
#[derive(Clone, Copy, Default)]
struct Check {
    line: u16,
    epoch: u32,
}

/// The command queue's state: under its lock.
pub(crate) struct Commands {
    protocol: Protocol,
    pub(crate) slots: Slots<KVec<Slot<CommandBuffer, Reply, Asked>>>,
    /// By the number of a batch's first slot: signalled when the batch's replies are there, or will not
    /// come.
    pub(crate) done: KVec<Arc<Completion>>,
    /// What the device wrote last where the room of a reply was not enough.
    pub(crate) block: Option<Block>,
    /// Signalled for each slot that is promised to somebody who has queued up.
    room: Arc<Completion>,
    interrupts: Arc<Interrupts>,
    messages: Arc<Messages>,
    /// The buffer for checks, unless the device has it: there is one at a time. A queue that has room
    /// for one buffer only has none for checks; levels then fire when they are reported.
    pub(crate) check_buffer: Option<CommandBuffer>,
    /// The check that the device was given last.
    check: Check,
    /// A check could not be given to the device.
    check_is_owed: bool,
}

impl Commands {
    /// The state of a queue that has no slots yet.
    pub(crate) fn new(
        protocol: Protocol,
        room: Arc<Completion>,
        interrupts: Arc<Interrupts>,
        messages: Arc<Messages>,
    ) -> Self {
        Self {
            protocol,
            slots: Slots::new(KVec::new()),
            done: KVec::new(),
            block: None,
            room,
            interrupts,
            messages,
            check_buffer: None,
            check: Check::default(),
            check_is_owed: false,
        }
    }

    /// Wakes those for whom there is a slot now.
    pub(crate) fn wake_queued(&mut self) {
        for _ in 0..self.slots.promise() {
            self.room.signal();
        }
    }
}

/// Gives the device a message, in a slot that is added to `batch`, and instead of room for a reply
/// like others a `block` if there is one. Returns whether there was room.
pub(crate) fn submit(
    queue: &mut LockedQueue<'_, Commands>,
    batch: &mut Option<Batch>,
    asked: Asked,
    message: Message,
    block: Option<Block>,
) -> Result<bool> {
    let Some((index, mut buffer)) = queue.slots.begin() else {
        return Ok(false);
    };

    if let (None, Some(done)) = (&batch, queue.done.get(index.get())) {
        // The last one who waited may have given up just before the signal came.
        while done.try_wait() {}
    }
    buffer.write(message.to_bytes());
    if let Some(block) = block {
        buffer.lend_block(block);
    }
    if let Err((mut buffer, error)) = queue.submit(buffer) {
        buffer.take_block();
        queue.slots.cancel(index, buffer);
        queue.wake_queued();
        return Err(error);
    }
    queue.slots.add(batch, index, asked);
    Ok(true)
}

impl Handler for Commands {
    type Readable = RawMessage;
    type Writable = RawReply;
    type Context = Purpose;

    fn returned(queue: &Queue<Self>) {
        let mut locked = queue.lock();
        let mut check = None;

        locked.take_all(|locked, mut buffer, written| {
            let reply = Reply {
                raw: buffer.read(),
                written,
            };
            let Purpose::Request(index) = *buffer.context() else {
                check = Some((locked.check, reply));
                locked.check_buffer = Some(buffer);
                return;
            };
            if let Some(block) = buffer.take_block() {
                locked.block = Some(block);
            }

            match locked.slots.returned(index, buffer, reply) {
                Returned::Complete(first) => {
                    if let Some(done) = locked.done.get(first.get()) {
                        done.signal();
                    }
                }
                Returned::Late => locked.wake_queued(),
                Returned::Part | Returned::Stray => (),
            }
        });
        if check.is_none() && !locked.check_is_owed {
            return;
        }

        // Not under the lock: the handlers of an interrupt may be called.
        let interrupts = locked.interrupts.clone();
        let messages = locked.messages.clone();
        let protocol = locked.protocol;
        drop(locked);

        if let Some((Check { line, epoch }, Reply { raw, written })) = check {
            let level = match protocol.check_reply(Command::GetValue, line, written as usize, raw) {
                Ok(answer) => answer.level(),
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

    if let [Some(message), _] = locked.protocol.messages(Command::GetValue, line) {
        buffer.write(message.to_bytes());
    }
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
