// SPDX-License-Identifier: GPL-2.0

//! What the device does wrong, because it was told to.
//!
//! One fault of each sort can be in force: an order, a number of commands to swallow, a delay, and
//! one way to spoil replies.

use std::{
    str::FromStr,
    time::Duration, //
};

use thiserror::Error;

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
    /// A refusal with this errno; the command is not carried out.
    Errno(u16),
}

/// For how many commands a fault is in force.
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
    /// Something is not the number that it has to be.
    #[error("{0:?} is not {1}")]
    Number(String, &'static str),
    /// There is more than the fault takes.
    #[error("{0:?} is too much")]
    Excess(String),
}

/// What can be asked for.
pub const FAULTS: &str = "none, out-of-order [SEED], never [COUNT|always], release, \
                          late MS [COUNT|always], and with [COUNT|always]: short, long, \
                          empty-reply, bad-type, bad-line, bad-value, bad-errno, errno N";

fn number<T: FromStr>(word: Option<&str>, what: &'static str) -> Result<T, FaultError> {
    let word = word.ok_or(FaultError::Missing(what))?;
    word.parse()
        .map_err(|_| FaultError::Number(word.to_string(), what))
}

fn times(word: Option<&str>) -> Result<Times, FaultError> {
    match word {
        None => Ok(Times::Next(1)),
        Some("always") => Ok(Times::Always),
        Some(_) => number(word, "a number of commands").map(Times::Next),
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut words = text.split([' ', '\t', ':']).filter(|word| !word.is_empty());
        let name = words.next().ok_or(FaultError::Missing("the fault"))?;

        let fault = match name {
            "none" => Fault::None,
            "release" => Fault::Release,
            "out-of-order" => Fault::OutOfOrder(match words.next() {
                None => None,
                word => Some(number(word, "a seed")?),
            }),
            "never" => Fault::Never(times(words.next())?),
            "late" => {
                let ms = number(words.next(), "a number of milliseconds")?;
                Fault::Late(Duration::from_millis(ms), times(words.next())?)
            }
            _ => {
                let mutation = match name {
                    "short" => Mutation::Short,
                    "long" => Mutation::Long,
                    "empty-reply" => Mutation::Empty,
                    "bad-type" => Mutation::BadType,
                    "bad-line" => Mutation::BadLine,
                    "bad-value" => Mutation::BadValue,
                    "bad-errno" => Mutation::BadErrno,
                    "errno" => Mutation::Errno(number(words.next(), "an errno")?),
                    _ => return Err(FaultError::Unknown(name.to_string())),
                };
                Fault::Spoil(mutation, times(words.next())?)
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
}

impl Faults {
    /// Puts a fault in force, beside those of other sorts.
    pub fn set(&mut self, fault: Fault) {
        match fault {
            Fault::None => *self = Self::default(),
            Fault::OutOfOrder(_) => self.shuffle = true,
            Fault::Never(times) => self.never = Some(times),
            Fault::Late(delay, times) => self.late = Some((delay, times)),
            Fault::Spoil(mutation, times) => self.spoil = Some((mutation, times)),
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
        ] {
            faults.set(fault.parse().unwrap());
        }
        faults.set(Fault::None);
        assert_eq!(faults.plan(), Plan::default());
    }
}
