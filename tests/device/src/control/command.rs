// SPDX-License-Identifier: GPL-2.0

//! The commands of the control channel, as they are written.

use std::num::NonZeroU32;

use gpio_virtio_logic::line::Level;
use thiserror::Error;

use super::words;
use crate::{
    config::Configuration,
    faults::{
        Fault,
        FaultError, //
    },
    settings::{
        self,
        Setting,
        SettingError, //
    },
    wires::Wire,
};

/// What there is, for those who ask.
pub const HELP: &str = "lines; get L; set L 0|1; burst L COUNT [HZ]; irq L; \
    wire FROM TO [inverted]; unwire FROM; watch; unwatch; \
    config SETTINGS; fault F; fault help; stats; reset-stats; sync WORD; help";

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An empty line.
    Nothing,
    /// How many lines are there?
    Lines,
    /// What is on a line?
    Get(u16),
    /// Drive a line from outside.
    Set(u16, Level),
    /// Toggle a line from outside: so often, and so many times a second.
    Burst(u16, NonZeroU32, Option<NonZeroU32>),
    /// What is a line armed for?
    Irq(u16),
    /// Let an output drive another line.
    Wire(u16, Wire),
    /// Stop that.
    Unwire(u16),
    /// Say what the driver does to outputs.
    Watch,
    /// Stop saying it.
    Unwatch,
    /// Replace the configuration; the number of lines is kept if it is not given.
    Config(Option<u16>, Configuration),
    /// Do something wrong.
    Fault(Fault),
    /// Say what can be done wrong.
    FaultHelp,
    /// Show the counters.
    Stats,
    /// Set the counters to zero.
    ResetStats,
    /// Say a word.
    Sync(String),
    /// Say what there is.
    Help,
}

