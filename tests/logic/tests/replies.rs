// SPDX-License-Identifier: GPL-2.0

//! What is made of a reply of the RFC's protocol, however broken.

#[path = "oracles/replies.rs"]
mod oracle;

use gpio_virtio_logic::{
    command::{
        Command,
        ReplyError, //
    },
    rfc::{
        check_reply,
        message,
        reply as reply_to,
        Message, //
    },
};
use oracle::{
    answer,
    expected,
    COMMANDS, //
};
use proptest::{
    prelude::*,
    sample::select, //
};

fn command() -> impl Strategy<Value = (Command, u16, u32)> {
    select(&COMMANDS[..])
}

/// Any mark will do, as long as there is one.
fn mark() -> impl Strategy<Value = u16> {
    (1u16..=0xf).prop_map(|nibble| nibble << 12)
}

fn reply(kind: u16, line: u16, value: u32) -> [u8; 8] {
    Message { kind, line, value }.to_bytes()
}

proptest! {
    #[test]
    fn results_in_range_are_taken((command, kind, max) in command(), mark in mark(), line: u16) {
        for value in 0..=max {
            let raw = reply(kind | mark, line, value);
            prop_assert_eq!(check_reply(command, line, 8, raw), Ok(answer(kind, value)));
        }
    }

    #[test]
    fn what_our_device_answers_is_understood(
        (command, kind, max) in command(), line: u16, errno in 1u16..=4095
    ) {
        let request = message(command, line).unwrap();
        let good = reply_to(request, Ok(max)).to_bytes();
        prop_assert_eq!(check_reply(command, line, 8, good), Ok(answer(kind, max)));
        let bad = reply_to(request, Err(errno)).to_bytes();
        let error = check_reply(command, line, 8, bad).unwrap_err();
        prop_assert!(!error.is_violation());
    }

    #[test]
    fn results_out_of_range_are_violations(
        (command, kind, max) in command(), mark in mark(), line: u16, value in any::<u32>()
    ) {
        prop_assume!(value > max && value < 4095u32.wrapping_neg());
        let raw = reply(kind | mark, line, value);
        prop_assert_eq!(check_reply(command, line, 8, raw), Err(ReplyError::Value(value)));
        prop_assert!(ReplyError::Value(value).is_violation());
    }

    #[test]
    fn any_other_length_is_a_violation(
        (command, ..) in command(), line: u16, written in any::<usize>(), raw in any::<[u8; 8]>()
    ) {
        prop_assume!(written != 8);
        let error = ReplyError::Length { written, wanted: 8 };
        prop_assert_eq!(check_reply(command, line, written, raw), Err(error));
        prop_assert!(error.is_violation());
    }

    #[test]
    fn any_other_type_is_a_violation((command, kind, _) in command(), other: u16, line: u16) {
        prop_assume!(other & 0xfff != kind || other & 0xf000 == 0);
        let raw = reply(other, line, 0);
        prop_assert_eq!(check_reply(command, line, 8, raw), Err(ReplyError::Kind(other)));
    }

    #[test]
    fn another_line_is_a_violation((command, kind, _) in command(), line: u16, other: u16) {
        prop_assume!(line != other);
        let raw = reply(kind | 0xf000, other, 0);
        prop_assert_eq!(check_reply(command, line, 8, raw), Err(ReplyError::Line(other)));
    }

    #[test]
    fn nothing_but_a_result_in_range_is_ever_taken(
        (command, kind, max) in command(), line in 0u16..3, written in 7usize..10,
        reply_kind in prop_oneof![any::<u16>(), (1u16..8).prop_map(|kind| kind | 0xf000)],
        reply_line in 0u16..3, value in prop_oneof![any::<u32>(), 0u32..3]
    ) {
        let raw = reply(reply_kind, reply_line, value);
        let result = check_reply(command, line, written, raw);
        prop_assert_eq!(result, expected((command, kind, max), line, written, raw));
    }

    #[test]
    fn errors_can_be_shown((command, ..) in command(), line: u16, written in 7usize..10, raw in any::<[u8; 8]>()) {
        if let Err(error) = check_reply(command, line, written, raw) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_command_without_a_message_has_no_reply() {
    for kind in [0xf000, 0xf001, 0xf003] {
        let raw = reply(kind, 3, 0);
        assert_eq!(
            check_reply(Command::Free, 3, 8, raw),
            Err(ReplyError::Kind(kind))
        );
    }
}

#[test]
fn errnos_pass_if_linux_has_them() {
    let check = |errno: u32| {
        check_reply(
            Command::Request,
            0,
            8,
            reply(0xf001, 0, errno.wrapping_neg()),
        )
    };
    for errno in 1..=4095 {
        // errno.h ends at EHWPOISON; two numbers in it are free.
        let known = errno <= 133 && errno != 41 && errno != 58;
        let expected = match known {
            true => ReplyError::Refused(errno as i32),
            false => ReplyError::UnknownErrno(errno),
        };
        assert_eq!(check(errno), Err(expected));
        assert!(!expected.is_violation());
    }
    for value in [4096u32, 4097, 0x8000_0000, 0x7fff_ffff] {
        let raw = value.wrapping_neg();
        assert_eq!(check(value), Err(ReplyError::Value(raw)));
    }
}

#[test]
fn length_type_and_line_are_checked_before_the_value() {
    let refused = 22u32.wrapping_neg();
    let check = |written, kind, line| {
        check_reply(Command::GetValue, 3, written, reply(kind, line, refused))
    };
    assert_eq!(check(8, 0xf005, 3), Err(ReplyError::Refused(22)));
    assert_eq!(
        check(0, 0xf005, 3),
        Err(ReplyError::Length {
            written: 0,
            wanted: 8
        })
    );
    assert_eq!(check(8, 0x0005, 3), Err(ReplyError::Kind(0x0005)));
    assert_eq!(check(8, 0xf006, 3), Err(ReplyError::Kind(0xf006)));
    assert_eq!(check(8, 0xf005, 2), Err(ReplyError::Line(2)));
}
