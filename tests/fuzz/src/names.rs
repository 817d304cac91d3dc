// SPDX-License-Identifier: GPL-2.0

//! Blocks of names, and numbers of lines that may not fit.

#[path = "../../logic/tests/oracles/names.rs"]
pub(crate) mod oracle;

use gpio_virtio_logic::names::{
    check,
    label,
    Names, //
};

/// Runs an input: two bytes for the number of lines, and a block.
pub fn names(data: &[u8]) {
    let Some((&lines, block)) = data.split_first_chunk() else {
        return;
    };
    look_at(block, u16::from_le_bytes(lines));
}

/// Parses a block in both ways, and the same bytes as a label.
pub(crate) fn look_at(block: &[u8], lines: u16) {
    let expected = oracle::simple(block);
    assert!(Names::new(block).eq(expected.iter().map(Vec::as_slice)));

    let result = check(block, lines);
    assert_eq!(result.is_ok(), oracle::simple_check(block, lines));
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
    let found = label(block).ok().map(|label| label.map(<[u8]>::to_vec));
    assert_eq!(found, oracle::simple_label(block));
}
