// SPDX-License-Identifier: GPL-2.0

//! The event queue of device ID 41: a buffer for each line whose interrupt has a consumer.
//!
//! To give the device a line's buffer is to let it report that the line has fired, once. When that is
//! to be done is for the [`interrupts`](crate::interrupts) to say, as is what a returned buffer means.

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
    events::Events,
    interrupts::Interrupts,
    line_irqs::Returned,
    messages::Messages,
    recovery::{
        Reason,
        Recovery, //
    },
    standard, //
};
use kernel::{
    device,
    prelude::*,
    static_lock_class,
    sync::Arc, //
};

/// The buffer of a line, whose number is its context.
type EventBuffer = Buffer<[u8; 2], [u8; 1], u16>;

/// The event queue's state: under its lock.
struct StandardEvents {
    interrupts: Arc<Interrupts>,
    messages: Arc<Messages>,
    recovery: Arc<Recovery>,
    /// The buffers that are here and not with the device, by line. Those of lines that were never
    /// claimed do not exist.
    buffers: KVVec<Option<EventBuffer>>,
    /// How many lines are claimed.
    claimed: usize,
    /// How many buffers the queue has room for.
    room: usize,
    /// Lines to be fired. There is room for as many as the queue holds.
    due: KVec<u16>,
    /// How often what the device said was refused.
    refused: u64,
}

impl Handler for StandardEvents {
    type Readable = [u8; 2];
    type Writable = [u8; 1];
    type Context = u16;

    fn returned(queue: &Queue<Self>) {
        let mut locked = queue.lock();

        let complaint = take_note(&mut locked);
        locked.fire_due();
        lend(&mut locked);
        finish(locked, complaint);
    }

    fn taken_back(&mut self, buffer: EventBuffer) {
        let line = usize::from(*buffer.context());

        if let Some(place) = self.buffers.get_mut(line) {
            *place = Some(buffer);
        }
    }

    fn broken(&mut self) {
        self.recovery.wanted(Reason::Broken);
    }
}

impl StandardEvents {
    /// Fires the lines that are due.
    ///
    /// The lock is held meanwhile, and nobody is kept waiting by that: no handler has to do with this
    /// queue.
    fn fire_due(&mut self) {
        for line in self.due.drain_all() {
            // What has become due by that, the caller does anyway.
            self.interrupts.fire(line);
        }
    }
}

/// What the device did wrong, to be said without the lock.
enum Complaint {
    Refused(u16, standard::EventError),
    Unreasonable(u16),
    GivenUp(u16),
}

impl Complaint {
    fn say(&self, messages: &Messages) {
        match *self {
            Complaint::Refused(line, error) => {
                messages.warn(fmt!("line {line}: refused: {error}"));
            }
            Complaint::Unreasonable(line) => {
                messages.warn(fmt!("line {line}: refused: invalid, but it is armed"));
            }
            Complaint::GivenUp(line) => {
                messages.warn(fmt!("line {line}: given up until it is enabled anew"));
            }
        }
    }
}

/// Takes note of the buffers that came back, and returns the last thing that was wrong with them.
fn take_note(locked: &mut LockedQueue<'_, StandardEvents>) -> Option<Complaint> {
    let mut complaint = None;

    // None goes back before all are here: a device that returns each at once would keep this
    // processor here for ever.
    locked.take_all(|locked, buffer, written| {
        let line = *buffer.context();
        let [raw] = buffer.read();
        let status = standard::check_event(written as usize, raw);

        if let Some(place) = locked.buffers.get_mut(usize::from(line)) {
            *place = Some(buffer);
        }
        if let Err(error) = status {
            complaint = Some(Complaint::Refused(line, error));
        }
        let is_refused = match locked.interrupts.returned(line, status.ok()) {
            Returned::Fire => {
                if locked.due.push_within_capacity(line).is_err() {
                    // There is room for all, unless somebody else has just taken note of as many.
                    locked.fire_due();
                    let _ = locked.due.push_within_capacity(line);
                }
                false
            }
            Returned::Nothing => false,
            Returned::Unreasonable => {
                complaint.get_or_insert(Complaint::Unreasonable(line));
                true
            }
            Returned::GivenUp => {
                complaint = Some(Complaint::GivenUp(line));
                true
            }
        };
        trace::event(locked.messages.device(), || trace::Event {
            line,
            written,
            value: raw.into(),
            is_accepted: !is_refused,
        });
        if is_refused {
            locked.refused = locked.refused.wrapping_add(1);
        }
    });
    complaint
}

