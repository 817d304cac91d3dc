// SPDX-License-Identifier: GPL-2.0

//! What the trace events say about messages and replies.
//!
//! The numbers in them are those on the wire.

use crate::{
    abstractions::trace,
    command::ReplyError,
    commands::{
        Asked,
        Reply, //
    },
    line_states::Part,
    message::Message,
    protocol::Protocol, //
};
use kernel::{
    device,
    prelude::*, //
};

/// The device has been given a message.
pub(crate) fn sent(dev: &device::Device, message: Message) {
    trace::request(dev, || {
        let Message { kind, line, value } = message;
        trace::Request { line, kind, value }
    });
}

/// The device has replied to a message, in time or not. `asked` says which one.
pub(crate) fn replied(
    dev: &device::Device,
    protocol: Protocol,
    asked: impl FnOnce() -> Asked,
    reply: &Reply,
) {
    trace::reply(dev, || {
        let Asked {
            command,
            line,
            part,
        } = asked();
        let Reply { raw, written } = *reply;
        let [first, second] = protocol.messages(command, line);
        let message = match part {
            Part::Whole | Part::First => first,
            Part::Second => second,
        };

        trace::Reply {
            line,
            kind: message.map_or(0, |message| message.kind),
            written,
            // CAST: `usize` has 32 bits at least.
            outcome: protocol
                .check_reply(command, line, written as usize, raw)
                .map(|_| protocol.reply_value(raw))
                .map_err(Error::from),
        }
    });
}

/// The device has replied to the question for the names of all lines.
pub(crate) fn named(
    dev: &device::Device,
    protocol: Protocol,
    written: u32,
    checked: core::result::Result<(), ReplyError>,
) {
    trace::reply(dev, || trace::Reply {
        line: 0,
        kind: protocol.names_message().map_or(0, |message| message.kind),
        written,
        outcome: checked.map(|()| 0).map_err(Error::from),
    });
}
