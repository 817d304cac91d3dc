// SPDX-License-Identifier: GPL-2.0

//! Receives the device's reports of new levels.
//!
//! The queue is kept full: each buffer goes back to the device as soon as it has been read. The
//! reports are checked and counted; nobody consumes them yet.

use crate::{
    abstractions::{
        ratelimit::RateLimit,
        virtio::{
            Buffer,
            Handler,
            LockedQueue,
            Queue, //
        },
    },
    rfc::{
        self,
        RawMessage, //
    },
};
use kernel::{
    device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

type EventBuffer = Buffer<[u8; 0], RawMessage, ()>;

/// How many buffers are submitted at a time, with interrupts off.
const CHUNK: usize = 64;

/// The event queue's state: under its lock.
pub(crate) struct Events {
    dev: ARef<device::Device>,
    lines: u16,
    messages: Pin<KBox<RateLimit>>,
    /// Buffers that are here and not with the device. There is room for all of them.
    here: KVec<EventBuffer>,
}

impl Handler for Events {
    type Readable = [u8; 0];
    type Writable = RawMessage;
    type Context = ();

    fn returned(queue: &Queue<Self>) {
        let mut locked = queue.lock();
        let mut refused = None;

        // None goes back before all are here: a device that returns each at once would keep this
        // processor here for ever.
        while let Some((buffer, written)) = locked.take() {
            if let Err(error) = rfc::check_event(locked.lines, written, buffer.read()) {
                refused = Some(error);
            }
            if locked.here.push_within_capacity(buffer).is_err() {
                break;
            }
        }
        submit_some(&mut locked, usize::MAX);
        locked.notify();

        if let Some(error) = refused {
            let locked = queue.lock();
            let dev = locked
                .messages
                .allows(c"gpio_virtio")
                .then(|| locked.dev.clone());
            drop(locked);

            if let Some(dev) = dev {
                dev_warn!(dev, "refused: {}\n", error);
            }
        }
    }
}

/// Gives the device `count` of the buffers that are here, or all of them.
fn submit_some(queue: &mut LockedQueue<'_, Events>, count: usize) {
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

/// Makes the event queue of a device with `lines` lines.
pub(crate) fn new(dev: &device::Device, lines: u16) -> Result<Arc<Queue<Events>>> {
    let messages = KBox::pin_init(RateLimit::new(), GFP_KERNEL)?;

    Arc::pin_init(
        Queue::new(Events {
            dev: dev.into(),
            lines,
            messages,
            here: KVec::new(),
        }),
        GFP_KERNEL,
    )
}

/// Gives the device as many buffers as the queue holds. To be called when the device is started.
pub(crate) fn fill(queue: &Queue<Events>) -> Result {
    let count = queue.lock().capacity();
    let mut buffers = KVec::with_capacity(count, GFP_KERNEL)?;

    for _ in 0..count {
        buffers.push(EventBuffer::new((), GFP_KERNEL)?, GFP_KERNEL)?;
    }
    queue.lock().here = buffers;

    for _ in 0..count.div_ceil(CHUNK) {
        let mut locked = queue.lock();
        submit_some(&mut locked, CHUNK);
        locked.notify();
    }
    Ok(())
}
