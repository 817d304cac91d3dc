// SPDX-License-Identifier: GPL-2.0

//! Which protocol a device speaks, and where the two differ on the way of a command.
//!
//! Pure: compiled for the kernel and for the host from this one file.

use super::{
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    message::{
        Message,
        RawMessage, //
    },
    rfc,
    standard, //
};

/// The largest reply there is, but for one that has names.
pub type RawReply = RawMessage;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// That of device ID 30.
    Rfc,
    /// That of the VIRTIO standard, of device ID 41.
    Standard,
}

impl Protocol {
    /// The protocol that a device of this ID speaks.
    pub const fn of_device(id: u32) -> Option<Self> {
        match id {
            rfc::DEVICE_ID => Some(Protocol::Rfc),
            standard::DEVICE_ID => Some(Protocol::Standard),
            _ => None,
        }
    }

    /// How many bytes of a [`RawReply`] the device is given.
    pub const fn reply_size(self) -> usize {
        match self {
            Protocol::Rfc => rfc::MESSAGE_SIZE,
            Protocol::Standard => standard::RESPONSE_SIZE,
        }
    }

    /// Whether the driver has to ask for levels in between, to know when one that interrupts is over.
    pub const fn has_checks(self) -> bool {
        match self {
            Protocol::Rfc => true,
            // The device reports such a level again and again.
            Protocol::Standard => false,
        }
    }

    /// Whether a device is told that a line is given back.
    pub fn has_free(self) -> bool {
        matches!(self.messages(Command::Free, 0), [Some(_), _])
    }

    /// The messages that carry `command` for `line`, in the order in which they are to be done.
    ///
    /// There is none for a command that the protocol does without. If there are two they can be sent
    /// at once: such a protocol keeps the order of what is about one line.
    pub fn messages(self, command: Command, line: u16) -> [Option<Message>; 2] {
        match self {
            Protocol::Rfc => [rfc::message(command, line), None],
            Protocol::Standard => standard::requests(command, line),
        }
    }

    /// Checks the reply to a message of `command` for `line`: of `raw`, the device says that it
    /// wrote `written` bytes.
    pub fn check_reply(
        self,
        command: Command,
        line: u16,
        written: usize,
        raw: RawReply,
    ) -> core::result::Result<Answer, ReplyError> {
        match self {
            Protocol::Rfc => rfc::check_reply(command, line, written, raw),
            Protocol::Standard => {
                let [status, value, ..] = raw;
                standard::check_response(command, written, [status, value])
            }
        }
    }

    /// The value in a reply that was [checked](Self::check_reply), as it is on the wire.
    pub const fn reply_value(self, raw: RawReply) -> u32 {
        match self {
            Protocol::Rfc => Message::from_bytes(raw).value,
            // CAST: It becomes larger.
            Protocol::Standard => raw[1] as u32,
        }
    }

    /// The message that asks for the names of all lines, if they have to be asked for. The reply is a
    /// byte, and after it the names.
    pub const fn names_message(self) -> Option<Message> {
        match self {
            Protocol::Rfc => None,
            Protocol::Standard => Some(standard::names_request()),
        }
    }

    /// Checks the reply with the names: the device says that it wrote `written` bytes, of which
    /// `status` is the first. The names should have `names_size`.
    pub fn check_names(
        self,
        written: usize,
        status: u8,
        names_size: usize,
    ) -> core::result::Result<(), ReplyError> {
        match self {
            // It has none of these messages.
            Protocol::Rfc => Err(ReplyError::Failed),
            Protocol::Standard => standard::check_names(written, status, names_size),
        }
    }
}
