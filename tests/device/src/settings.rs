// SPDX-License-Identifier: GPL-2.0

//! A configuration, as it is written: words of a key and a value.

use thiserror::Error;

use crate::config::Configuration;

/// What can be configured, for those who ask.
pub const SETTINGS: &str = "[lines=N] [label=S] [nameK=S]... [version=N] [num-gpios=N] \
                            [names-size=N] [names-hex=HEX] [label-hex=HEX] [raw-hex=HEX] \
                            [changing=0|1]";

/// Why a word is not understood.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not {1}")]
pub struct SettingError(String, &'static str);

/// The number that a word has to be; `0x` before it makes it hexadecimal.
pub fn number<T: TryFrom<u64>>(word: &str) -> Option<T> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    T::try_from(number.ok()?).ok()
}

/// The bytes that are written as pairs of hexadecimal digits.
fn hex(word: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = word
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit))
            .collect(),
    )
}

/// One word: one thing that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The number of lines.
    Lines(u16),
    /// The device's name.
    Label(String),
    /// The name of a line.
    Name(u16, String),
    /// The version that is claimed.
    Version(u8),
    /// The number of lines that is claimed.
    NumGpios(u16),
    /// The size of the block of names that is claimed.
    NamesSize(u32),
    /// The block of names.
    Names(Vec<u8>),
    /// The bytes of the device's name.
    LabelBytes(Vec<u8>),
    /// The whole configuration space.
    Raw(Vec<u8>),
    /// Whether it changes between one look and the next.
    Changing(bool),
}

impl Setting {
    /// Understands a word.
    pub fn parse(word: &str) -> Result<Self, SettingError> {
        let bad = |word: &str, what| SettingError(word.to_string(), what);
        let (key, value) = word.split_once('=').ok_or_else(|| bad(word, "KEY=VALUE"))?;
        let lines = || number(value).ok_or_else(|| bad(value, "a number of lines"));
        let bytes = || hex(value).ok_or_else(|| bad(value, "an even number of hexadecimal digits"));

        Ok(match key {
            "lines" => Setting::Lines(lines()?),
            "label" => Setting::Label(value.to_string()),
            "version" => Setting::Version(number(value).ok_or_else(|| bad(value, "a byte"))?),
            "num-gpios" => Setting::NumGpios(lines()?),
            "names-size" => Setting::NamesSize(number(value).ok_or_else(|| bad(value, "a size"))?),
            "names-hex" => Setting::Names(bytes()?),
            "label-hex" => Setting::LabelBytes(bytes()?),
            "raw-hex" => Setting::Raw(bytes()?),
            "changing" => Setting::Changing(match value {
                "0" => false,
                "1" => true,
                _ => return Err(bad(value, "0 or 1")),
            }),
            _ => {
                let line = key
                    .strip_prefix("name")
                    .ok_or_else(|| bad(key, "something to configure"))?;
                let line = number(line).ok_or_else(|| bad(line, "the number of a line"))?;
                Setting::Name(line, value.to_string())
            }
        })
    }

    /// Makes it part of a configuration.
    pub fn apply(self, config: &mut Configuration) {
        let lies = &mut config.lies;
        match self {
            Setting::Lines(lines) => config.lines = lines,
            Setting::Label(label) => config.label = label,
            Setting::Name(line, name) => {
                config.names.insert(line, name);
            }
            Setting::Version(version) => lies.version = Some(version),
            Setting::NumGpios(lines) => lies.num_gpios = Some(lines),
            Setting::NamesSize(size) => lies.names_size = Some(size),
            Setting::Names(block) => lies.names = Some(block),
            Setting::LabelBytes(bytes) => lies.label = Some(bytes),
            Setting::Raw(space) => lies.raw = Some(space),
            Setting::Changing(changing) => lies.changing = changing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_setting_is_applied() {
        let mut config = Configuration::default();
        for word in [
            "lines=65535",
            "label=a b",
            "name3=x=y",
            "version=2",
            "num-gpios=0",
            "names-size=0xffffffff",
            "names-hex=41fF",
            "label-hex=",
            "raw-hex=01",
            "changing=1",
        ] {
            Setting::parse(word).unwrap().apply(&mut config);
        }
        let lies = &config.lies;
        assert_eq!((config.lines, config.label.as_str()), (u16::MAX, "a b"));
        assert_eq!(config.names, [(3, "x=y".to_string())].into());
        assert_eq!((lies.version, lies.num_gpios), (Some(2), Some(0)));
        assert_eq!(lies.names_size, Some(u32::MAX));
        assert_eq!(lies.names, Some(vec![0x41, 0xff]));
        assert_eq!((&lies.label, &lies.raw), (&Some(vec![]), &Some(vec![1])));
        assert!(lies.changing);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let error = |word| Setting::parse(word).unwrap_err().to_string();
        assert_eq!(error("lines"), "\"lines\" is not KEY=VALUE");
        assert_eq!(
            error("colour=1"),
            "\"colour\" is not something to configure"
        );
        assert_eq!(error("lines=65536"), "\"65536\" is not a number of lines");
        assert_eq!(
            error("names-size=4294967296"),
            "\"4294967296\" is not a size"
        );
        assert_eq!(error("changing=2"), "\"2\" is not 0 or 1");
        assert!(error("raw-hex=abc").contains("hexadecimal"));
        assert!(error("raw-hex=\u{e4}b").contains("hexadecimal"));
        assert!(error("version=256").contains("byte"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_through_hex(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut text = String::new();
            for byte in &bytes {
                text.push_str(&format!("{byte:02x}"));
            }
            prop_assert_eq!(hex(&text).unwrap(), bytes);
        }
    }
}
