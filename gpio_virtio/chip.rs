// SPDX-License-Identifier: GPL-2.0

//! The GPIO chip: turns what gpiolib wants into commands to the device.

use crate::{
    abstractions::{
        deferred::Deferred,
        gpio::{
            Chip,
            Direction,
            Levels,
            LineSet, //
        },
    },
    command::{
        Answer,
        Command, //
    },
    events::Events,
    interrupts::Interrupts,
    irq_chip::Teller,
    line,
    requests::{
        Failure,
        Outcome,
        Requests, //
    },
};
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
    pub(crate) requests: Arc<Requests>,
    pub(crate) interrupts: Arc<Interrupts>,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) teller: Pin<KBox<Deferred<Teller>>>,
    /// What is known of the direction of each line: one of the constants below.
    directions: KVVec<Atomic<i8>>,
}

/// In [`Lines::directions`]: it is not known.
const UNKNOWN: i8 = 0;
/// In [`Lines::directions`]: the line is an output.
const OUTPUT: i8 = 1;
/// In [`Lines::directions`]: the line is an input, or nobody's.
const INPUT: i8 = 2;
/// Added to one of them: the device has just said so, before gpiolib asked.
const FRESH: i8 = 4;

/// The direction that gpiolib has for one that a device tells.
///
/// A line that nobody uses has none there; nothing drives it, as if it were an input.
fn direction(told: Option<line::Direction>) -> Direction {
    match told {
        Some(line::Direction::Output) => Direction::Output,
        Some(line::Direction::Input) | None => Direction::Input,
    }
}

/// The number of a line: gpiolib keeps offsets below the number of lines, which has 16 bits.
pub(crate) const fn line_number(offset: u32) -> u16 {
    offset as u16
}

/// What is known then.
fn known(direction: Direction) -> i8 {
    match direction {
        Direction::Output => OUTPUT,
        Direction::Input => INPUT,
    }
}

impl Lines {
    /// Asks the device for the directions of its `lines` lines, all at once.
    ///
    /// gpiolib asks for each when the chip is registered and waits for one before it asks for the
    /// next. A device that does not answer is found out here, after one time limit and not after one
    /// for each line.
    pub(crate) fn new(
        requests: Arc<Requests>,
        interrupts: Arc<Interrupts>,
        events: Arc<dyn Events>,
        lines: u16,
    ) -> Result<Self> {
        let mut directions = KVVec::with_capacity(usize::from(lines), GFP_KERNEL)?;
        for _ in 0..lines {
            // A line whose direction the device does not tell is there all the same, like a pin that
            // has another function now.
            directions.push(Atomic::new(FRESH + UNKNOWN), GFP_KERNEL)?;
        }
        let teller = Teller::new(requests.clone(), interrupts.clone(), events.clone())?;

        let asked = requests.run_all(
            &mut (0..lines).map(|line| (Command::GetDirection, line)),
            &mut |line, reply| {
                if let (Some(place), Ok(Answer::Direction(told))) =
                    (directions.get(usize::from(line)), reply)
                {
                    place.store(FRESH + known(direction(told)), Relaxed);
                }
            },
        );
        if let Err(Failure::Lost(error)) = asked {
            return Err(error);
        }

        Ok(Self {
            requests,
            interrupts,
            events,
            teller,
            directions,
        })
    }

    fn send_and_wait(&self, command: Command, offset: u32) -> Outcome {
        self.requests.send_and_wait(command, line_number(offset))
    }

    fn now_is(&self, offset: u32, direction: Direction) {
        if let Some(known_direction) = self.directions.get(offset as usize) {
            known_direction.store(known(direction), Relaxed);
        }
    }

