// SPDX-License-Identifier: GPL-2.0

//! What a device says about itself, truthfully or not.
//!
//! How it is laid out in the configuration space is up to the [`protocol`](crate::protocol).

use std::collections::BTreeMap;

use gpio_virtio_logic::{
    names,
    rfc::config::NAME_SIZE, //
};
use thiserror::Error;

/// Why a configuration is none that a device can have.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The label does not fit into its field.
    #[error("the label has {0} bytes, but there is room for {NAME_SIZE}")]
    LabelSize(usize),
    /// The label has a character that a driver would refuse.
    #[error("the label cannot be used: {0}")]
    Label(names::NamesError),
    /// A line's name has a character that a driver would refuse.
    #[error("the name of line {0} cannot be used: {1}")]
    Name(u16, names::NamesError),
    /// There is a name for a line that does not exist.
    #[error("there is a name for line {0}, but there are {1} lines")]
    NoSuchLine(u16, u16),
}

/// Fields that are given as they are, to see what a driver makes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lies {
    /// The version.
    pub version: Option<u8>,
    /// The number of lines.
    pub num_gpios: Option<u16>,
    /// The size of the block of names.
    pub names_size: Option<u32>,
    /// The block of names.
    pub names: Option<Vec<u8>>,
    /// The label; cut to the size of its field.
    pub label: Option<Vec<u8>>,
    /// The whole configuration space; all else is passed over.
    pub raw: Option<Vec<u8>>,
    /// Whether the numbers are others at every second look. It does nothing to `raw`.
    pub changing: bool,
}

/// The configuration of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// How many lines there are.
    pub lines: u16,
    /// The device's name; empty if it has none.
    pub label: String,
    /// Names of lines.
    pub names: BTreeMap<u16, String>,
    /// What is said instead of the truth.
    pub lies: Lies,
}

impl Configuration {
    /// Checks that an honest device could have it. The [lies](Lies) are not looked at.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.label.len() > NAME_SIZE {
            return Err(ConfigError::LabelSize(self.label.len()));
        }
        names::label(self.label.as_bytes()).map_err(ConfigError::Label)?;

        for (&line, name) in &self.names {
            if line >= self.lines {
                return Err(ConfigError::NoSuchLine(line, self.lines));
            }
            let mut block = name.clone().into_bytes();
            block.push(0);
            names::check(&block, 1).map_err(|error| ConfigError::Name(line, error))?;
        }
        Ok(())
    }

    /// The block of names: the names up to that of the last line that has one, each with its end.
    pub fn names_block(&self) -> Vec<u8> {
        if let Some(block) = &self.lies.names {
            return block.clone();
        }

        let mut block = Vec::new();
        let mut next = 0;
        for (&line, name) in self.all_names() {
            block.resize(block.len() + usize::from(line - next), 0);
            block.extend_from_slice(name.as_bytes());
            block.push(0);
            next = line.saturating_add(1);
        }
        block
    }

    /// The number of lines that is claimed.
    pub fn num_gpios(&self) -> u16 {
        self.lies.num_gpios.unwrap_or(self.lines)
    }

    /// What is claimed at every second look, if that is something else: half as many lines, so that
    /// each of them exists, and more bytes of names than there are.
    pub fn at_second_look(&self) -> Option<Self> {
        if !self.lies.changing {
            return None;
        }
        let size = u32::try_from(self.names_block().len()).unwrap_or(u32::MAX);
        let size = self.lies.names_size.unwrap_or(size);
        let more = size.saturating_add(u32::from(self.lines)).saturating_add(1);

        let mut other = self.clone();
        other.lies.num_gpios = Some(self.num_gpios() / 2);
        other.lies.names_size = Some(size.saturating_add(more));
        Some(other)
    }

    fn all_names(&self) -> impl DoubleEndedIterator<Item = (&u16, &String)> {
        self.names.iter().filter(|(_, name)| !name.is_empty())
    }

    /// The last line that has a name, and that name.
    pub fn last_name(&self) -> Option<(&u16, &String)> {
        self.all_names().next_back()
    }

    /// The bytes of the label.
    pub fn label_bytes(&self) -> &[u8] {
        match &self.lies.label {
            Some(label) => label,
            None => self.label.as_bytes(),
        }
    }
}

