// SPDX-License-Identifier: GPL-2.0

//! What a front end has said so far, as far as a device that comes later has to know it.

use std::{
    collections::{
        BTreeMap,
        HashMap, //
    },
    io,
    os::unix::net::UnixStream, //
};

use crate::message::{
    request,
    Message, //
};

/// What is said again, and in which order. That of GET_ requests is heard by no one; but the
/// vhost crate does not acknowledge anything before it was asked for its features.
const REPLAYED: [u32; 14] = [
    request::GET_FEATURES,
    request::GET_PROTOCOL_FEATURES,
    request::SET_PROTOCOL_FEATURES,
    request::SET_OWNER,
    request::SET_BACKEND_REQ_FD,
    request::SET_FEATURES,
    request::SET_MEM_TABLE,
    request::SET_VRING_NUM,
    request::SET_VRING_ADDR,
    request::SET_VRING_BASE,
    request::SET_VRING_ERR,
    request::SET_VRING_CALL,
    request::SET_VRING_KICK,
    request::SET_VRING_ENABLE,
];

/// What is about a ring that runs. A ring that was stopped is set up anew by the front end.
const OF_A_RUNNING_RING: [u32; 5] = [
    request::SET_VRING_NUM,
    request::SET_VRING_ADDR,
    request::SET_VRING_BASE,
    request::SET_VRING_CALL,
    request::SET_VRING_KICK,
];

/// Which ring a message is about; 0 if it is about none.
fn ring(message: &Message) -> u32 {
    match message.request {
        request::SET_VRING_NUM
        | request::SET_VRING_ADDR
        | request::SET_VRING_BASE
        | request::GET_VRING_BASE
        | request::SET_VRING_ENABLE => message.u32_at(0),
        // There is a bit above it that says that no file descriptor comes along.
        request::SET_VRING_KICK | request::SET_VRING_CALL | request::SET_VRING_ERR => {
            message.u32_at(0) & 0xff
        }
        _ => 0,
    }
}

/// A session of a front end's.
#[derive(Debug, Default)]
pub struct Session {
    /// By its place in the order, and by ring.
    said: BTreeMap<(usize, u32), Message>,
}

impl Session {
    /// Remembers what the front end says.
    pub fn remember(&mut self, message: Message) {
        let ring = ring(&message);
        if message.request == request::GET_VRING_BASE {
            for request in OF_A_RUNNING_RING {
                self.forget(request, ring);
            }
        }
        if let Some(place) = place(message.request) {
            self.said.insert((place, ring), message);
        }
    }

    fn forget(&mut self, request: u32, ring: u32) {
        if let Some(place) = place(request) {
            self.said.remove(&(place, ring));
        }
    }

    fn find(&self, request: u32, ring: u32) -> Option<&Message> {
        self.said.get(&(place(request)?, ring))
    }

    fn find_all(&self, request: u32) -> impl Iterator<Item = &Message> {
        let place = place(request);
        self.said
            .iter()
            .filter(move |((at, _), _)| Some(*at) == place)
            .map(|(_, message)| message)
    }

    /// Tells it all to a new device.
    ///
    /// Where the old one was in a ring is what it has written there: what it took and did not give
    /// back is there for the new one to take. This is what QEMU does too.
    pub fn replay(&self, device: &UnixStream) -> io::Result<()> {
        for message in self.said.values() {
            if message.request == request::SET_VRING_BASE {
                let ring = ring(message);
                let base = self.used_index(ring).unwrap_or_default();
                let payload = [ring.to_le_bytes(), u32::from(base).to_le_bytes()].concat();
                exchange(device, &Message::new(message.request, payload))?;
            } else {
                exchange(device, message)?;
            }
        }
        // It does not look at a ring before it is told to; and whether the guest was told of the
        // last thing that the old one did, nobody knows.
        for request in [request::SET_VRING_KICK, request::SET_VRING_CALL] {
            for event in self.find_all(request).filter_map(|m| m.fds.first()) {
                rustix::io::write(event, &1u64.to_ne_bytes())?;
            }
        }
        Ok(())
    }

