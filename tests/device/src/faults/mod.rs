// SPDX-License-Identifier: GPL-2.0

//! What the device does wrong, because it was told to.
//!
//! One fault of each sort can be in force: an order, a number of commands to swallow, a delay, one
//! way to spoil replies and one to break the ring by them, malformed events, events that nobody
//! asked for, a storm of events, a time to die, and a [`campaign`] of all of that; and a refusal for
//! each type of interrupt. How they are written is in [`parse`].

pub mod campaign;
pub mod parse;

use std::{
    collections::BTreeMap,
    time::Duration, //
};

use campaign::Campaign;
pub use parse::{
    FaultError,
    FAULTS, //
};

use crate::{
    forgery::{
        Forgeries,
        Forgery,
        Gust,
        Storm,
        Weather, //
    },
    ring::Breakage,
};

/// A way to spoil a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Half of it.
    Short,
    /// Says that it has more bytes than there is room for.
    Long,
    /// Nothing at all.
    Empty,
    /// The type of no reply.
    BadType,
    /// Another line.
    BadLine,
    /// A value that no command results in.
    BadValue,
    /// A refusal with a number that is no errno.
    BadErrno,
    /// A status that does not exist.
    BadStatus,
    /// A refusal with this errno; the command is not carried out.
    Errno(u16),
}

impl Mutation {
    /// All but refusals, of which there are too many.
    pub const ALL: &[Mutation] = &[
        Mutation::Short,
        Mutation::Long,
        Mutation::Empty,
        Mutation::BadType,
        Mutation::BadLine,
        Mutation::BadValue,
        Mutation::BadErrno,
        Mutation::BadStatus,
    ];
}

/// What can be wrong in a protocol.
#[derive(Clone, Debug, Default)]
pub struct Arsenal {
    /// With a reply.
    pub mutations: Vec<Mutation>,
    /// With an event.
    pub forgeries: &'static [Forgery],
}

/// For how many commands or events a fault is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// For so many more.
    Next(u32),
    /// Until it is called off.
    Always,
}

impl Times {
    fn spend(&mut self) -> bool {
        match self {
            Times::Next(0) => false,
            Times::Next(count) => {
                *count -= 1;
                true
            }
            Times::Always => true,
        }
    }
}

/// A fault, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Keep the rules from now on.
    None,
    /// Give replies in random order; the seed repeats it.
    OutOfOrder(Option<u64>),
    /// Do not answer commands.
    Never(Times),
    /// Answer all commands that were not answered.
    Release,
    /// Answer late.
    Late(Duration, Times),
    /// Spoil replies.
    Spoil(Mutation, Times),
    /// Break the ring by replies.
    Break(Breakage, Times),
    /// Die when so many more commands have come, upon the last of them.
    Crash(u32),
    /// Refuse to arm lines for this type of interrupt, with this errno.
    RefuseType(u32, u16),
    /// Send malformed events before real ones.
    BadEvent(Times),
    /// Send events that nobody asked for before real ones.
    StrayEvent(Times),
    /// Break the ring by events.
    BreakEvent(Breakage, Times),
    /// Send events without end.
    Storm(Weather),
    /// Interrupt the driver whether it wants that or not.
    Loud,
    /// Do wrong at random.
    Random {
        /// What repeats it.
        seed: u64,
        /// Of [`WHOLE`](campaign::WHOLE) replies, and of as many events, so many.
        rate: u16,
        /// Whether that may break rings, and swallow commands.
        breaking: bool,
    },
}

/// How the answer to one command is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// It is kept until it is released.
    pub swallow: bool,
    /// It is kept for some time.
    pub delay: Option<Duration>,
    /// It is shuffled among others.
    pub shuffle: bool,
    /// It is spoilt.
    pub mutation: Option<Mutation>,
    /// It breaks the ring.
    pub breakage: Option<Breakage>,
    /// There is none: the device dies.
    pub crash: bool,
}

/// How one event is treated: one thing at most goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventPlan {
    /// One that nobody asked for comes before it.
    pub stray: bool,
    /// A malformed one comes before it.
    pub before: Option<Forgery>,
    /// It is malformed itself.
    pub spoil: Option<Forgery>,
    /// It breaks the ring.
    pub breakage: Option<Breakage>,
}

impl Plan {
    /// Whether the driver does not get to know by the answer whether the command was carried out.
    pub fn hides_result(&self) -> bool {
        match self.mutation {
            Some(Mutation::Errno(_)) => false,
            Some(_) => true,
            None => self.swallow,
        }
    }

    /// The errno with which the command is refused.
    pub fn refusal(&self) -> Option<u16> {
        match self.mutation {
            Some(Mutation::Errno(errno)) => Some(errno),
            _ => None,
        }
    }
}

