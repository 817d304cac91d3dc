// SPDX-License-Identifier: GPL-2.0

//! What the device does wrong, because it was told to.
//!
//! One fault of each sort can be in force: an order, a number of commands to swallow, a delay, one
//! way to spoil replies, malformed events, and a storm of events; and a refusal for each type of
//! interrupt.

use std::{
    collections::BTreeMap,
    str::FromStr,
    time::Duration, //
};

use thiserror::Error;

use crate::{
    forgery::{
        Forgeries,
        Forgery,
        Gust,
        Storm,
        Weather, //
    },
    irq,
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
    /// Refuse to arm lines for this type of interrupt, with this errno.
    RefuseType(u32, u16),
    /// Send malformed events before real ones.
    BadEvent(Times),
    /// Send events without end.
    Storm(Weather),
}

/// Why a fault is not understood.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    /// There is no fault of this name.
    #[error("unknown fault {0:?}; there are: {FAULTS}")]
    Unknown(String),
    /// Something is missing that the fault needs.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Something is not the number, or the word, that it has to be.
    #[error("{0:?} is not {1}")]
    Number(String, &'static str),
    /// There is more than the fault takes.
    #[error("{0:?} is too much")]
    Excess(String),
    /// There is nothing in the protocol that could be wrong in this way.
    #[error("a reply has no {0} in this protocol")]
    NoSuchField(&'static str),
}

/// What can be asked for.
pub const FAULTS: &str = "none, out-of-order [SEED], never [COUNT|always], release, \
                          late MS [COUNT|always], and with [COUNT|always]: short, long, \
                          empty-reply, bad-type, bad-line, bad-value, bad-errno, bad-status, \
                          errno N; and \
                          for events: refuse-type T ERRNO, bad-event [COUNT|always], \
                          storm valid|invalid|mixed";

fn number<T: FromStr>(word: Option<&str>, what: &'static str) -> Result<T, FaultError> {
    let word = word.ok_or(FaultError::Missing(what))?;
    word.parse()
        .map_err(|_| FaultError::Number(word.to_string(), what))
}

fn times(word: Option<&str>, what: &'static str) -> Result<Times, FaultError> {
    match word {
        None => Ok(Times::Next(1)),
        Some("always") => Ok(Times::Always),
        Some(_) => number(word, what).map(Times::Next),
    }
}

fn irq_type(word: Option<&str>) -> Result<u32, FaultError> {
    let what = "a type of interrupt from 0 to 15";
    let value = number(word, what)?;
    match value {
        0..=irq::LARGEST => Ok(value),
        _ => Err(FaultError::Number(value.to_string(), what)),
    }
}

fn weather(word: Option<&str>) -> Result<Weather, FaultError> {
    let what = "valid, invalid or mixed";
    match word.ok_or(FaultError::Missing(what))? {
        "valid" => Ok(Weather::Valid),
        "invalid" => Ok(Weather::Invalid),
        "mixed" => Ok(Weather::Mixed),
        word => Err(FaultError::Number(word.to_string(), what)),
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut words = text.split([' ', '\t', ':']).filter(|word| !word.is_empty());
        let name = words.next().ok_or(FaultError::Missing("the fault"))?;
        let commands = "a number of commands";

        let fault = match name {
            "none" => Fault::None,
            "release" => Fault::Release,
            "out-of-order" => Fault::OutOfOrder(match words.next() {
                None => None,
                word => Some(number(word, "a seed")?),
            }),
            "never" => Fault::Never(times(words.next(), commands)?),
            "late" => {
                let ms = number(words.next(), "a number of milliseconds")?;
                Fault::Late(Duration::from_millis(ms), times(words.next(), commands)?)
            }
            "refuse-type" => {
                let irq_type = irq_type(words.next())?;
                Fault::RefuseType(irq_type, number(words.next(), "an errno")?)
            }
            "bad-event" => Fault::BadEvent(times(words.next(), "a number of events")?),
            "storm" => Fault::Storm(weather(words.next())?),
            _ => {
                let mutation = match name {
                    "short" => Mutation::Short,
                    "long" => Mutation::Long,
                    "empty-reply" => Mutation::Empty,
                    "bad-type" => Mutation::BadType,
                    "bad-line" => Mutation::BadLine,
                    "bad-value" => Mutation::BadValue,
                    "bad-errno" => Mutation::BadErrno,
                    "bad-status" => Mutation::BadStatus,
                    "errno" => Mutation::Errno(number(words.next(), "an errno")?),
                    _ => return Err(FaultError::Unknown(name.to_string())),
                };
                Fault::Spoil(mutation, times(words.next(), commands)?)
            }
        };

        match words.next() {
            None => Ok(fault),
            Some(word) => Err(FaultError::Excess(word.to_string())),
        }
    }
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
    /// By type of interrupt, the errno.
    refused: BTreeMap<u32, u16>,
    bad_event: Option<(Times, Forgeries)>,
    storm: Option<Storm>,
    /// What can be wrong with an event.
    forgeries: Forgeries,
}

impl Faults {
    /// None yet, of a protocol in which this can be wrong with an event.
    pub fn new(forgeries: Forgeries) -> Self {
        Self {
            forgeries,
            ..Self::default()
        }
    }

    /// Puts a fault in force, beside those of other sorts.
    pub fn set(&mut self, fault: Fault) {
        match fault {
            Fault::None => *self = Self::new(self.forgeries),
            Fault::OutOfOrder(_) => self.shuffle = true,
            Fault::Never(times) => self.never = Some(times),
            Fault::Late(delay, times) => self.late = Some((delay, times)),
            Fault::Spoil(mutation, times) => self.spoil = Some((mutation, times)),
            Fault::RefuseType(irq_type, errno) => {
                self.refused.insert(irq_type, errno);
            }
            Fault::BadEvent(times) => self.bad_event = Some((times, self.forgeries)),
            Fault::Storm(weather) => self.storm = Some(Storm::new(weather, self.forgeries)),
            Fault::Release => {}
        }
    }

    /// What is to be done with the next command's answer.
    pub fn plan(&mut self) -> Plan {
        if self.never.as_mut().is_some_and(Times::spend) {
            return Plan {
                swallow: true,
                ..Plan::default()
            };
        }

        let mut plan = Plan {
            shuffle: self.shuffle,
            ..Plan::default()
        };
        if let Some((mutation, times)) = &mut self.spoil {
            plan.mutation = times.spend().then_some(*mutation);
        }
        if let Some((delay, times)) = &mut self.late {
            plan.delay = times.spend().then_some(*delay);
        }
        plan
    }

    /// The errno with which a type of interrupt is refused.
    pub fn refused(&self, irq_type: u32) -> Option<u16> {
        self.refused.get(&irq_type).copied()
    }

    /// What is wrong with the event that is sent before the next real one, if one is.
    pub fn bad_event(&mut self) -> Option<Forgery> {
        let (times, forgeries) = self.bad_event.as_mut()?;
        match times.spend() {
            true => forgeries.next(),
            false => None,
        }
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
    fn faults_are_understood_with_blanks_and_colons() {
        let ok = |text: &str| text.parse::<Fault>().unwrap();
        assert_eq!(ok("none"), Fault::None);
        assert_eq!(ok("out-of-order"), Fault::OutOfOrder(None));
        assert_eq!(ok("out-of-order 7"), Fault::OutOfOrder(Some(7)));
        assert_eq!(ok("never"), Fault::Never(Times::Next(1)));
        assert_eq!(ok("never:3"), Fault::Never(Times::Next(3)));
        assert_eq!(ok("never always"), Fault::Never(Times::Always));
        assert_eq!(
            ok("late 20"),
            Fault::Late(Duration::from_millis(20), Times::Next(1))
        );
        assert_eq!(
            ok("late:20:always"),
            Fault::Late(Duration::from_millis(20), Times::Always)
        );
        assert_eq!(
            ok("errno 5 2"),
            Fault::Spoil(Mutation::Errno(5), Times::Next(2))
        );
        assert_eq!(
            ok("short always"),
            Fault::Spoil(Mutation::Short, Times::Always)
        );
        assert_eq!(ok("refuse-type 4 95"), Fault::RefuseType(4, 95));
        assert_eq!(ok("refuse-type:0:5"), Fault::RefuseType(0, 5));
        assert_eq!(ok("bad-event"), Fault::BadEvent(Times::Next(1)));
        assert_eq!(ok("bad-event 6"), Fault::BadEvent(Times::Next(6)));
        assert_eq!(ok("bad-event:always"), Fault::BadEvent(Times::Always));
        assert_eq!(ok("storm valid"), Fault::Storm(Weather::Valid));
        assert_eq!(ok("storm:invalid"), Fault::Storm(Weather::Invalid));
        assert_eq!(ok("storm mixed"), Fault::Storm(Weather::Mixed));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let error = |text: &str| text.parse::<Fault>().unwrap_err();
        assert!(error("").to_string().contains("missing"));
        assert!(error("nonsense").to_string().contains("out-of-order"));
        assert_eq!(error("errno"), FaultError::Missing("an errno"));
        assert_eq!(
            error("never x"),
            FaultError::Number("x".into(), "a number of commands")
        );
        assert_eq!(error("never 1 2"), FaultError::Excess("2".into()));
        assert!(error("late -1").to_string().contains("milliseconds"));
        assert!(error("refuse-type 16 5").to_string().contains("0 to 15"));
        assert!(error("refuse-type high 5").to_string().contains("0 to 15"));
        assert_eq!(error("refuse-type 4"), FaultError::Missing("an errno"));
        assert_eq!(
            error("bad-event x"),
            FaultError::Number("x".into(), "a number of events")
        );
        assert!(error("storm").to_string().contains("mixed is missing"));
        assert!(error("storm 3").to_string().contains("is not valid,"));
    }

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
            "storm mixed",
        ] {
            faults.set(fault.parse().unwrap());
        }
        faults.set(Fault::None);
        assert_eq!(faults.plan(), Plan::default());
        assert_eq!(faults.refused(4), None);
        assert_eq!(faults.bad_event(), None);
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
        let mut faults = Faults::new(Forgeries::new(Forgery::OF_MESSAGES));
        faults.set("bad-event 7".parse().unwrap());
        let bad: Vec<_> = (0..9).map(|_| faults.bad_event()).collect();
        assert_eq!(bad[0], Some(Forgery::Empty));
        assert_eq!(bad[5], Some(Forgery::BadLevel));
        assert_eq!(bad[6], Some(Forgery::Empty));
        assert_eq!(bad[7..], [None, None]);
    }
}
