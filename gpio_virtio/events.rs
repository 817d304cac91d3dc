// SPDX-License-Identifier: GPL-2.0

//! Where the device says what has happened on its lines, whatever the protocol.
//!
//! What it says is checked there, and then it is for the [`interrupts`](crate::interrupts).

use kernel::prelude::*;

/// An event queue.
pub(crate) trait Events: Send + Sync {
    /// The device is started.
    fn started(&self) -> Result;

    /// The device was reset, and is started again: all buffers are here.
    fn restarted(&self);

    /// A line is going to interrupt. [`ENOSPC`] if the queue has no room for one more.
    fn claim(&self, line: u16) -> Result;

    /// A line that was claimed is not going to interrupt any more.
    fn release(&self, line: u16);

    /// Takes note of all that the device has said by now, before it is told something else.
    ///
    /// Returns whether there is something to [make up](Self::make_up) for. May be called in any
    /// context.
    fn settle(&self) -> bool;

    /// Fires the lines that are due since [`settle`](Self::settle). To be called in hard interrupt
    /// context.
    fn make_up(&self);

    /// Asks the device about the lines that are to be asked about: for a level, or for the next
    /// report. May be called in any context.
    fn start_looking(&self);

    /// How often what the device has said was refused.
    fn refused(&self) -> u64;
}

/// The event queue of a device that has none.
pub(crate) struct NoEvents;

impl Events for NoEvents {
    fn started(&self) -> Result {
        Ok(())
    }

    fn restarted(&self) {}

    fn claim(&self, _line: u16) -> Result {
        Err(ENXIO)
    }

    fn release(&self, _line: u16) {}

    fn settle(&self) -> bool {
        false
    }

    fn make_up(&self) {}

    fn start_looking(&self) {}

    fn refused(&self) -> u64 {
        0
    }
}