/// Part of a configuration space: what lies beyond its end reads as zero.
pub fn window(space: &[u8], offset: u32, size: u32) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or_default();
    let rest = usize::try_from(offset)
        .ok()
        .and_then(|offset| space.get(offset..))
        .unwrap_or_default();

    let mut bytes: Vec<u8> = rest.iter().copied().take(size).collect();
    bytes.resize(size, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use names::NamesError;
    use proptest::prelude::*;

    fn with_names(lines: u16, names: &[(u16, &str)]) -> Configuration {
        Configuration {
            lines,
            names: names
                .iter()
                .map(|&(line, name)| (line, name.to_string()))
                .collect(),
            ..Configuration::default()
        }
    }

    #[test]
    fn the_block_of_names_ends_with_the_last_name() {
        assert_eq!(with_names(8, &[]).names_block(), b"");
        assert_eq!(with_names(8, &[(0, "A")]).names_block(), b"A\0");
        assert_eq!(
            with_names(8, &[(1, "B"), (4, "EE")]).names_block(),
            b"\0B\0\0\0EE\0"
        );
        assert_eq!(with_names(8, &[(1, "B"), (4, "")]).names_block(), b"\0B\0");
        assert_eq!(
            with_names(u16::MAX, &[(65534, "Z")]).names_block().len(),
            65536
        );
    }

    #[test]
    fn what_a_driver_would_refuse_is_refused() {
        assert_eq!(with_names(8, &[(7, "x y")]).check(), Ok(()));
        assert_eq!(
            with_names(8, &[(8, "x")]).check(),
            Err(ConfigError::NoSuchLine(8, 8))
        );
        assert_eq!(
            with_names(8, &[(1, "\n")]).check(),
            Err(ConfigError::Name(1, NamesError::Byte(b'\n')))
        );
        // A NUL would make two names of one.
        assert!(with_names(8, &[(1, "a\0b")]).check().is_err());

        let label = |label: &str| Configuration {
            label: label.to_string(),
            ..Configuration::default()
        };
        assert_eq!(label(&"x".repeat(32)).check(), Ok(()));
        assert_eq!(
            label(&"x".repeat(33)).check(),
            Err(ConfigError::LabelSize(33))
        );
        assert!(matches!(label("é").check(), Err(ConfigError::Label(_))));
    }

    #[test]
    fn what_changes_is_different_and_no_line_is_made_up() {
        let mut config = with_names(9, &[(0, "A")]);
        assert_eq!(config.at_second_look(), None);
        config.lies.changing = true;
        let other = config.at_second_look().unwrap();
        assert_eq!((config.num_gpios(), other.num_gpios()), (9, 4));
        // More than with an end for each line, too.
        assert_eq!(other.lies.names_size, Some(2 + 2 + 9 + 1));
        config.lies.names_size = Some(u32::MAX);
        let other = config.at_second_look().unwrap();
        assert_eq!(other.lies.names_size, Some(u32::MAX));
    }

    proptest! {
        #[test]
        fn the_drivers_parser_reads_what_we_write(
            names in proptest::collection::btree_map(0u16..50, "[ -~]{0,12}", 0..20)
        ) {
            let config = Configuration { lines: 50, names: names.clone(), ..Configuration::default() };
            prop_assert_eq!(config.check(), Ok(()));
            let block = config.names_block();
            prop_assert_eq!(names::check(&block, 50), Ok(()));
            let mut read: Vec<_> = names::Names::new(&block).collect();
            read.resize(50, b"");
            for (line, name) in (0..).zip(read) {
                prop_assert_eq!(names.get(&line).map(String::as_bytes).unwrap_or_default(), name);
            }
        }

        #[test]
        fn a_window_has_its_size_and_zeros_beyond_the_end(
            space in proptest::collection::vec(1u8.., 0..100), offset in 0u32..200, size in 0u32..200
        ) {
            let window = window(&space, offset, size);
            prop_assert_eq!(window.len(), size as usize);
            for (index, &byte) in window.iter().enumerate() {
                let there = space.get(offset as usize + index).copied().unwrap_or_default();
                prop_assert_eq!(byte, there);
            }
        }
    }

    #[test]
    fn a_window_far_away_is_zeros() {
        assert_eq!(window(b"abc", u32::MAX, 4), [0; 4]);
    }
}
