// SPDX-License-Identifier: GPL-2.0

//! Which configurations are those of our devices, and where their fields are.

use gpio_virtio_logic::rfc::config::{
    self,
    check,
    ConfigError, //
};

#[test]
fn fields_are_where_the_protocol_has_them() {
    assert_eq!(config::VERSION, 0);
    assert_eq!(config::NUM_GPIOS, 2);
    assert_eq!(config::NAMES_SIZE, 4);
    assert_eq!(config::NAME, 0x20);
    assert_eq!(config::NAME_SIZE, 32);
    assert_eq!(config::NAMES, 0x40);
    assert_eq!(config::VERSION_1, 1);
}

#[test]
fn only_version_1_with_lines_is_ours() {
    for version in 0..=u8::MAX {
        for lines in [0, 1, 2, 255, 256, 0x7fff, 0x8000, u16::MAX] {
            let expected = match (version, lines) {
                (1, 0) => Err(ConfigError::NoLines),
                (1, _) => Ok(()),
                _ => Err(ConfigError::Version(version)),
            };
            assert_eq!(check(version, lines), expected);
        }
    }
}

#[test]
fn errors_can_be_shown() {
    for error in [
        ConfigError::Size(63),
        ConfigError::Version(7),
        ConfigError::NoLines,
    ] {
        assert!(error.to_string().len() > 5);
    }
    assert!(ConfigError::Size(63).to_string().contains("63"));
    assert!(ConfigError::Version(7).to_string().contains('7'));
}
