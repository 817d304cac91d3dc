// SPDX-License-Identifier: GPL-2.0

//! Messages as bytes and back, and those of the RFC's protocol.

use gpio_virtio_logic::{
    command::Command,
    line::{
        Direction,
        Level, //
    },
    message::Message,
    rfc::{
        self,
        Kind, //
    },
    trigger::Trigger,
};
use proptest::prelude::*;

/// What the protocol says, written down once more.
const KINDS: [(u16, Kind); 8] = [
    (0x01, Kind::Request),
    (0x02, Kind::DirectionInput),
    (0x03, Kind::DirectionOutput),
    (0x04, Kind::GetDirection),
    (0x05, Kind::GetValue),
    (0x06, Kind::SetValue),
    (0x07, Kind::SetIrqType),
    (0x11, Kind::Level),
];

#[test]
fn a_message_is_little_endian() {
    let message = Message {
        kind: 0x0102,
        line: 0x0304,
        value: 0x0506_0708,
    };
    assert_eq!(message.to_bytes(), [2, 1, 4, 3, 8, 7, 6, 5]);
}

#[test]
fn commands_are_the_messages_of_the_protocol() {
    let line = 0x1234;
    for (command, kind, value) in [
        (Command::Request, 1, 0),
        (Command::DirectionInput, 2, 0),
        (Command::DirectionOutput(Level::Low), 3, 0),
        (Command::DirectionOutput(Level::High), 3, 1),
        (Command::GetDirection, 4, 0),
        (Command::GetValue, 5, 0),
        (Command::SetValue(Level::Low), 6, 0),
        (Command::SetValue(Level::High), 6, 1),
        (Command::SetIrqType(Trigger::None), 7, 0),
        (Command::SetIrqType(Trigger::Rising), 7, 1),
        (Command::SetIrqType(Trigger::Falling), 7, 2),
        (Command::SetIrqType(Trigger::Both), 7, 3),
        (Command::SetIrqType(Trigger::High), 7, 4),
        (Command::SetIrqType(Trigger::Low), 7, 8),
    ] {
        let message = Message { kind, line, value };
        assert_eq!(rfc::message(command, line), Some(message));
    }
    assert_eq!(rfc::message(Command::Free, line), None);
}

#[test]
fn levels_and_directions_are_numbered() {
    assert_eq!(Level::from_wire(0), Some(Level::Low));
    assert_eq!(Level::from_wire(1), Some(Level::High));
    assert_eq!((u32::from(Level::Low), u32::from(Level::High)), (0, 1));
    assert_eq!(
        (Level::from(false), Level::from(true)),
        (Level::Low, Level::High)
    );
    assert_eq!(rfc::direction_to_wire(Direction::Output), 0);
    assert_eq!(rfc::direction_to_wire(Direction::Input), 1);
}

#[test]
fn kinds_are_known_by_their_numbers_and_no_others() {
    for number in 0..=u16::MAX {
        let expected = KINDS.iter().find(|&&(known, _)| known == number);
        assert_eq!(Kind::from_wire(number), expected.map(|&(_, kind)| kind));
    }
    for (number, kind) in KINDS {
        assert_eq!(kind as u16, number);
    }
}

proptest! {
    #[test]
    fn bytes_come_back(raw in any::<[u8; 8]>()) {
        prop_assert_eq!(Message::from_bytes(raw).to_bytes(), raw);
    }

    #[test]
    fn fields_come_back(kind: u16, line: u16, value: u32) {
        let message = Message { kind, line, value };
        prop_assert_eq!(Message::from_bytes(message.to_bytes()), message);
    }

    #[test]
    fn only_0_and_1_are_levels(value in 2u32..) {
        prop_assert_eq!(Level::from_wire(value), None);
    }

    #[test]
    fn a_reply_is_marked_and_echoes_the_line(kind in 0u16..0x1000, line: u16, value: u32, errno in 1u16..=4095) {
        let request = Message { kind, line, value: 0 };
        let good = rfc::reply(request, Ok(value));
        prop_assert_eq!(good, Message { kind: kind | 0xf000, line, value });
        let bad = rfc::reply(request, Err(errno));
        prop_assert_eq!((bad.kind, bad.line, bad.value as i32), (kind | 0xf000, line, -i32::from(errno)));
    }
}