    /// Whether a device that comes now would be in the middle of something.
    pub fn is_running(&self) -> bool {
        self.find_all(request::SET_VRING_KICK).next().is_some()
    }

    /// Says to the front end that the configuration has changed, if there is a way to.
    pub fn tell_of_change(&self) -> io::Result<()> {
        self.find(request::SET_BACKEND_REQ_FD, 0)
            .and_then(|message| message.fds.first())
            .map_or(Ok(()), |channel| Message::config_change().send(channel))
    }

    /// How many buffers of a ring have been given back, modulo 65536, as the guest's memory says.
    pub fn used_index(&self, ring: u32) -> Option<u16> {
        // Flags, then the index.
        let address = self
            .find(request::SET_VRING_ADDR, ring)?
            .u64_at(16)
            .checked_add(2)?;
        let memory = self.find(request::SET_MEM_TABLE, 0)?;
        for (n, file) in memory.fds.iter().enumerate() {
            // A count, then for each region the guest's address, the size, the front end's
            // address, and where in the file it begins.
            let field = |i: usize| memory.u64_at(8 + 32 * n + 8 * i);
            let (size, start, offset) = (field(1), field(2), field(3));
            let Some(inside) = address.checked_sub(start).filter(|inside| *inside < size) else {
                continue;
            };
            let mut index = [0; 2];
            let read = rustix::io::pread(file, &mut index, offset.checked_add(inside)?).ok()?;
            return (read == index.len()).then(|| u16::from_le_bytes(index));
        }
        None
    }
}

fn place(request: u32) -> Option<usize> {
    REPLAYED.iter().position(|&replayed| replayed == request)
}

