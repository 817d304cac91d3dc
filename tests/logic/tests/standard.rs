// SPDX-License-Identifier: GPL-2.0

//! The standard's protocol: its numbers, requests, and what is made of responses, however broken.

#[path = "oracles/standard.rs"]
mod oracle;

use gpio_virtio_logic::{
    command::{
        Answer,
        Command,
        ReplyError, //
    },
    line::Level,
    message::{
        Message,
        MESSAGE_SIZE, //
    },
    standard::{
        self,
        check_event,
        check_names,
        check_response,
        config,
        event_request,
        names_request,
        requests,
        EventError,
        IrqStatus,
        Kind, //
    },
    trigger::Trigger,
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

/// The types of include/uapi/linux/virtio_gpio.h, written down once more.
const KINDS: [(u16, Kind); 6] = [
    (1, Kind::GetLineNames),
    (2, Kind::GetDirection),
    (3, Kind::SetDirection),
    (4, Kind::GetValue),
    (5, Kind::SetValue),
    (6, Kind::SetIrqType),
];

fn command() -> impl Strategy<Value = Command> {
    select(&COMMANDS[..]).prop_map(|(command, _)| command)
}

#[test]
fn numbers_are_those_of_the_kernels_header() {
    assert_eq!(standard::DEVICE_ID, 41);
    assert_eq!((standard::REQUEST_QUEUE, standard::EVENT_QUEUE), (0, 1));
    assert_eq!(standard::F_IRQ, 0);
    assert_eq!((standard::STATUS_OK, standard::STATUS_ERR), (0, 1));
    assert_eq!(
        [
            standard::DIRECTION_NONE,
            standard::DIRECTION_OUT,
            standard::DIRECTION_IN
        ],
        [0, 1, 2]
    );
    assert_eq!((IrqStatus::Invalid as u8, IrqStatus::Valid as u8), (0, 1));
    let triggers = [
        (Trigger::None, 0),
        (Trigger::Rising, 1),
        (Trigger::Falling, 2),
        (Trigger::Both, 3),
        (Trigger::High, 4),
        (Trigger::Low, 8),
    ];
    for (trigger, number) in triggers {
        assert_eq!(trigger.bits(), number);
    }
}

#[test]
fn structures_are_those_of_the_kernels_header() {
    assert_eq!((MESSAGE_SIZE, standard::RESPONSE_SIZE), (8, 2));
    assert_eq!((config::NGPIO, config::NAMES_SIZE, config::SIZE), (0, 4, 8));
    assert_eq!(event_request(0x1234), [0x34, 0x12]);
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

#[test]
fn commands_are_the_requests_of_the_standard() {
    let line = 0x1234;
    for (command, expected) in COMMANDS {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(kind, value)| Message { kind, line, value })
            .collect();
        let requests: Vec<_> = requests(command, line).into_iter().flatten().collect();
        assert_eq!(requests, expected, "{command:?}");
    }
    let names = Message {
        kind: 1,
        line: 0,
        value: 0,
    };
    assert_eq!(names_request(), names);
}

#[test]
fn the_status_counts_before_the_value() {
    let check = |raw| check_response(Command::GetValue, 2, raw);
    assert_eq!(check([0, 1]), Ok(Answer::Level(Level::High)));
    assert_eq!(check([0, 2]), Err(ReplyError::Value(2)));
    assert_eq!(check([1, 2]), Err(ReplyError::Failed));
    assert_eq!(check([2, 1]), Err(ReplyError::Status(2)));
    assert!(!ReplyError::Failed.is_violation());
    assert!(ReplyError::Status(2).is_violation());
    assert!(ReplyError::Value(2).is_violation());
}

#[test]
fn names_have_the_size_that_was_said() {
    let length = |written| ReplyError::Length { written, wanted: 8 };
    assert_eq!(check_names(8, 0, 7), Ok(()));
    assert_eq!(check_names(7, 0, 7), Err(length(7)));
    assert_eq!(check_names(9, 0, 7), Err(length(9)));
    assert_eq!(check_names(0, 0, 7), Err(length(0)));
    // What failed has said so, whatever else it has.
    assert_eq!(check_names(8, 1, 7), Err(ReplyError::Failed));
    assert_eq!(check_names(1, 1, 7), Err(ReplyError::Failed));
    assert_eq!(check_names(8, 3, 7), Err(ReplyError::Status(3)));
    // The status is not there to be read.
    assert_eq!(check_names(0, 1, 7), Err(length(0)));
}

#[test]
fn no_size_of_names_is_too_large() {
    let max = usize::MAX;
    assert_eq!(check_names(max, 0, max - 1), Ok(()));
    assert_eq!(check_names(max, 1, max), Err(ReplyError::Failed));
}

#[test]
fn events_are_of_two_sorts() {
    assert_eq!(check_event(1, 0), Ok(IrqStatus::Invalid));
    assert_eq!(check_event(1, 1), Ok(IrqStatus::Valid));
    for status in 2..=u8::MAX {
        assert_eq!(check_event(1, status), Err(EventError::Status(status)));
    }
    for written in [0, 2, 3, usize::MAX] {
        assert_eq!(check_event(written, 1), Err(EventError::Length(written)));
    }
    assert!(EventError::Length(7).to_string().contains('7'));
    assert!(EventError::Status(0x7f).to_string().contains("0x7f"));
}

#[test]
fn what_is_wrong_with_a_configuration_can_be_shown() {
    assert!(config::ConfigError::Size(7).to_string().contains('7'));
    assert!(!config::ConfigError::NoLines.to_string().is_empty());
}

proptest! {
    #[test]
    fn nothing_but_a_response_in_range_is_ever_taken(
        command in command(), written in 0usize..5, status in 0u8..4,
        value in prop_oneof![0u8..4, any::<u8>()]
    ) {
        let raw = [status, value];
        prop_assert_eq!(check_response(command, written, raw), expected(command, written, raw));
        let good = answer(command, value).filter(|_| written == 2 && status == 0);
        prop_assert_eq!(check_response(command, written, raw).ok(), good);
    }

    #[test]
    fn any_other_length_is_a_violation(command in command(), written: usize, raw: [u8; 2]) {
        prop_assume!(written != 2);
        let error = ReplyError::Length { written, wanted: 2 };
        prop_assert_eq!(check_response(command, written, raw), Err(error));
        prop_assert!(error.is_violation());
    }

    #[test]
    fn errors_can_be_shown(command in command(), written in 1usize..4, raw: [u8; 2], size: usize) {
        if let Err(error) = check_response(command, written, raw) {
            prop_assert!(!error.to_string().is_empty());
        }
        if let Err(error) = check_names(written, raw[0], size) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