/// The faults that are in force.
#[derive(Debug, Default)]
pub struct Faults {
    shuffle: bool,
    never: Option<Times>,
    late: Option<(Duration, Times)>,
    spoil: Option<(Mutation, Times)>,
    breakage: Option<(Breakage, Times)>,
    /// After so many commands.
    crash: Option<u32>,
    /// By type of interrupt, the errno.
    refused: BTreeMap<u32, u16>,
    bad_event: Option<(Times, Forgeries)>,
    stray: Option<Times>,
    /// The line that the next stray event is about, if it can be.
    stray_line: u16,
    event_breakage: Option<(Breakage, Times)>,
    storm: Option<Storm>,
    loud: bool,
    campaign: Option<Campaign>,
    arsenal: Arsenal,
}

/// Uses up one of a number of times, and returns what is to be done.
fn spend<T: Copy>(fault: &mut Option<(T, Times)>) -> Option<T> {
    let (what, times) = fault.as_mut()?;
    times.spend().then_some(*what)
}

impl Faults {
    /// None yet, of a protocol in which this can be wrong.
    pub fn new(arsenal: Arsenal) -> Self {
        Self {
            arsenal,
            ..Self::default()
        }
    }

    /// Puts a fault in force, beside those of other sorts.
    pub fn set(&mut self, fault: Fault) {
        let forgeries = Forgeries::new(self.arsenal.forgeries);
        match fault {
            Fault::None => *self = Self::new(std::mem::take(&mut self.arsenal)),
            Fault::OutOfOrder(_) => self.shuffle = true,
            Fault::Never(times) => self.never = Some(times),
            Fault::Late(delay, times) => self.late = Some((delay, times)),
            Fault::Spoil(mutation, times) => self.spoil = Some((mutation, times)),
            Fault::Break(breakage, times) => self.breakage = Some((breakage, times)),
            Fault::Crash(count) => self.crash = Some(count),
            Fault::RefuseType(irq_type, errno) => {
                self.refused.insert(irq_type, errno);
            }
            Fault::BadEvent(times) => self.bad_event = Some((times, forgeries)),
            Fault::StrayEvent(times) => self.stray = Some(times),
            Fault::BreakEvent(breakage, times) => self.event_breakage = Some((breakage, times)),
            Fault::Storm(weather) => self.storm = Some(Storm::new(weather, forgeries)),
            Fault::Loud => self.loud = true,
            Fault::Random {
                seed,
                rate,
                breaking,
            } => self.campaign = Some(Campaign::new(seed, rate, breaking)),
            Fault::Release => {}
        }
    }

    /// What is to be done with the next command's answer.
    pub fn plan(&mut self) -> Plan {
        if let Some(count) = &mut self.crash {
            *count = count.saturating_sub(1);
            if *count == 0 {
                return Plan {
                    crash: true,
                    ..Plan::default()
                };
            }
        }
        if self.never.as_mut().is_some_and(Times::spend) {
            return Plan {
                swallow: true,
                ..Plan::default()
            };
        }

        let mut plan = Plan {
            shuffle: self.shuffle,
            mutation: spend(&mut self.spoil),
            delay: spend(&mut self.late),
            breakage: spend(&mut self.breakage),
            ..Plan::default()
        };
        if let Some(campaign) = &mut self.campaign {
            campaign.plan(&mut plan, &self.arsenal);
        }
        plan
    }

    /// Whether the driver is interrupted even if it does not want that.
    pub fn is_loud(&self) -> bool {
        self.loud
    }

    /// The errno with which a type of interrupt is refused.
    pub fn refused(&self, irq_type: u32) -> Option<u16> {
        self.refused.get(&irq_type).copied()
    }

    /// What is to be done with the next event, which others may come before or not.
    pub fn event_plan(&mut self, others_before: bool) -> EventPlan {
        let mut plan = EventPlan::default();
        if let Some(breakage) = spend(&mut self.event_breakage) {
            plan.breakage = Some(breakage);
        } else if !others_before {
            // Those had their turn, or there is no room for them.
        } else if self.stray.as_mut().is_some_and(Times::spend) {
            plan.stray = true;
        } else if let Some(forgery) = self.bad_event() {
            plan.before = Some(forgery);
        } else if let Some(campaign) = &mut self.campaign {
            plan = campaign.event_plan(&self.arsenal);
        }
        plan
    }

    /// What is wrong with the event that is sent before the next real one, if one is.
    fn bad_event(&mut self) -> Option<Forgery> {
        let (times, forgeries) = self.bad_event.as_mut()?;
        match times.spend() {
            true => forgeries.next(),
            false => None,
        }
    }

