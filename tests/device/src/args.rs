// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::{
    path::PathBuf,
    time::Duration, //
};

use anyhow::{
    bail,
    Result, //
};
use clap::{
    Parser,
    ValueEnum, //
};

use crate::{
    config::Configuration,
    faults::Fault,
    protocol::{
        rfc::Rfc,
        standard::Standard,
        Protocol,
        When, //
    },
    settings::Setting,
};

/// More than this a vhost-user front end such as QEMU does not pass on.
pub const FRONT_END_LIMIT: usize = 256;

/// A vhost-user GPIO device with simulated lines, to test drivers against.
///
/// It serves one front end after another until it gets SIGTERM or SIGINT; lines keep the levels
/// that were set from outside. RUST_LOG=info or debug says what happens.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Where to listen for vhost-user front ends
    #[arg(
        long,
        value_name = "PATH",
        required_unless_present = "print_config_size"
    )]
    pub socket: Option<PathBuf>,

    /// What to speak
    #[arg(long, value_enum)]
    pub protocol: ProtocolName,

    /// How many lines there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub lines: u16,

    /// The device's name, up to 32 characters; standard: it has no place for one
    #[arg(long, value_name = "S", default_value = "")]
    pub label: String,

    /// Name of a line; as often as needed
    #[arg(long = "name", value_name = "OFFSET=NAME", value_parser = parse_name)]
    pub names: Vec<(u16, String)>,

    /// rfc: offer interrupts, so that the driver can say which changes to report (feature bit 0)
    ///
    /// Without it, or if the driver does not accept it, all changes are reported.
    #[arg(long)]
    pub irq_type: bool,

    /// standard: offer no interrupts (feature bit 0)
    #[arg(long)]
    pub no_irq: bool,

    /// standard: when the buffer of an interrupt that is disabled comes back, seen from the reply:
    /// before it, after it, or late:MS, so many milliseconds later
    #[arg(long, value_name = "WHEN", value_parser = parse_when)]
    pub invalid: Option<When>,

    /// Where to listen for the control channel ("help" there tells the rest)
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Something to do wrong from the start; as often as needed ("help" on the control channel
    /// lists them; a colon can stand for a blank: "late:20:always")
    #[arg(long = "fault", value_name = "F")]
    pub faults: Vec<Fault>,

    /// Something of the configuration that need not be true, as "config" on the control channel takes
    /// it: num-gpios=0, names-size=4294967295, changing=1, ...; as often as needed
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = Setting::parse)]
    pub settings: Vec<Setting>,

    /// Print the size of the configuration space, for a front end's command line, and do nothing
    #[arg(long)]
    pub print_config_size: bool,

    /// Allow a configuration space of more than 256 bytes (QEMU does not)
    #[arg(long)]
    pub allow_large_config: bool,
}

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolName {
    /// Device ID 30, the protocol of the RFC
    Rfc,
    /// Device ID 41, the VIRTIO standard
    Standard,
}

fn parse_when(text: &str) -> Result<When, String> {
    match text {
        "before" => Ok(When::Before),
        "after" => Ok(When::After),
        _ => text
            .strip_prefix("late:")
            .and_then(|ms| ms.parse().ok())
            .map(|ms| When::Late(Duration::from_millis(ms)))
            .ok_or_else(|| "should be before, after or late:MS".to_string()),
    }
}

fn parse_name(text: &str) -> Result<(u16, String), String> {
    let (line, name) = text
        .split_once('=')
        .ok_or_else(|| "should be OFFSET=NAME".to_string())?;
    let line = line
        .parse()
        .map_err(|_| format!("{line:?} is not the number of a line"))?;
    Ok((line, name.to_string()))
}

impl Args {
    /// What is asked for as a device's side of a protocol.
    pub fn make_protocol(&self) -> Box<dyn Protocol> {
        match self.protocol {
            ProtocolName::Rfc => Box::new(Rfc::new(self.irq_type)),
            ProtocolName::Standard => Box::new(Standard::new(
                !self.no_irq,
                self.invalid.unwrap_or_default(),
            )),
        }
    }

    /// Checks that all options are for the protocol.
    pub fn check(&self) -> Result<()> {
        let (other, strays) = match self.protocol {
            ProtocolName::Rfc => (
                "standard",
                [
                    ("--no-irq", self.no_irq),
                    ("--invalid", self.invalid.is_some()),
                ],
            ),
            ProtocolName::Standard => ("rfc", [("--irq-type", self.irq_type), ("", false)]),
        };
        if let Some((stray, _)) = strays.iter().find(|(_, given)| *given) {
            bail!("{stray} is for --protocol {other}");
        }
        let protocol = self.make_protocol();
        for &fault in &self.faults {
            if let Fault::Spoil(mutation, _) = fault {
                protocol.check_mutation(mutation)?;
            }
        }
        Ok(())
    }

