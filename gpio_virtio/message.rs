// SPDX-License-Identifier: GPL-2.0

//! The eight bytes that both protocols send to a device: a type, a line, a value.
//!
//! Pure, like the protocols: compiled for the kernel and for the host from this one file.

/// Bytes of a message.
pub const MESSAGE_SIZE: usize = 8;

/// A message as it stands in memory.
pub type RawMessage = [u8; MESSAGE_SIZE];

/// The three fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about, as the protocol codes it.
    pub kind: u16,
    /// Offset of the line that the message is about.
    pub line: u16,
    /// Argument of a request.
    pub value: u32,
}

impl Message {
    /// Takes a message apart.
    pub const fn from_bytes(raw: RawMessage) -> Self {
        Self {
            kind: u16::from_le_bytes([raw[0], raw[1]]),
            line: u16::from_le_bytes([raw[2], raw[3]]),
            value: u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]),
        }
    }

    /// Puts a message together.
    pub const fn to_bytes(self) -> RawMessage {
        let kind = self.kind.to_le_bytes();
        let line = self.line.to_le_bytes();
        let value = self.value.to_le_bytes();
        [
            kind[0], kind[1], line[0], line[1], value[0], value[1], value[2], value[3],
        ]
    }
}
