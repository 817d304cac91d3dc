// SPDX-License-Identifier: GPL-2.0

//! Messages of vhost-user as they are on the wire: a header, a payload, and file descriptors.
//!
//! No more of them is understood than it takes to tell a new device what the old one was told. A
//! message goes on byte by byte as it came, so that the device is tested with what the front end
//! says, and not with what this program would say.

use std::{
    io::{
        self,
        ErrorKind,
        IoSlice,
        IoSliceMut, //
    },
    mem::MaybeUninit,
    os::{
        fd::{
            AsFd,
            OwnedFd, //
        },
        unix::net::UnixStream, //
    },
};

use rustix::net::{
    recvmsg,
    sendmsg,
    RecvAncillaryBuffer,
    RecvAncillaryMessage,
    RecvFlags,
    SendAncillaryBuffer,
    SendAncillaryMessage,
    SendFlags, //
};

const HEADER: usize = 12;

/// What a message may have at most: more would be a mistake, and fill our memory.
const LONGEST: usize = 0x1000;
const MOST_FDS: usize = 32;

/// Bits of the header's flags.
const VERSION: u32 = 1;
const REPLY: u32 = 1 << 2;
const NEED_REPLY: u32 = 1 << 3;

/// The requests of a front end that this program looks at.
pub mod request {
    pub const GET_FEATURES: u32 = 1;
    pub const SET_FEATURES: u32 = 2;
    pub const SET_OWNER: u32 = 3;
    pub const SET_MEM_TABLE: u32 = 5;
    pub const SET_VRING_NUM: u32 = 8;
    pub const SET_VRING_ADDR: u32 = 9;
    pub const SET_VRING_BASE: u32 = 10;
    pub const GET_VRING_BASE: u32 = 11;
    pub const SET_VRING_KICK: u32 = 12;
    pub const SET_VRING_CALL: u32 = 13;
    pub const SET_VRING_ERR: u32 = 14;
    pub const GET_PROTOCOL_FEATURES: u32 = 15;
    pub const SET_PROTOCOL_FEATURES: u32 = 16;
    pub const GET_QUEUE_NUM: u32 = 17;
    pub const SET_VRING_ENABLE: u32 = 18;
    pub const SET_BACKEND_REQ_FD: u32 = 21;
    pub const GET_CONFIG: u32 = 24;
}

/// The one request of a back end: the configuration has changed.
const BACKEND_CONFIG_CHANGE: u32 = 2;

/// A message.
#[derive(Debug)]
pub struct Message {
    /// What it is.
    pub request: u32,
    flags: u32,
    /// What comes after the header.
    pub payload: Vec<u8>,
    /// What comes with it.
    pub fds: Vec<OwnedFd>,
}

impl Message {
    /// A message to a back end.
    pub fn new(request: u32, payload: Vec<u8>) -> Self {
        Self {
            request,
            flags: VERSION,
            payload,
            fds: Vec::new(),
        }
    }

    /// What a back end sends on its own channel when its configuration has changed. No answer is
    /// asked for.
    pub fn config_change() -> Self {
        Self::new(BACKEND_CONFIG_CHANGE, Vec::new())
    }

    /// A reply to this one.
    pub fn reply(&self, payload: Vec<u8>) -> Self {
        Self {
            flags: VERSION | REPLY,
            ..Self::new(self.request, payload)
        }
    }

    /// Whether there is more to be said than that it worked.
    pub fn asks(&self) -> bool {
        matches!(
            self.request,
            request::GET_FEATURES
                | request::GET_VRING_BASE
                | request::GET_PROTOCOL_FEATURES
                | request::GET_QUEUE_NUM
                | request::GET_CONFIG
        )
    }

    /// Whether a reply has to come.
    pub fn needs_reply(&self) -> bool {
        self.asks() || self.flags & NEED_REPLY != 0
    }

    /// A number in the payload; 0 if it has none there.
    pub fn u32_at(&self, offset: usize) -> u32 {
        self.bytes_at(offset).map_or(0, u32::from_le_bytes)
    }

    /// The same with more bits.
    pub fn u64_at(&self, offset: usize) -> u64 {
        self.bytes_at(offset).map_or(0, u64::from_le_bytes)
    }

    fn bytes_at<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let end = offset.checked_add(N)?;
        self.payload.get(offset..end)?.try_into().ok()
    }

    /// Reads the next message; none if the other side has closed its end.
    pub fn receive(from: &UnixStream) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        let mut fds = Vec::new();
        let mut filled = 0;
        while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match read_some(from, rest, &mut fds)? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }

        let field = |n: usize| {
            let bytes = header.get(4 * n..4 * n + 4).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let size = usize::try_from(field(2)).unwrap_or(usize::MAX);
        if size > LONGEST {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "a message is too long",
            ));
        }
        let mut payload = vec![0; size];
        io::Read::read_exact(&mut &*from, &mut payload)?;
        Ok(Some(Self {
            request: field(0),
            flags: field(1),
            payload,
            fds,
        }))
    }

    /// Sends it.
    pub fn send(&self, to: impl AsFd) -> io::Result<()> {
        let size = u32::try_from(self.payload.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len());
        for field in [self.request, self.flags, size] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&self.payload);

        let fds: Vec<_> = self.fds.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "too many file descriptors",
            ));
        }

        // The file descriptors are with the first byte.
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let sent = sendmsg(
                &to,
                &[IoSlice::new(rest)],
                &mut control,
                SendFlags::NOSIGNAL,
            )?;
            control.clear();
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}

fn read_some(from: &UnixStream, into: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        from,
        &mut [IoSliceMut::new(into)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok(received.bytes)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{
            Read,
            Seek,
            Write, //
        },
    };

    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let (a, b) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        let mut message = Message::new(request::SET_VRING_KICK, vec![1, 0, 0, 0, 2, 0, 0, 0]);
        message.flags |= NEED_REPLY;
        message.fds.push(file.into());
        message.send(&a).unwrap();
        Message::config_change().send(&a).unwrap();
        drop(a);

        let received = Message::receive(&b).unwrap().unwrap();
        assert_eq!(received.request, request::SET_VRING_KICK);
        assert_eq!((received.u32_at(0), received.u32_at(4)), (1, 2));
        assert_eq!((received.u32_at(8), received.u64_at(1)), (0, 0));
        assert!(received.needs_reply() && !received.asks());
        let mut file = File::from(received.fds.into_iter().next().unwrap());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");

        let received = Message::receive(&b).unwrap().unwrap();
        assert_eq!((received.request, received.payload.len()), (2, 0));
        assert!(Message::receive(&b).unwrap().is_none());
    }

    #[test]
    fn half_a_message_and_a_huge_one_are_errors() {
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(&[1, 0, 0, 0, 1]).unwrap();
        drop(a);
        assert!(Message::receive(&b).is_err());

        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(&[1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
            .unwrap();
        assert!(Message::receive(&b).is_err());
    }
}
