// SPDX-License-Identifier: GPL-2.0

//! A parser of names that is as simple as it can be.

/// All terminated strings of a block.
pub fn simple(block: &[u8]) -> Vec<Vec<u8>> {
    let mut names = vec![Vec::new()];
    for &byte in block {
        match (byte, names.last_mut()) {
            (0, _) | (_, None) => names.push(Vec::new()),
            (byte, Some(name)) => name.push(byte),
        }
    }
    // What comes after the last terminator is no name.
    names.pop();
    names
}

/// Whether a block is good for so many lines.
pub fn simple_check(block: &[u8], lines: u16) -> bool {
    block.last().is_none_or(|&last| last == 0)
        && simple(block)
            .iter()
            .flatten()
            .all(|byte| (0x20..0x7f).contains(byte))
        && simple(block).iter().skip(lines.into()).all(Vec::is_empty)
}

/// The label in a field, if it is good; and it need not have one.
pub fn simple_label(field: &[u8]) -> Option<Option<Vec<u8>>> {
    let text: Vec<u8> = field
        .iter()
        .copied()
        .take_while(|&byte| byte != 0)
        .collect();
    let good = text.iter().all(|byte| (0x20..0x7f).contains(byte));

    good.then(|| Some(text).filter(|text| !text.is_empty()))
}
