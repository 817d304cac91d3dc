// SPDX-License-Identifier: GPL-2.0

//! Replies of any bytes and of any length, of both protocols, and those that our device sends.

#[path = "../../logic/tests/oracles/replies.rs"]
mod rfc_oracle;
#[path = "../../logic/tests/oracles/standard.rs"]
mod standard_oracle;

use arbitrary::{
    Result,
    Unstructured, //
};
use gpio_virtio_logic::{
    command::ReplyError,
    protocol::Protocol,
    rfc, //
};

/// Runs an input: replies, one after the other.
pub fn replies(data: &[u8]) {
    let mut data = Unstructured::new(data);

    while !data.is_empty() {
        // There is not enough left for one.
        let Ok(()) = reply(&mut data) else { return };
    }
}

fn reply(data: &mut Unstructured<'_>) -> Result<()> {
    match data.int_in_range(0..=3)? {
        0 => rfc_reply(data),
        1 => rfc_round_trip(data),
        2 => response(data),
        _ => names_response(data),
    }
}

/// A length, which is often one that may be right.
fn written(data: &mut Unstructured<'_>) -> Result<usize> {
    Ok(match data.int_in_range(0..=31)? {
        0 => data.arbitrary()?,
        short @ 1..=15 => short,
        _ => 8,
    })
}

/// Each can be shown.
fn look_at(error: ReplyError, is_violation: bool) {
    assert!(!error.to_string().is_empty());
    assert_eq!(error.is_violation(), is_violation, "{error:?}");
}

fn rfc_reply(data: &mut Unstructured<'_>) -> Result<()> {
    let asked = *data.choose(&rfc_oracle::COMMANDS)?;
    let (command, kind, _) = asked;
    let line = data.arbitrary()?;
    let written = written(data)?;
    let mut raw: [u8; 8] = data.arbitrary()?;
    // Else hardly one would get as far as its value.
    if data.ratio(3, 4)? {
        let [low, high] = (kind | 0xf000).to_le_bytes();
        let [line_low, line_high] = u16::to_le_bytes(line);
        [raw[0], raw[1], raw[2], raw[3]] = [low, high, line_low, line_high];
    }

    let expected = rfc_oracle::expected(asked, line, written, raw);
    assert_eq!(
        Protocol::Rfc.check_reply(command, line, written, raw),
        expected
    );
    if let Err(error) = expected {
        let refused = matches!(error, ReplyError::Refused(_) | ReplyError::UnknownErrno(_));
        look_at(error, !refused);
    }
    Ok(())
}

/// What our own device answers is understood.
fn rfc_round_trip(data: &mut Unstructured<'_>) -> Result<()> {
    let (command, kind, max) = *data.choose(&rfc_oracle::COMMANDS)?;
    let line = data.arbitrary()?;
    let request = rfc::message(command, line);
    assert_eq!(
        request.map(|request| (request.kind, request.line)),
        Some((kind, line))
    );
    let Some(request) = request else {
        return Ok(());
    };
    assert_eq!(rfc::Message::from_bytes(request.to_bytes()), request);

    let result = match data.arbitrary()? {
        true => Ok(data.int_in_range(0..=max)?),
        false => Err(data.int_in_range(1..=4095)?),
    };
    let raw = rfc::reply(request, result).to_bytes();
    let checked = rfc::check_reply(command, line, raw.len(), raw);
    match (result, checked) {
        (Ok(value), checked) => assert_eq!(checked, Ok(rfc_oracle::answer(kind, value))),
        (Err(errno), Err(ReplyError::Refused(found))) => assert_eq!(found, errno.into()),
        (Err(errno), Err(ReplyError::UnknownErrno(found))) => assert_eq!(found, errno.into()),
        (Err(errno), other) => assert_eq!(other, Err(ReplyError::UnknownErrno(errno.into()))),
    }
    Ok(())
}

fn response(data: &mut Unstructured<'_>) -> Result<()> {
    let (command, requests) = *data.choose(&standard_oracle::COMMANDS)?;
    let line = data.arbitrary()?;
    let written = match written(data)? {
        8 => 2,
        other => other,
    };
    let raw: [u8; 8] = data.arbitrary()?;

    let sent = Protocol::Standard.messages(command, line);
    let sent = sent.iter().flatten();
    assert!(sent
        .map(|message| (message.line, message.kind, message.value))
        .eq(requests.iter().map(|&(kind, value)| (line, kind, value))));

    let expected = standard_oracle::expected(command, written, [raw[0], raw[1]]);
    assert_eq!(
        Protocol::Standard.check_reply(command, line, written, raw),
        expected
    );
    if let Err(error) = expected {
        look_at(error, error != ReplyError::Failed);
    }
    Ok(())
}

/// A block of names is taken if it has the size that was said, and the device did not say that it
/// failed.
fn names_response(data: &mut Unstructured<'_>) -> Result<()> {
    let size: usize = match data.arbitrary()? {
        true => data.int_in_range(0..=20)?,
        false => data.arbitrary()?,
    };
    let written = match data.arbitrary()? {
        true => size.saturating_add(1),
        false => written(data)?,
    };
    let status = data.int_in_range(0..=3)?;

    let result = Protocol::Standard.check_names(written, status, size);
    let is_good = status == 0 && written > 0 && written - 1 == size;
    // There is no such block, and none of its size can be had.
    let is_huge = size == usize::MAX;
    assert!(result.is_ok() == is_good || is_huge, "{result:?}");
    if let Err(error) = result {
        look_at(error, error != ReplyError::Failed);
    }
    assert!(Protocol::Rfc.check_names(written, status, size).is_err());
    Ok(())
}
