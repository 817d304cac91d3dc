// SPDX-License-Identifier: GPL-2.0

//! The event queue of device ID 30: reports of new levels.
//!
//! The queue is kept full: each buffer goes back to the device as soon as it has been read. A report
//! that is none is refused; what the others mean is for the [`interrupts`](crate::interrupts) to say,
//! and who waits for them is called right here.

use crate::{
    abstractions::{
        trace,
        virtio::{
            Buffer,
            Handler,
            LockedQueue,
            Queue,
            QueueHandle, //
        },
    },
    commands::{
        self,
        Commands, //
    },
    events::Events,
    interrupts::Interrupts,
    messages::Messages,
    recovery::{
        Reason,
        Recovery, //
    },
    rfc::{
        self,
        Message,
        RawMessage, //
    },
};
use kernel::{
    device,
    prelude::*,
    static_lock_class,
    sync::Arc, //
};

type EventBuffer = Buffer<[u8; 0], RawMessage, ()>;

/// So many buffers are enough, however large a queue the device has: all of them can come back at once, and
/// interrupts are off meanwhile.
const MAX_BUFFERS: usize = 1024;

/// How many buffers are submitted at a time, with interrupts off.
const CHUNK: usize = 64;

/// The event queue's state: under its lock.
struct RfcEvents {
    lines: u16,
    interrupts: Arc<Interrupts>,
    /// Where the device is asked for levels.
    commands: Arc<Queue<Commands>>,
    messages: Arc<Messages>,
    recovery: Arc<Recovery>,
    /// Buffers that are here and not with the device. There is room for all of them.
    here: KVec<EventBuffer>,
    /// Lines to be fired. There is room for one from each buffer.
    due: KVec<u16>,
    /// How many reports were refused.
    refused: u64,
}

impl Handler for RfcEvents {
    type Readable = [u8; 0];
    type Writable = RawMessage;
    type Context = ();

    fn returned(queue: &Queue<Self>) {
        take_note(queue);
        queue.lock().fire_due();
    }

    fn taken_back(&mut self, buffer: EventBuffer) {
        // There is room for all that the queue holds.
        let _ = self.here.push_within_capacity(buffer);
    }

    fn broken(&mut self) {
        self.recovery.wanted(Reason::Broken);
    }
}

/// Takes note of the reports that are there, and gives the buffers back. The lines that are due are
/// to be fired afterwards.
fn take_note(queue: &Queue<RfcEvents>) {
    let mut locked = queue.lock();
    let mut refused = None;

    // None goes back before all are here: a device that returns each at once would keep this
    // processor here for ever.
    locked.take_all(|locked, buffer, written| {
        let raw = buffer.read();
        let checked = rfc::check_event(locked.lines, written as usize, raw);
        trace::event(locked.messages.device(), || {
            let Message { line, value, .. } = Message::from_bytes(raw);
            trace::Event {
                line,
                written,
                value,
                is_accepted: checked.is_ok(),
            }
        });
        match checked {
            Ok((line, level)) => {
                if locked.interrupts.report(line, level)
                    && locked.due.push_within_capacity(line).is_err()
                {
                    // There is room for all, unless somebody else has just taken note of as many.
                    locked.fire_due();
                    let _ = locked.due.push_within_capacity(line);
                }
            }
            Err(error) => {
                locked.refused = locked.refused.wrapping_add(1);
                refused = Some(error);
            }
        }
        // There is room for all that the queue holds.
        let _ = locked.here.push_within_capacity(buffer);
    });
    submit_some(&mut locked, usize::MAX);
    let messages = locked.messages.clone();
    locked.notify();

    if let Some(error) = refused {
        messages.warn(fmt!("refused: {error}"));
    }
}

impl RfcEvents {
    /// Fires the lines that are due.
    ///
    /// The lock is held meanwhile. That keeps the reports in order, and nobody from waiting: no
    /// handler has to do with this queue.
    fn fire_due(&mut self) {
        let mut check = false;
        for line in self.due.drain_all() {
            check |= self.interrupts.fire(line);
        }
        if check {
            commands::start_check(&self.commands);
        }
    }
}

/// Gives the device `count` of the buffers that are here, or all of them.
fn submit_some(queue: &mut LockedQueue<'_, RfcEvents>, count: usize) {
    for _ in 0..count {
        let Some(buffer) = queue.here.pop() else {
            return;
        };
        if let Err((buffer, _)) = queue.submit(buffer) {
            // It stays here, and has another chance when others come back. There is room for it.
            let _ = queue.here.push_within_capacity(buffer);
            return;
        }
    }
}

/// Makes the event queue of a device with `lines` lines, and what it is to be started with.
pub(crate) fn new(
    dev: &device::Device,
    lines: u16,
    interrupts: Arc<Interrupts>,
    commands: Arc<Queue<Commands>>,
    recovery: Arc<Recovery>,
) -> Result<(QueueHandle, Arc<dyn Events>)> {
    let messages = Messages::new(dev)?;

    let events = RfcEvents {
        lines,
        interrupts,
        commands,
        messages,
        recovery,
        here: KVec::new(),
        due: KVec::new(),
        refused: 0,
    };

    let queue = Arc::pin_init(
        Queue::new(events, c"gpio_virtio::RfcEvents", static_lock_class!()),
        GFP_KERNEL,
    )?;
    Ok(((&queue).into(), queue))
}

impl Events for Queue<RfcEvents> {
    /// Gives the device as many buffers as the queue holds, up to a limit.
    fn started(&self) -> Result {
        let count = self.lock().capacity().min(MAX_BUFFERS);
        let due = KVec::with_capacity(count, GFP_KERNEL)?;
        let mut buffers = KVec::with_capacity(count, GFP_KERNEL)?;

        for _ in 0..count {
            buffers.push(EventBuffer::new((), GFP_KERNEL)?, GFP_KERNEL)?;
        }

        let mut locked = self.lock();
        locked.here = buffers;
        locked.due = due;
        drop(locked);

        self.restarted();
        Ok(())
    }

    fn restarted(&self) {
        let count = self.lock().here.len();

        for _ in 0..count.div_ceil(CHUNK) {
            let mut locked = self.lock();
            submit_some(&mut locked, CHUNK);
            locked.notify();
        }
    }

    /// Who is told all that happens, or what it has asked for, needs nothing more.
    fn claim(&self, _line: u16) -> Result {
        Ok(())
    }

    fn release(&self, _line: u16) {}

    fn settle(&self) -> bool {
        take_note(self);
        !self.lock().due.is_empty()
    }

    fn make_up(&self) {
        self.lock().fire_due();
    }

    fn start_looking(&self) {
        let commands = self.lock().commands.clone();

        commands::start_check(&commands);
    }

    fn refused(&self) -> u64 {
        self.lock().refused
    }
}
