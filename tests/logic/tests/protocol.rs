// SPDX-License-Identifier: GPL-2.0

//! One command, by either protocol.

use gpio_virtio_logic::{
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    line::{
        Direction,
        Level, //
    },
    protocol::Protocol,
    rfc, standard,
    trigger::Trigger,
};
use proptest::{
    prelude::*,
    sample::select, //
};

const COMMANDS: [Command; 11] = [
    Command::Request,
    Command::Free,
    Command::DirectionInput,
    Command::DirectionOutput(Level::Low),
    Command::DirectionOutput(Level::High),
    Command::GetDirection,
    Command::GetValue,
    Command::SetValue(Level::Low),
    Command::SetValue(Level::High),
    Command::SetIrqType(Trigger::None),
    Command::SetIrqType(Trigger::Both),
];

#[test]
fn a_device_is_known_by_its_id() {
    for id in 0..=u16::MAX.into() {
        let expected = match id {
            30 => Some(Protocol::Rfc),
            41 => Some(Protocol::Standard),
            _ => None,
        };
        assert_eq!(Protocol::of_device(id), expected);
    }
}

#[test]
fn each_has_its_messages() {
    for command in COMMANDS {
        let rfc = [rfc::message(command, 7), None];
        assert_eq!(Protocol::Rfc.messages(command, 7), rfc);
        let standard = standard::requests(command, 7);
        assert_eq!(Protocol::Standard.messages(command, 7), standard);
        // A second message comes after a first one.
        assert!(standard[0].is_some() || standard[1].is_none());
    }
}

#[test]
fn each_has_its_replies() {
    assert_eq!(Protocol::Rfc.reply_size(), 8);
    assert_eq!(Protocol::Standard.reply_size(), 2);
    let rfc = Protocol::Rfc.check_reply(Command::GetDirection, 3, 8, [4, 0xf0, 3, 0, 1, 0, 0, 0]);
    assert_eq!(rfc, Ok(Answer::Direction(Some(Direction::Input))));
    let standard = |written, raw| {
        let command = Command::GetDirection;
        Protocol::Standard.check_reply(command, 3, written, raw)
    };
    assert_eq!(
        standard(2, [0, 1, 9, 9, 9, 9, 9, 9]),
        Ok(Answer::Direction(Some(Direction::Output)))
    );
    assert_eq!(
        standard(8, [0, 1, 9, 9, 9, 9, 9, 9]),
        Err(ReplyError::Length {
            written: 8,
            wanted: 2
        })
    );
}

#[test]
fn a_reply_has_its_value() {
    let raw = [4, 0xf0, 3, 0, 0xef, 0xbe, 0xad, 0xde];
    assert_eq!(Protocol::Rfc.reply_value(raw), 0xdead_beef);
    assert_eq!(Protocol::Standard.reply_value(raw), 0xf0);
}

#[test]
fn what_others_rely_on_must_be_done() {
    for command in COMMANDS {
        let expected = matches!(command, Command::Free | Command::SetIrqType(_));
        assert_eq!(command.must_be_done(), expected, "{command:?}");
    }
}

#[test]
fn only_a_level_is_a_level() {
    assert_eq!(Answer::Level(Level::High).level(), Some(Level::High));
    assert_eq!(Answer::Done.level(), None);
    assert_eq!(Answer::Direction(Some(Direction::Input)).level(), None);
}

proptest! {
    #[test]
    fn a_reply_is_checked_by_its_own_protocol(
        command in select(&COMMANDS[..]), line: u16, written in 0usize..10, raw: [u8; 8]
    ) {
        let rfc = rfc::check_reply(command, line, written, raw);
        prop_assert_eq!(Protocol::Rfc.check_reply(command, line, written, raw), rfc);
        let standard = standard::check_response(command, written, [raw[0], raw[1]]);
        prop_assert_eq!(Protocol::Standard.check_reply(command, line, written, raw), standard);
    }
}