    /// The configuration that is asked for, checked.
    pub fn configuration(&self) -> Result<Configuration> {
        let mut config = Configuration {
            lines: self.lines,
            label: self.label.clone(),
            names: self.names.iter().cloned().collect(),
            ..Configuration::default()
        };
        for setting in self.settings.iter().cloned() {
            setting.apply(&mut config);
        }
        config.check()?;

        let size = self.make_protocol().config_space(&config).len();
        if size > FRONT_END_LIMIT && !self.allow_large_config {
            bail!(
                "the names take {} bytes, so the configuration space would have {size}, but QEMU \
                 passes on no more than {FRONT_END_LIMIT} (--allow-large-config for other front \
                 ends)",
                config.names_block().len()
            );
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Args {
        parse_for("rfc", args)
    }

    fn parse_for(protocol: &str, args: &[&str]) -> Args {
        let fixed = ["vhost-gpio", "--protocol", protocol, "--socket", "/x"];
        Args::try_parse_from(fixed.iter().chain(args)).unwrap()
    }

    #[test]
    fn a_configuration_is_built() {
        let args = parse(&[
            "--lines", "4", "--name", "3=a=b", "--name", "0=x", "--label", "L",
        ]);
        let config = args.configuration().unwrap();
        assert_eq!(config.names_block(), b"x\0\0\0a=b\0");
        assert_eq!((config.lines, config.label.as_str()), (4, "L"));
    }

    #[test]
    fn a_configuration_that_qemu_cannot_pass_on_is_refused() {
        let long = format!("0={}", "x".repeat(191));
        assert!(parse(&["--lines", "1", "--name", &long])
            .configuration()
            .is_ok());
        let long = format!("0={}", "x".repeat(192));
        let args = parse(&["--lines", "1", "--name", &long]);
        assert!(args
            .configuration()
            .unwrap_err()
            .to_string()
            .contains("257"));
        let args = parse(&["--lines", "1", "--name", &long, "--allow-large-config"]);
        assert!(args.configuration().is_ok());
    }

    #[test]
    fn a_configuration_can_lie_from_the_start() {
        let config = |settings: &[&str]| {
            let settings = settings.iter().flat_map(|&setting| ["--config", setting]);
            let args: Vec<_> = ["--lines", "4"].into_iter().chain(settings).collect();
            parse(&args).configuration()
        };
        let lies = config(&["num-gpios=0", "names-size=0xffffffff", "changing=1"]);
        let lies = lies.unwrap().lies;
        assert_eq!((lies.num_gpios, lies.names_size), (Some(0), Some(u32::MAX)));
        assert!(lies.changing);
        assert_eq!(config(&["lines=65535"]).unwrap().lines, u16::MAX);
        assert_eq!(config(&["lines=0"]).unwrap().lines, 0);
        assert_eq!(config(&[]).unwrap().lies, Default::default());
        assert!(config(&["name4=x"]).is_err());
        let fixed = ["vhost-gpio", "--protocol", "rfc", "--socket", "/x"];
        let bad = ["--lines", "4", "--config", "colour=1"];
        assert!(Args::try_parse_from(fixed.iter().chain(&bad)).is_err());
    }

    #[test]
    fn faults_are_parsed() {
        let args = parse(&[
            "--lines",
            "1",
            "--fault",
            "never:2",
            "--fault",
            "out-of-order 5",
            "--fault",
            "storm:mixed",
            "--fault",
            "refuse-type:4:95",
        ]);
        assert_eq!(args.faults.len(), 4);
    }

    #[test]
    fn interrupts_are_offered_if_asked_for() {
        assert_eq!(parse(&["--lines", "1"]).make_protocol().features(), 0);
        let args = parse(&["--lines", "1", "--irq-type"]);
        assert_eq!(args.make_protocol().features(), 1);
    }

    #[test]
    fn a_standard_device_has_interrupts_unless_told_otherwise() {
        let args = parse_for("standard", &["--lines", "1"]);
        assert_eq!(args.make_protocol().features(), 1);
        let args = parse_for("standard", &["--lines", "1", "--no-irq"]);
        assert_eq!(args.make_protocol().features(), 0);
    }

    #[test]
    fn buffers_come_back_as_they_are_told_to() {
        let ms = |ms| When::Late(Duration::from_millis(ms));
        assert_eq!(parse_when("before"), Ok(When::Before));
        assert_eq!(parse_when("after"), Ok(When::After));
        assert_eq!(parse_when("late:20"), Ok(ms(20)));
        for text in ["", "late", "late:", "late:x", "late:-1", "never"] {
            assert!(parse_when(text).is_err(), "{text}");
        }
    }

    #[test]
    fn options_are_for_their_protocol() {
        let check = |protocol, option: &[&str]| {
            let args = [&["--lines", "1"], option].concat();
            parse_for(protocol, &args).check().is_ok()
        };
        for (option, rfc, standard) in [
            (&["--irq-type"][..], true, false),
            (&["--no-irq"], false, true),
            (&["--invalid", "before"], false, true),
            (&["--label", "x"], true, true),
            (&["--fault", "bad-type"], true, false),
            (&["--fault", "bad-status"], false, true),
            (&["--fault", "never"], true, true),
        ] {
            assert_eq!(check("rfc", option), rfc, "{option:?}");
            assert_eq!(check("standard", option), standard, "{option:?}");
        }
    }
}