/// Says something to a device, and waits for its reply if there has to be one.
pub fn exchange(device: &UnixStream, message: &Message) -> io::Result<Option<Message>> {
    message.send(device)?;
    if !message.needs_reply() {
        return Ok(None);
    }
    match Message::receive(device)? {
        Some(reply) if reply.request == message.request => Ok(Some(reply)),
        Some(_) => Err(io::Error::other("the reply is to something else")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What a device said when it was asked. While there is none, the front end hears it again: it
/// would wait for ever, and the guest with it.
#[derive(Debug, Default)]
pub struct Answers(HashMap<(u32, Vec<u8>), Vec<u8>>);

impl Answers {
    fn key(message: &Message) -> (u32, Vec<u8>) {
        // The offset and size of GET_CONFIG; no other one has more than that.
        (
            message.request,
            message.payload.iter().take(8).copied().collect(),
        )
    }

    /// Remembers a reply.
    pub fn remember(&mut self, message: &Message, reply: &Message) {
        if message.asks() && message.request != request::GET_VRING_BASE {
            self.0.insert(Self::key(message), reply.payload.clone());
        }
    }

    /// A reply in the device's place, if the message needs one.
    pub fn stand_in(&self, message: &Message, session: &Session) -> Option<Message> {
        if !message.needs_reply() {
            return None;
        }
        let payload = if message.request == request::GET_VRING_BASE {
            let ring = ring(message);
            let base = session.used_index(ring).unwrap_or_default();
            [ring.to_le_bytes(), u32::from(base).to_le_bytes()].concat()
        } else if message.asks() {
            let known = self.0.get(&Self::key(message));
            // Of the same length: for GET_CONFIG that is what was sent.
            known
                .cloned()
                .unwrap_or_else(|| vec![0; message.payload.len().max(8)])
        } else {
            // It worked.
            0u64.to_le_bytes().to_vec()
        };
        Some(message.reply(payload))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::fd::OwnedFd,
        thread, //
    };

    use super::*;

    fn words(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn state(request: u32, ring: u32, number: u32) -> Message {
        Message::new(request, [ring.to_le_bytes(), number.to_le_bytes()].concat())
    }

    /// A session with two rings, of which the used indexes are 7 and 9, in a file that has the
    /// guest's memory from 0x100 on.
    fn session() -> Session {
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; 0x300];
        bytes[0x182] = 7;
        bytes[0x202] = 9;
        file.write_all(&bytes).unwrap();
        let mut memory = Message::new(
            request::SET_MEM_TABLE,
            words(&[1, 0x4000_0000, 0x200, 0x7000_0000, 0x100]),
        );
        memory.fds.push(OwnedFd::from(file));

        let mut session = Session::default();
        for (ring, used) in [(0, 0x7000_0080), (1, 0x7000_0100)] {
            session.remember(state(request::SET_VRING_KICK, ring, 0));
            session.remember(state(request::SET_VRING_BASE, ring, 0));
            let ring = u64::from(ring);
            session.remember(Message::new(
                request::SET_VRING_ADDR,
                words(&[ring, 0x7000_0000, used, 0x7000_0040, 0]),
            ));
        }
        session.remember(memory);
        session.remember(Message::new(request::GET_FEATURES, Vec::new()));
        session
    }

    #[test]
    fn the_used_index_is_read_from_the_guests_memory() {
        let session = session();
        assert_eq!(
            (session.used_index(0), session.used_index(1)),
            (Some(7), Some(9))
        );
        assert_eq!(session.used_index(2), None);
        assert_eq!(Session::default().used_index(0), None);
    }

    #[test]
    fn a_new_device_hears_it_in_order_and_goes_on_where_the_old_one_was() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let device = thread::spawn(move || {
            let mut heard = Vec::new();
            while let Some(message) = Message::receive(&theirs).unwrap() {
                if message.needs_reply() {
                    message.reply(words(&[1])).send(&theirs).unwrap();
                }
                heard.push((message.request, message.u32_at(0), message.u32_at(4)));
            }
            heard
        });
        session().replay(&ours).unwrap();
        drop(ours);

        let heard = device.join().unwrap();
        let requests: Vec<_> = heard.iter().map(|h| h.0).collect();
        assert_eq!(
            requests,
            [
                request::GET_FEATURES,
                request::SET_MEM_TABLE,
                request::SET_VRING_ADDR,
                request::SET_VRING_ADDR,
                request::SET_VRING_BASE,
                request::SET_VRING_BASE,
                request::SET_VRING_KICK,
                request::SET_VRING_KICK
            ]
        );
        assert_eq!(
            heard[4..6],
            [
                (request::SET_VRING_BASE, 0, 7),
                (request::SET_VRING_BASE, 1, 9)
            ]
        );
    }

    #[test]
    fn a_ring_that_was_stopped_is_not_told_of() {
        let mut session = session();
        session.remember(state(request::GET_VRING_BASE, 0, 0));
        assert!(session.find(request::SET_VRING_KICK, 0).is_none());
        assert!(session.find(request::SET_VRING_ADDR, 0).is_none());
        assert!(session.is_running() && session.find(request::SET_VRING_ADDR, 1).is_some());
        session.remember(state(request::GET_VRING_BASE, 1, 0));
        assert!(!session.is_running());
    }

    #[test]
    fn the_front_end_is_answered_while_there_is_no_device() {
        let mut answers = Answers::default();
        let session = session();
        let config = |offset: u32| {
            let head: Vec<u8> = [offset, 4, 0]
                .iter()
                .flat_map(|w| w.to_le_bytes())
                .collect();
            Message::new(request::GET_CONFIG, [head, vec![0; 4]].concat())
        };
        let told = config(0).reply([config(0).payload[..12].to_vec(), vec![1, 2, 3, 4]].concat());
        answers.remember(&config(0), &told);

        let stand_in = |message| answers.stand_in(&message, &session).map(|m| m.payload);
        assert_eq!(stand_in(config(0)), Some(told.payload.clone()));
        assert_eq!(stand_in(config(8)).map(|payload| payload.len()), Some(16));
        let base = stand_in(state(request::GET_VRING_BASE, 1, 0));
        assert_eq!(base, Some(state(0, 1, 9).payload));
        assert_eq!(stand_in(Message::new(request::SET_OWNER, Vec::new())), None);
    }
}