    /// Whether a buffer that goes back without an event has one that nobody asked for.
    pub fn stray_back(&mut self) -> bool {
        self.stray.as_mut().is_some_and(Times::spend)
            || self.campaign.as_mut().is_some_and(Campaign::is_stray)
    }

    /// Where to begin to look for a line for the next stray event, of so many lines.
    pub fn next_stray(&mut self, lines: u16) -> u16 {
        let line = self.stray_line.checked_rem(lines).unwrap_or_default();
        self.stray_line = line.saturating_add(1);
        line
    }

    /// The next event of a storm, for a device with so many lines.
    pub fn gust(&mut self, lines: u16) -> Option<Gust> {
        self.storm.as_mut().map(|storm| storm.gust(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_in_force_for_as_long_as_it_was_asked_for() {
        let mut faults = Faults::default();
        assert_eq!(faults.plan(), Plan::default());
        faults.set("never 2".parse().unwrap());
        faults.set("errno 5".parse().unwrap());
        assert!(faults.plan().swallow);
        assert!(faults.plan().swallow);
        assert_eq!(faults.plan().refusal(), Some(5));
        assert_eq!(faults.plan(), Plan::default());
    }

    #[test]
    fn none_calls_all_off() {
        let mut faults = Faults::default();
        for fault in [
            "out-of-order",
            "never always",
            "late 5 always",
            "long always",
            "refuse-type 4 5",
            "bad-event always",
            "stray-event always",
            "duplicate always",
            "duplicate-event always",
            "crash 3",
            "random 1 1000 breaking",
            "storm mixed",
        ] {
            faults.set(fault.parse().unwrap());
        }
        faults.set(Fault::None);
        assert_eq!(faults.plan(), Plan::default());
        assert_eq!(faults.refused(4), None);
        assert_eq!(faults.event_plan(true), EventPlan::default());
        assert!(!faults.stray_back());
        assert_eq!(faults.gust(8), None);
    }

    #[test]
    fn several_types_can_be_refused() {
        let mut faults = Faults::default();
        for fault in ["refuse-type 4 95", "refuse-type 8 22", "refuse-type 4 5"] {
            faults.set(fault.parse().unwrap());
        }
        assert_eq!(faults.refused(4), Some(5));
        assert_eq!(faults.refused(8), Some(22));
        assert_eq!(faults.refused(1), None);
    }

    #[test]
    fn so_many_events_are_bad_as_were_asked_for() {
        let mut faults = Faults::new(Arsenal {
            forgeries: Forgery::OF_MESSAGES,
            ..Arsenal::default()
        });
        faults.set("bad-event 7".parse().unwrap());
        let bad: Vec<_> = (0..9).map(|_| faults.event_plan(true).before).collect();
        assert_eq!(bad[0], Some(Forgery::Empty));
        assert_eq!(bad[5], Some(Forgery::BadLevel));
        assert_eq!(bad[6], Some(Forgery::Empty));
        assert_eq!(bad[7..], [None, None]);
    }

    #[test]
    fn one_thing_goes_wrong_with_an_event() {
        let mut faults = Faults::new(Arsenal {
            forgeries: Forgery::OF_STATUS,
            ..Arsenal::default()
        });
        for fault in ["bad-event 1", "stray-event 2", "used-bad-id-event 1"] {
            faults.set(fault.parse().unwrap());
        }
        let mut next = |others_before| faults.event_plan(others_before);
        let wrong = EventPlan::default();
        let breakage = Some(Breakage::BadId);
        assert_eq!(next(true), EventPlan { breakage, ..wrong });
        // What comes before needs room for that.
        assert_eq!(next(false), wrong);
        for _ in 0..2 {
            let stray = true;
            assert_eq!(next(true), EventPlan { stray, ..wrong });
        }
        let before = Some(Forgery::Empty);
        assert_eq!(next(true), EventPlan { before, ..wrong });
        assert_eq!(next(true), wrong);
    }

    #[test]
    fn a_command_is_the_last_one() {
        let mut faults = Faults::default();
        faults.set("crash 3".parse().unwrap());
        let crashes: Vec<_> = (0..3).map(|_| faults.plan().crash).collect();
        assert_eq!(crashes, [false, false, true]);
    }

    #[test]
    fn stray_events_go_through_all_lines() {
        let mut faults = Faults::default();
        let lines: Vec<_> = (0..5).map(|_| faults.next_stray(3)).collect();
        assert_eq!(lines, [0, 1, 2, 0, 1]);
        assert_eq!(faults.next_stray(1), 0);
        assert_eq!(faults.next_stray(0), 0);
    }
}
