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
            Peek,
            Queue, //
        },
    },
    command::Command,
    interrupts::Interrupts,
    line_states::{
        LineState,
        Part, //
    },
    message::{
        Message,
        RawMessage, //
    },
    messages::Messages,
    protocol::{
        Protocol,
        RawReply, //
    },
    recovery::{
        Reason,
        Recovery, //
    },
    request_counts::RequestCounts,
    slots::{
        Access,
        Batch,
        Index,
        Returned,
        Slot,
        Slots, //
    },
    spinning::Turn,
    tracing, //
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
    pub(crate) part: Part,
}

impl Asked {
    /// For a slot that was not used yet, or whose reply is checked in another way.
    pub(crate) const NOTHING: Self = Self {
        command: Command::Request,
        line: 0,
        part: Part::Whole,
    };

    /// For a check of a line's level.
    const fn level(line: u16) -> Self {
        Self {
            command: Command::GetValue,
            line,
            part: Part::Whole,
        }
    }
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
    pub(crate) interrupts: Arc<Interrupts>,
    messages: Arc<Messages>,
    recovery: Arc<Recovery>,
    /// Somebody looks for replies.
    has_looker: bool,
    /// What the device knows of each line.
    pub(crate) line_states: KVVec<LineState>,
    /// The buffer for checks, unless the device has it: there is one at a time. A queue that has room
    /// for one buffer only has none for checks; levels then fire when they are reported.
    pub(crate) check_buffer: Option<CommandBuffer>,
    /// Whether there is one, here or with the device.
    pub(crate) has_check_buffer: bool,
    /// The check that the device was given last.
    check: Check,
    /// A check could not be given to the device.
    check_is_owed: bool,
    pub(crate) counts: RequestCounts,
}

impl Commands {
    /// The state of a queue that has no slots yet.
    pub(crate) fn new(
        protocol: Protocol,
        room: Arc<Completion>,
        interrupts: Arc<Interrupts>,
        messages: Arc<Messages>,
        recovery: Arc<Recovery>,
    ) -> Self {
        Self {
            protocol,
            slots: Slots::new(KVec::new()),
            done: KVec::new(),
            block: None,
            room,
            interrupts,
            messages,
            recovery,
            has_looker: false,
            line_states: KVVec::new(),
            check_buffer: None,
            has_check_buffer: false,
            check: Check::default(),
            check_is_owed: false,
            counts: RequestCounts::default(),
        }
    }

    /// Takes note of what the device has done, if by that it knows something new of a line.
    fn learn(&mut self, index: Index, reply: &Reply) {
        let Some(Asked {
            command,
            line,
            part,
        }) = self.slots.asked(index)
        else {
            return;
        };
        let is_touched = match command {
            Command::GetDirection => {
                LineState::is_touched_by(command, self.interrupts.is_in_use(line))
            }
            _ => LineState::is_touched_by(command, true),
        };
        if !is_touched {
            return;
        }

        // CAST: `usize` has 32 bits at least.
        let written = reply.written as usize;
        let answer = self.protocol.check_reply(command, line, written, reply.raw);
        if let (Ok(answer), Some(state)) = (answer, self.line_states.get_mut(usize::from(line))) {
            state.done(command, part, answer);
        }
    }

    /// A slot's buffer is back, with a reply or without.
    fn slot_returned(&mut self, index: Index, buffer: CommandBuffer, reply: Option<Reply>) {
        let is_lost = reply.is_none();
        let returned = self.slots.returned(index, buffer, reply);

        match (returned, is_lost) {
            (Returned::Complete(_) | Returned::Part, true) => self.counts.lost += 1,
            (Returned::Late, false) => self.counts.late += 1,
            _ => (),
        }
        match returned {
            Returned::Complete(first) => {
                if let Some(done) = self.done.get(first.get()) {
                    done.signal();
                }
            }
            Returned::Late => self.wake_queued(),
            Returned::Part | Returned::Stray => (),
        }
    }

    /// Wakes those for whom there is a slot now, or who need not wait for one any more.
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
    access: Access,
    batch: &mut Option<Batch>,
    asked: Asked,
    message: Message,
    block: Option<Block>,
) -> Result<bool> {
    let Some((index, mut buffer)) = queue.slots.begin(access) else {
        return Ok(false);
    };

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
    queue.counts.sent += 1;
    tracing::sent(queue.messages.device(), message);
    Ok(true)
}

