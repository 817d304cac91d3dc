// SPDX-License-Identifier: GPL-2.0

//! The GPIO chip: turns what gpiolib wants into commands to the device.

use crate::{
    abstractions::{
        deferred::Deferred,
        gpio::{
            Chip,
            Direction, //
        },
        virtio::Queue, //
    },
    events::Events,
    interrupts::Interrupts,
    irq_chip::Teller,
    requests::{
        Failure,
        Requests, //
    },
    rfc::{
        self,
        Command, //
    },
};
use core::ops::ControlFlow;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// The lines of one device.
pub(crate) struct Lines {
    requests: Arc<Requests>,
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) teller: Pin<KBox<Deferred<Teller>>>,
    /// The directions that the device had told before gpiolib asked for them, one by one.
    told: KVec<Atomic<i8>>,
}

/// In [`Lines::told`]: the direction is not known, the device has to be asked.
const UNKNOWN: i8 = 0;
/// In [`Lines::told`]: the line is an output.
const OUTPUT: i8 = 1;
/// In [`Lines::told`]: the line is an input.
const INPUT: i8 = 2;
/// In [`Lines::told`]: the device would not say.
const REFUSED: i8 = 3;

impl Lines {
    /// Asks the device for the directions of its `lines` lines, `slots` of them at a time.
    ///
    /// gpiolib asks for each when the chip is registered and waits for one before it asks for the
    /// next. A device that does not answer is found out here, after one time limit and not after one
    /// for each line.
    pub(crate) fn new(
        requests: Arc<Requests>,
        interrupts: Arc<Interrupts>,
        events: Arc<Queue<Events>>,
        lines: u16,
        slots: usize,
    ) -> Result<Self> {
        let mut told = KVec::with_capacity(usize::from(lines), GFP_KERNEL)?;
        let teller = Teller::new(requests.clone(), interrupts.clone(), events)?;

        requests.run_for_all(Command::GetDirection, lines, slots, |result| {
            let direction = match result {
                Ok(value) => match rfc::Direction::from_wire(value) {
                    Some(rfc::Direction::Output) => OUTPUT,
                    Some(rfc::Direction::Input) => INPUT,
                    None => REFUSED,
                },
                // The line is there all the same, like a pin that has another function now.
                Err(Failure::Refused(_)) => REFUSED,
                Err(Failure::Lost(error)) => return ControlFlow::Break(error),
            };
            match told.push_within_capacity(Atomic::new(direction)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(EINVAL),
            }
        })?;

        Ok(Self {
            requests,
            interrupts,
            teller,
            told,
        })
    }

    fn run(&self, command: Command, offset: u32) -> Result<u32> {
        // gpiolib keeps offsets below the number of lines, which has 16 bits.
        self.requests
            .run(command, u16::try_from(offset).map_err(|_| EINVAL)?)
    }
}

#[vtable]
impl Chip for Lines {
    fn request(&self, offset: u32) -> Result {
        self.run(Command::Request, offset).map(|_| ())
    }

    fn get_direction(&self, offset: u32) -> Result<Direction> {
        let told = match self.told.get(offset as usize) {
            Some(told) => told.xchg(UNKNOWN, Relaxed),
            None => UNKNOWN,
        };
        match told {
            OUTPUT => return Ok(Direction::Output),
            INPUT => return Ok(Direction::Input),
            REFUSED => return Err(EIO),
            _ => (),
        }

        match rfc::Direction::from_wire(self.run(Command::GetDirection, offset)?) {
            Some(rfc::Direction::Output) => Ok(Direction::Output),
            Some(rfc::Direction::Input) => Ok(Direction::Input),
            None => Err(EPROTO),
        }
    }

    fn direction_input(&self, offset: u32) -> Result {
        self.run(Command::DirectionInput, offset).map(|_| ())
    }

    fn direction_output(&self, offset: u32, high: bool) -> Result {
        self.run(Command::DirectionOutput(high.into()), offset)
            .map(|_| ())
    }

    fn get(&self, offset: u32) -> Result<bool> {
        self.run(Command::GetValue, offset).map(|value| value != 0)
    }

    fn set(&self, offset: u32, high: bool) -> Result {
        self.run(Command::SetValue(high.into()), offset).map(|_| ())
    }

    fn shut_down(&self) {
        self.requests.close();
    }
}
