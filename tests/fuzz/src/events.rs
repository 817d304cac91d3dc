// SPDX-License-Identifier: GPL-2.0

//! Events of any bytes and of any length, of both protocols.

use arbitrary::{
    Result,
    Unstructured, //
};
use gpio_virtio_logic::{
    line::Level,
    rfc,
    standard::{
        self,
        IrqStatus, //
    },
};

/// Runs an input: events, one after the other.
pub fn events(data: &[u8]) {
    let mut data = Unstructured::new(data);

    while !data.is_empty() {
        // There is not enough left for one.
        let Ok(()) = event(&mut data) else { return };
    }
}

fn event(data: &mut Unstructured<'_>) -> Result<()> {
    let written: usize = match data.int_in_range(0..=31)? {
        0 => data.arbitrary()?,
        short => short % 10,
    };
    match data.arbitrary()? {
        true => rfc_event(data, written),
        false => standard_event(data, written),
    }
}

fn rfc_event(data: &mut Unstructured<'_>, written: usize) -> Result<()> {
    let lines: u16 = data.arbitrary()?;
    let raw: [u8; 8] = data.arbitrary()?;
    let line = u16::from_le_bytes([raw[2], raw[3]]);

    let level = match raw {
        [0x11, 0, _, _, 0, 0, 0, 0] => Some(Level::Low),
        [0x11, 0, _, _, 1, 0, 0, 0] => Some(Level::High),
        _ => None,
    };
    let expected = level
        .filter(|_| written == 8 && line < lines)
        .map(|level| (line, level));
    let result = rfc::check_event(lines, written, raw);
    assert_eq!(result.ok(), expected);
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
    Ok(())
}

fn standard_event(data: &mut Unstructured<'_>, written: usize) -> Result<()> {
    let status = data.arbitrary()?;

    let expected = match (written, status) {
        (1, 0) => Some(IrqStatus::Invalid),
        (1, 1) => Some(IrqStatus::Valid),
        _ => None,
    };
    let result = standard::check_event(written, status);
    assert_eq!(result.ok(), expected);
    if let Err(error) = result {
        assert!(!error.to_string().is_empty());
    }
    Ok(())
}