/// Gives the device the buffers that it is to have.
fn lend(locked: &mut LockedQueue<'_, StandardEvents>) {
    while let Some(line) = locked.interrupts.next_buffer() {
        let place = locked.buffers.get_mut(usize::from(line));
        let Some(buffer) = place.and_then(Option::take) else {
            // A line that can fire is claimed, so it has one: this cannot happen.
            continue;
        };
        if let Err((buffer, _)) = locked.submit(buffer) {
            // It stays here, and has another chance when others come back.
            if let Some(place) = locked.buffers.get_mut(usize::from(line)) {
                *place = Some(buffer);
            }
            locked.interrupts.put_back_buffer(line);
            return;
        }
    }
}

/// Unlocks the queue, tells the device what is new, and says what was wrong.
fn finish(locked: LockedQueue<'_, StandardEvents>, complaint: Option<Complaint>) {
    let complaint = complaint.map(|complaint| (complaint, locked.messages.clone()));
    locked.notify();

    if let Some((complaint, messages)) = complaint {
        complaint.say(&messages);
    }
}

/// Makes the event queue of a device with `lines` lines, and what it is to be started with.
pub(crate) fn new(
    dev: &device::Device,
    lines: u16,
    interrupts: Arc<Interrupts>,
    recovery: Arc<Recovery>,
) -> Result<(QueueHandle, Arc<dyn Events>)> {
    let mut buffers = KVVec::with_capacity(usize::from(lines), GFP_KERNEL)?;
    for _ in 0..lines {
        buffers.push(None, GFP_KERNEL)?;
    }

    let events = StandardEvents {
        interrupts,
        messages: Messages::new(dev)?,
        recovery,
        buffers,
        claimed: 0,
        room: 0,
        due: KVec::new(),
        refused: 0,
    };

    let queue = Arc::pin_init(
        Queue::new(events, c"gpio_virtio::StandardEvents", static_lock_class!()),
        GFP_KERNEL,
    )?;
    Ok(((&queue).into(), queue))
}

impl Events for Queue<StandardEvents> {
    fn started(&self) -> Result {
        let room = self.lock().capacity();
        let due = KVec::with_capacity(room, GFP_KERNEL)?;

        let mut locked = self.lock();
        locked.room = room;
        locked.due = due;
        Ok(())
    }

    fn restarted(&self) {
        // The device is given each buffer when it has been told about the line. What could be the buffer of
        // a line that is just being claimed is here by now.
        let mut locked = self.lock();
        locked.room = locked.capacity().min(locked.due.capacity());
    }

    fn claim(&self, line: u16) -> Result {
        let mut buffer = EventBuffer::new(line, GFP_KERNEL)?;
        buffer.write(standard::event_request(line));

        let mut locked = self.lock();
        if locked.claimed >= locked.room {
            let messages = locked.messages.clone();
            drop(locked);
            messages.warn(fmt!(
                "line {line}: the event queue has no room for one more interrupt"
            ));
            return Err(ENOSPC);
        }
        locked.claimed += 1;

        // It may have one from the last time, here or, if it is slow to come back, with the device.
        let is_lent = locked.interrupts.is_lent(line);
        match locked.buffers.get_mut(usize::from(line)) {
            Some(place @ None) if !is_lent => *place = Some(buffer),
            _ => (),
        }
        Ok(())
    }

    fn release(&self, _line: u16) {
        let mut locked = self.lock();
        locked.claimed = locked.claimed.saturating_sub(1);
    }

    fn settle(&self) -> bool {
        let mut locked = self.lock();

        let complaint = take_note(&mut locked);
        lend(&mut locked);
        let is_due = !locked.due.is_empty();
        finish(locked, complaint);
        is_due
    }

    fn make_up(&self) {
        let mut locked = self.lock();

        locked.fire_due();
        lend(&mut locked);
        locked.notify();
    }

    fn start_looking(&self) {
        let mut locked = self.lock();

        lend(&mut locked);
        locked.notify();
    }

    fn refused(&self) -> u64 {
        self.lock().refused
    }
}