    /// What is to be said of a line's direction without asking the device; `None` if it has to be asked.
    fn known_direction(&self, offset: u32) -> Option<Result<Direction>> {
        let place = self.directions.get(offset as usize)?;
        let told = place.load(Relaxed);

        if told & FRESH != 0 {
            place.store(told & !FRESH, Relaxed);
        } else if told == UNKNOWN || !self.interrupts.is_requested(line_number(offset)) {
            return None;
        }
        // It is the one who has the line, and nobody else, who gives it another direction.
        Some(match told & !FRESH {
            OUTPUT => Ok(Direction::Output),
            INPUT => Ok(Direction::Input),
            _ => Err(EIO),
        })
    }

    fn run(&self, command: Command, offset: u32) -> Result<Answer> {
        Ok(self.send_and_wait(command, offset)?)
    }
}

#[vtable]
impl Chip for Lines {
    fn request(&self, offset: u32) -> Result {
        self.teller.line_requested(line_number(offset));
        self.run(Command::Request, offset).inspect_err(|_| {
            self.interrupts.set_requested(line_number(offset), false);
        })?;

        // gpiolib asks for the direction next. It writes the answer into a word that others may have
        // written to since it has read it, so it is not to wait for the device in between.
        let told = match self.run(Command::GetDirection, offset) {
            Ok(Answer::Direction(told)) => known(direction(told)),
            _ => UNKNOWN,
        };
        if let Some(known_direction) = self.directions.get(offset as usize) {
            known_direction.store(FRESH + told, Relaxed);
        }
        Ok(())
    }

    fn free(&self, offset: u32) {
        self.teller.line_freed(line_number(offset));
    }

    fn get_direction(&self, offset: u32) -> Result<Direction> {
        let line = line_number(offset);
        let told = match self.known_direction(offset) {
            Some(told) => told?,
            None => match self.run(Command::GetDirection, offset)? {
                Answer::Direction(told) => {
                    self.now_is(offset, direction(told));
                    direction(told)
                }
                Answer::Done | Answer::Level(_) => return Err(EPROTO),
            },
        };

        match told {
            // gpiolib warns about an interrupt that is an output.
            Direction::Output if self.interrupts.is_claimed(line) => Err(EIO),
            told => Ok(told),
        }
    }

    fn direction_input(&self, offset: u32) -> Result {
        self.run(Command::DirectionInput, offset)?;
        self.now_is(offset, Direction::Input);
        Ok(())
    }

    fn direction_output(&self, offset: u32, high: bool) -> Result {
        let outcome = self.send_and_wait(Command::DirectionOutput(high.into()), offset);

        if let Err(failure) = outcome {
            let known_direction = self.directions.get(offset as usize);
            let was_output = known_direction.is_some_and(|known| known.load(Relaxed) == OUTPUT);
            // It must not drive a level that nobody has asked for.
            if matches!(failure, Failure::Half(_)) && !was_output {
                let _ = self.run(Command::DirectionInput, offset);
            }
            return Err(failure.into());
        }
        self.now_is(offset, Direction::Output);
        Ok(())
    }

    fn get(&self, offset: u32) -> Result<bool> {
        match self.run(Command::GetValue, offset)? {
            Answer::Level(level) => Ok(level == line::Level::High),
            Answer::Done | Answer::Direction(_) => Err(EPROTO),
        }
    }

    fn set(&self, offset: u32, high: bool) -> Result {
        self.run(Command::SetValue(high.into()), offset).map(|_| ())
    }

    fn get_multiple(&self, lines: LineSet<'_>, levels: &mut Levels<'_>) -> Result {
        self.requests.run_all(
            &mut lines
                .iter()
                .map(|offset| (Command::GetValue, line_number(offset))),
            &mut |line, reply| {
                if let Ok(Answer::Level(level)) = reply {
                    levels.set(line.into(), level == line::Level::High);
                }
            },
        )?;
        Ok(())
    }

    fn set_multiple(&self, lines: LineSet<'_>, levels: &Levels<'_>) -> Result {
        self.requests.run_all(
            &mut lines.iter().map(|offset| {
                (
                    Command::SetValue(levels.get(offset).into()),
                    line_number(offset),
                )
            }),
            &mut |_, _| (),
        )?;
        Ok(())
    }

    fn shut_down(&self) {
        self.requests.close();
    }
}
