// SPDX-License-Identifier: GPL-2.0

//! Configuration spaces of the RFC's devices: which are those of GPIO devices, and what they are called.

use super::names;
use gpio_virtio_logic::{
    names::label,
    rfc::config::{
        self,
        ConfigError, //
    },
};

/// Runs an input: the bytes of a configuration space.
pub fn config(data: &[u8]) {
    let Some((fixed, block)) = data.split_at_checked(config::NAMES) else {
        let error = ConfigError::Size(data.len());
        assert!(error.to_string().contains(&data.len().to_string()));
        return;
    };
    let version = fixed[config::VERSION];
    let lines = u16::from_le_bytes([fixed[config::NUM_GPIOS], fixed[config::NUM_GPIOS + 1]]);
    let name = &fixed[config::NAME..][..config::NAME_SIZE];

    let result = config::check(version, lines);
    assert_eq!(
        result,
        match (version, lines) {
            (1, 0) => Err(ConfigError::NoLines),
            (1, _) => Ok(()),
            (other, _) => Err(ConfigError::Version(other)),
        }
    );
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }

    let found = label(name).ok().map(|label| label.map(<[u8]>::to_vec));
    assert_eq!(found, names::oracle::simple_label(name));
    names::look_at(block, lines);
}
