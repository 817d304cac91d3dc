// SPDX-License-Identifier: GPL-2.0

//! Faults, as they are written.

use std::{
    str::FromStr,
    time::Duration, //
};

use thiserror::Error;

use super::{
    campaign::WHOLE,
    Fault,
    Mutation,
    Times, //
};
use crate::{
    forgery::Weather,
    irq,
    ring::Breakage, //
};

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
                          late MS [COUNT|always], crash [COUNT], and with [COUNT|always]: short, \
                          long, empty-reply, bad-type, bad-line, bad-value, bad-errno, \
                          bad-status, errno N, duplicate, used-bad-id; for events: refuse-type T \
                          ERRNO, storm valid|invalid|mixed, and with [COUNT|always]: bad-event, \
                          stray-event, duplicate-event, used-bad-id-event; and for both: random \
                          SEED RATE [breaking], with RATE out of 1000; loud";

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

/// A number of commands, at least one.
fn count(word: Option<&str>, what: &'static str) -> Result<u32, FaultError> {
    match word {
        None => Ok(1),
        Some(word) => match number(Some(word), what)? {
            0 => Err(FaultError::Number(word.to_string(), what)),
            count => Ok(count),
        },
    }
}

fn rate(word: Option<&str>) -> Result<u16, FaultError> {
    let what = "a rate from 0 to 1000";
    let value = number(word, what)?;
    match value {
        0..=WHOLE => Ok(value),
        _ => Err(FaultError::Number(value.to_string(), what)),
    }
}

fn breaking(word: Option<&str>) -> Result<bool, FaultError> {
    match word {
        None => Ok(false),
        Some("breaking") => Ok(true),
        Some(word) => Err(FaultError::Number(word.to_string(), "breaking")),
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
        let events = "a number of events";

        let fault = match name {
            "none" => Fault::None,
            "release" => Fault::Release,
            "loud" => Fault::Loud,
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
            "bad-event" => Fault::BadEvent(times(words.next(), events)?),
            "stray-event" => Fault::StrayEvent(times(words.next(), events)?),
            "duplicate-event" => Fault::BreakEvent(Breakage::Twice, times(words.next(), events)?),
            "used-bad-id-event" => Fault::BreakEvent(Breakage::BadId, times(words.next(), events)?),
            "duplicate" => Fault::Break(Breakage::Twice, times(words.next(), commands)?),
            "used-bad-id" => Fault::Break(Breakage::BadId, times(words.next(), commands)?),
            "crash" => Fault::Crash(count(words.next(), commands)?),
            "random" => Fault::Random {
                seed: number(words.next(), "a seed")?,
                rate: rate(words.next())?,
                breaking: breaking(words.next())?,
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_understood_with_blanks_and_colons() {
        let ok = |text: &str| text.parse::<Fault>().unwrap();
        assert_eq!(ok("none"), Fault::None);
        assert_eq!(ok("loud"), Fault::Loud);
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
        assert_eq!(ok("stray-event 2"), Fault::StrayEvent(Times::Next(2)));
        assert_eq!(
            ok("duplicate"),
            Fault::Break(Breakage::Twice, Times::Next(1))
        );
        assert_eq!(
            ok("used-bad-id 4"),
            Fault::Break(Breakage::BadId, Times::Next(4))
        );
        assert_eq!(
            ok("duplicate-event:always"),
            Fault::BreakEvent(Breakage::Twice, Times::Always)
        );
        assert_eq!(
            ok("used-bad-id-event"),
            Fault::BreakEvent(Breakage::BadId, Times::Next(1))
        );
        assert_eq!(ok("crash"), Fault::Crash(1));
        assert_eq!(ok("crash 9"), Fault::Crash(9));
        let random = |seed, rate, breaking| Fault::Random {
            seed,
            rate,
            breaking,
        };
        assert_eq!(ok("random 7 1000"), random(7, 1000, false));
        assert_eq!(ok("random 7:0:breaking"), random(7, 0, true));
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
        assert!(error("crash 0").to_string().contains("commands"));
        assert!(error("crash always").to_string().contains("commands"));
        assert_eq!(error("random"), FaultError::Missing("a seed"));
        assert!(error("random 1").to_string().contains("0 to 1000"));
        assert!(error("random 1 1001").to_string().contains("0 to 1000"));
        assert!(error("random 1 1 x").to_string().contains("not breaking"));
        assert!(error("storm").to_string().contains("mixed is missing"));
        assert!(error("storm 3").to_string().contains("is not valid,"));
    }
}