/// Why a command is not understood.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CommandError {
    /// The line cannot be taken apart.
    #[error(transparent)]
    Words(#[from] words::WordsError),
    /// There is no such command.
    #[error("unknown command {0:?}; try help")]
    Unknown(String),
    /// A word is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A word is not what it has to be.
    #[error("{0:?} is not {1}")]
    Bad(String, &'static str),
    /// There are more words than the command takes.
    #[error("{0:?} is too much")]
    Excess(String),
    /// There is no such thing to configure.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no such fault.
    #[error(transparent)]
    Fault(#[from] FaultError),
}

type Result<T> = std::result::Result<T, CommandError>;

/// The number that a word has to be.
fn number<T: TryFrom<u64>>(word: &str, what: &'static str) -> Result<T> {
    settings::number(word).ok_or_else(|| CommandError::Bad(word.to_string(), what))
}

fn level(word: &str) -> Result<Level> {
    match word {
        "0" => Ok(Level::Low),
        "1" => Ok(Level::High),
        _ => Err(CommandError::Bad(word.to_string(), "0 or 1")),
    }
}

/// The number, at least 1, that a word has to be.
fn positive(word: &str, what: &'static str) -> Result<NonZeroU32> {
    NonZeroU32::new(number(word, what)?).ok_or_else(|| CommandError::Bad(word.to_string(), what))
}

fn inverted(word: Option<&str>) -> Result<bool> {
    match word {
        None => Ok(false),
        Some("inverted") => Ok(true),
        Some(word) => Err(CommandError::Bad(word.to_string(), "inverted")),
    }
}

fn config(words: impl Iterator<Item = String>) -> Result<Command> {
    let mut lines = None;
    let mut config = Configuration::default();
    for word in words {
        match Setting::parse(&word)? {
            // Without it, there are as many as before.
            Setting::Lines(count) => lines = Some(count),
            setting => setting.apply(&mut config),
        }
    }
    Ok(Command::Config(lines, config))
}

/// Understands a line.
pub fn parse(line: &str) -> Result<Command> {
    let mut words = words::split(line)?.into_iter();
    let Some(name) = words.next() else {
        return Ok(Command::Nothing);
    };
    let mut word = |what| words.next().ok_or(CommandError::Missing(what));

    const LINE: &str = "the number of a line";
    let command = match name.as_str() {
        "lines" => Command::Lines,
        "get" => Command::Get(number(&word(LINE)?, LINE)?),
        "set" => Command::Set(number(&word(LINE)?, LINE)?, level(&word("a level")?)?),
        "burst" => {
            const COUNT: &str = "a number of toggles";
            let line = number(&word(LINE)?, LINE)?;
            let count = positive(&word(COUNT)?, COUNT)?;
            let rate = words.next().map(|word| positive(&word, "a rate in Hz"));
            Command::Burst(line, count, rate.transpose()?)
        }
        "irq" => Command::Irq(number(&word(LINE)?, LINE)?),
        "wire" => {
            let from = number(&word(LINE)?, LINE)?;
            let to = number(&word(LINE)?, LINE)?;
            let inverted = inverted(words.next().as_deref())?;
            Command::Wire(from, Wire { to, inverted })
        }
        "unwire" => Command::Unwire(number(&word(LINE)?, LINE)?),
        "watch" => Command::Watch,
        "unwatch" => Command::Unwatch,
        "config" => return config(words),
        "fault" => {
            let fault = words.collect::<Vec<_>>().join(" ");
            if fault == "help" {
                return Ok(Command::FaultHelp);
            }
            return Ok(Command::Fault(fault.parse()?));
        }
        "stats" => Command::Stats,
        "reset-stats" => Command::ResetStats,
        "sync" => Command::Sync(word("a word")?),
        "help" => Command::Help,
        _ => return Err(CommandError::Unknown(name)),
    };

    match words.next() {
        None => Ok(command),
        Some(word) => Err(CommandError::Excess(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Lies;
    use proptest::prelude::*;

    fn ok(line: &str) -> Command {
        parse(line).unwrap()
    }

    #[test]
    fn commands_are_understood() {
        assert_eq!(ok(" "), Command::Nothing);
        assert_eq!(ok("lines"), Command::Lines);
        assert_eq!(ok(" get 7 "), Command::Get(7));
        assert_eq!(ok("set 65535 1"), Command::Set(65535, Level::High));
        let some = |number| NonZeroU32::new(number).unwrap();
        assert_eq!(ok("burst 3 1000"), Command::Burst(3, some(1000), None));
        assert_eq!(
            ok("burst 3 10 50000"),
            Command::Burst(3, some(10), Some(some(50_000)))
        );
        assert_eq!(ok("irq 7"), Command::Irq(7));
        let wire = |to, inverted| Wire { to, inverted };
        assert_eq!(ok("wire 1 2"), Command::Wire(1, wire(2, false)));
        assert_eq!(ok("wire 1 2 inverted"), Command::Wire(1, wire(2, true)));
        assert_eq!(ok("unwire 1"), Command::Unwire(1));
        assert_eq!(ok("watch"), Command::Watch);
        assert_eq!(ok("unwatch"), Command::Unwatch);
        assert_eq!(ok("fault none"), Command::Fault(Fault::None));
        assert_eq!(ok("fault help"), Command::FaultHelp);
        assert_eq!(ok("stats"), Command::Stats);
        assert_eq!(ok("reset-stats"), Command::ResetStats);
        assert_eq!(ok("sync x7"), Command::Sync("x7".to_string()));
        assert_eq!(ok("help"), Command::Help);
    }

    #[test]
    fn configurations_are_understood() {
        let expected = Configuration {
            lines: 0,
            label: "my panel".to_string(),
            names: [(0, "LED 0".to_string()), (3, "x=y".to_string())].into(),
            lies: Lies::default(),
        };
        assert_eq!(
            ok(r#"config lines=4 label="my panel" name0="LED 0" name3=x=y"#),
            Command::Config(Some(4), expected)
        );

        let lies = Lies {
            version: Some(2),
            num_gpios: Some(0),
            names_size: Some(u32::MAX),
            names: Some(vec![0x41, 0xff]),
            label: Some(vec![]),
            raw: Some(vec![1]),
            changing: true,
        };
        let line = "config version=2 num-gpios=0 names-size=0xffffffff names-hex=41fF label-hex= \
                    raw-hex=01 changing=1";
        let expected = Configuration {
            lies,
            ..Configuration::default()
        };
        assert_eq!(ok(line), Command::Config(None, expected));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let error = |line: &str| parse(line).unwrap_err().to_string();
        assert_eq!(error("get"), "the number of a line is missing");
        assert_eq!(error("get x"), "\"x\" is not the number of a line");
        assert_eq!(error("get 65536"), "\"65536\" is not the number of a line");
        assert_eq!(error("get -1"), "\"-1\" is not the number of a line");
        assert_eq!(error("set 1 2"), "\"2\" is not 0 or 1");
        assert_eq!(error("set 1 1 1"), "\"1\" is too much");
        assert_eq!(error("burst 1"), "a number of toggles is missing");
        assert_eq!(error("burst 1 0"), "\"0\" is not a number of toggles");
        assert_eq!(error("burst 1 1 0"), "\"0\" is not a rate in Hz");
        assert_eq!(error("burst 1 1 1 1"), "\"1\" is too much");
        assert_eq!(error("irq"), "the number of a line is missing");
        assert_eq!(error("wire 1"), "the number of a line is missing");
        assert_eq!(error("wire 1 2 x"), "\"x\" is not inverted");
        assert_eq!(error("unwire 1 2"), "\"2\" is too much");
        assert_eq!(error("gett"), "unknown command \"gett\"; try help");
        assert_eq!(error("config lines"), "\"lines\" is not KEY=VALUE");
        assert_eq!(
            error("config colour=1"),
            "\"colour\" is not something to configure"
        );
        assert!(error("config raw-hex=abc").contains("hexadecimal"));
        assert!(error("config version=256").contains("byte"));
        assert!(error("fault nonsense").contains("unknown fault"));
        assert!(error("config label=\"x").contains("quote"));
    }

    proptest! {
        #[test]
        fn an_error_is_one_line(line in "(config |fault |set |get |burst |wire )?\\PC{0,60}") {
            if let Err(error) = parse(&line) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}