/// Takes note of a buffer that came back. Returns what the device says by that if it was one for checks.
fn take_note(
    locked: &mut LockedQueue<'_, Commands>,
    mut buffer: CommandBuffer,
    written: u32,
) -> Option<(Check, Reply)> {
    let reply = Reply {
        raw: buffer.read(),
        written,
    };
    let Purpose::Request(index) = *buffer.context() else {
        let asked = || Asked::level(locked.check.line);
        tracing::replied(locked.messages.device(), locked.protocol, asked, &reply);
        locked.check_buffer = Some(buffer);
        return Some((locked.check, reply));
    };
    if let Some(block) = buffer.take_block() {
        locked.block = Some(block);
    } else {
        let asked = || locked.slots.asked(index).unwrap_or(Asked::NOTHING);
        tracing::replied(locked.messages.device(), locked.protocol, asked, &reply);
    }

    locked.learn(index, &reply);
    locked.slot_returned(index, buffer, Some(reply));
    None
}

/// One caller looks for the replies: to what he has sent, and to all that others wait for.
///
/// He must do so without a pause, and [end](Looker::end) it at last.
pub(crate) struct Looker<'a> {
    /// The device was asked for no calls. If it was not, or somebody else has ended that, then it is an
    /// interrupt that brings the replies.
    pub(crate) peek: Option<Peek<'a>>,
    pub(crate) turn: Turn,
}

impl<'a> Looker<'a> {
    /// Whether nobody looks, and somebody may.
    pub(crate) fn may_begin(queue: &LockedQueue<'_, Commands>) -> bool {
        // What the device says to a check is for an interrupt to see.
        let has_check =
            queue.check_is_owed || queue.has_check_buffer && queue.check_buffer.is_none();

        !queue.has_looker && !has_check
    }

    /// Begins to look.
    pub(crate) fn begin(queue: &mut LockedQueue<'a, Commands>, turn: Turn) -> Self {
        queue.has_looker = true;
        Self {
            peek: turn.is_quiet.then(|| queue.be_quiet()).flatten(),
            turn,
        }
    }

    /// Ends it.
    pub(crate) fn end(queue: &mut LockedQueue<'a, Commands>) {
        queue.has_looker = false;
        end_look(queue);
    }
}

/// Takes the replies that are there, for the one who [looks](Looker), and returns whether there are any.
pub(crate) fn look<'a>(queue: &mut LockedQueue<'a, Commands>, peek: &mut Option<Peek<'a>>) -> bool {
    let has_taken = peek.as_mut().is_some_and(|peek| {
        queue.look(peek, |locked, buffer, written| {
            // The device has no check.
            take_note(locked, buffer, written);
        })
    });

    if !queue.is_quiet() {
        *peek = None;
    }
    has_taken
}

/// Takes the replies that are there, and asks the device for calls again, if it was asked for none.
pub(crate) fn end_look(queue: &mut LockedQueue<'_, Commands>) {
    queue.end_quiet(|locked, buffer, written| {
        // The device has no check.
        take_note(locked, buffer, written);
    });
}

impl Handler for Commands {
    type Readable = RawMessage;
    type Writable = RawReply;
    type Context = Purpose;

    fn returned(queue: &Queue<Self>) {
        let mut locked = queue.lock();
        let mut check = None;

        locked.take_all(|locked, buffer, written| {
            if let Some(answer) = take_note(locked, buffer, written) {
                check = Some(answer);
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
                    queue.lock().counts.note(error);
                    messages.warn(fmt!("line {line}: cannot check its level: {error}"));
                    None
                }
            };
            interrupts.checked(line, epoch, level);
        }
        start_check(queue);
    }

    fn taken_back(&mut self, mut buffer: CommandBuffer) {
        buffer.take_block();
        match *buffer.context() {
            Purpose::Request(index) => self.slot_returned(index, buffer, None),
            // All levels that matter are asked for again.
            Purpose::Check => self.check_buffer = Some(buffer),
        }
    }

    fn broken(&mut self) {
        self.recovery.wanted(Reason::Broken);
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
    end_look(&mut locked);

    let [message, _] = locked.protocol.messages(Command::GetValue, line);
    if let Some(message) = message {
        buffer.write(message.to_bytes());
    }
    match locked.submit(buffer) {
        Ok(()) => {
            if let Some(message) = message {
                tracing::sent(locked.messages.device(), message);
            }
            locked.counts.sent += 1;
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
