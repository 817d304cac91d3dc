// SPDX-License-Identifier: GPL-2.0

//! The C header for user space says the same as the driver's own source.

use std::collections::HashMap;

use gpio_virtio_logic::{
    command::Command,
    line::Direction,
    rfc::{
        self,
        config,
        Kind, //
    },
};

const HEADER: &str = include_str!("../../../uapi/linux/virtio_gpio_rfc.h");

/// The numbers that the header defines, without the prefix that all names have.
fn defines() -> HashMap<&'static str, u32> {
    HEADER
        .lines()
        .filter_map(|line| {
            let mut words = line
                .strip_prefix("#define VIRTIO_GPIO_RFC_")?
                .split_whitespace();
            let name = words.next()?;
            let value = words.next()?;
            let value = match value.strip_prefix("0x") {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => value.parse(),
            };
            Some((name, value.ok()?))
        })
        .collect()
}

#[test]
fn numbers_are_the_same() {
    let defines = defines();

    assert_eq!(defines["ID"], rfc::DEVICE_ID);
    assert_eq!(defines["VQ_EVENT"], u32::from(rfc::EVENT_QUEUE));
    assert_eq!(defines["VQ_COMMAND"], u32::from(rfc::COMMAND_QUEUE));
    assert_eq!(defines["VERSION"], u32::from(config::VERSION_1));
    assert_eq!(defines["NAME_SIZE"] as usize, config::NAME_SIZE);
    assert_eq!(
        defines["DIRECTION_OUTPUT"],
        rfc::direction_to_wire(Direction::Output)
    );
    assert_eq!(
        defines["DIRECTION_INPUT"],
        rfc::direction_to_wire(Direction::Input)
    );
}

#[test]
fn each_kind_of_message_is_there() {
    let messages: HashMap<_, _> = defines()
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("MSG_")?, value)))
        .collect();
    let kinds = [
        ("REQUEST", Kind::Request),
        ("DIRECTION_INPUT", Kind::DirectionInput),
        ("DIRECTION_OUTPUT", Kind::DirectionOutput),
        ("GET_DIRECTION", Kind::GetDirection),
        ("GET_VALUE", Kind::GetValue),
        ("SET_VALUE", Kind::SetValue),
        ("SET_IRQ_TYPE", Kind::SetIrqType),
        ("LEVEL", Kind::Level),
    ];

    assert_eq!(messages.len(), kinds.len());
    for (name, kind) in kinds {
        assert_eq!(messages[name], kind as u32, "{name}");
    }
}

#[test]
fn a_reply_is_marked_as_the_header_says() {
    let request = rfc::message(Command::GetValue, 3).unwrap();
    let reply = rfc::reply(request, Ok(1));

    assert_eq!(
        u32::from(reply.kind),
        u32::from(request.kind) | defines()["REPLY"]
    );
}
