// SPDX-License-Identifier: GPL-2.0

//! What is made of an event of the RFC's protocol, however broken.

use gpio_virtio_logic::{
    line::Level,
    rfc::{
        check_event,
        EventError,
        Message, //
    },
};
use proptest::prelude::*;

fn event(kind: u16, line: u16, value: u32) -> [u8; 8] {
    Message { kind, line, value }.to_bytes()
}

#[test]
fn an_event_names_a_line_and_its_level() {
    assert_eq!(check_event(4, 8, event(0x11, 3, 1)), Ok((3, Level::High)));
    assert_eq!(check_event(4, 8, event(0x11, 0, 0)), Ok((0, Level::Low)));
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(
        check_event(4, 7, event(0x11, 3, 1)),
        Err(EventError::Length(7))
    );
    assert_eq!(
        check_event(4, 8, event(0xf011, 3, 1)),
        Err(EventError::Kind(0xf011))
    );
    assert_eq!(check_event(4, 8, event(5, 3, 1)), Err(EventError::Kind(5)));
    assert_eq!(
        check_event(4, 8, event(0x11, 4, 1)),
        Err(EventError::Line(4))
    );
    assert_eq!(
        check_event(0, 8, event(0x11, 0, 1)),
        Err(EventError::Line(0))
    );
    assert_eq!(
        check_event(4, 8, event(0x11, 3, 2)),
        Err(EventError::Level(2))
    );
}

proptest! {
    #[test]
    fn only_what_is_right_is_taken(
        lines in 0u16..5, written in 7usize..10,
        kind in prop_oneof![Just(0x11u16), any::<u16>()], line in 0u16..5,
        value in prop_oneof![0u32..3, any::<u32>()]
    ) {
        let good = written == 8 && kind == 0x11 && line < lines && value < 2;
        let expected = good.then(|| (line, Level::from(value == 1)));
        prop_assert_eq!(check_event(lines, written, event(kind, line, value)).ok(), expected);
    }

    #[test]
    fn errors_can_be_shown(lines: u16, written in 7usize..10, raw in any::<[u8; 8]>()) {
        if let Err(error) = check_event(lines, written, raw) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
