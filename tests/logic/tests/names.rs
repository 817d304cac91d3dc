// SPDX-License-Identifier: GPL-2.0

//! The names parser, against one that is as simple as it can be.

#[path = "oracles/names.rs"]
mod oracle;

use gpio_virtio_logic::names::{
    check,
    label,
    Names,
    NamesError, //
};
use oracle::{
    simple,
    simple_check,
    simple_label, //
};
use proptest::prelude::*;

/// Bytes of which many are terminators, few are bad, and some are names.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(0u8), 5 => b' '..=b'~', 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..40)
}

proptest! {
    #[test]
    fn names_are_those_of_the_simple_parser(block in block()) {
        let names: Vec<Vec<u8>> = Names::new(&block).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(names, simple(&block));
    }

    #[test]
    fn blocks_are_good_if_the_simple_check_says_so(block in block(), lines in 0u16..20) {
        prop_assert_eq!(check(&block, lines).is_ok(), simple_check(&block, lines));
    }

    #[test]
    fn any_bytes_are_survived(block in proptest::collection::vec(any::<u8>(), 0..200), lines: u16) {
        let _ = check(&block, lines);
        let total: usize = Names::new(&block).map(|name| name.len() + 1).sum();
        prop_assert!(total <= block.len());
        let _ = label(&block);
    }

    #[test]
    fn good_names_come_through(names in proptest::collection::vec("[ -~]{0,10}", 0..20), padding in 0usize..5) {
        let mut block = Vec::new();
        for name in &names {
            block.extend_from_slice(name.as_bytes());
            block.push(0);
        }
        block.resize(block.len() + padding, 0);
        prop_assert_eq!(check(&block, names.len() as u16), Ok(()));
        let read: Vec<&[u8]> = Names::new(&block).take(names.len()).collect();
        let expected: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_label_ends_at_its_first_nul_or_with_its_field(field in block()) {
        let found = label(&field).ok().map(|label| label.map(<[u8]>::to_vec));
        prop_assert_eq!(found, simple_label(&field));
    }
}

#[test]
fn what_is_wrong_is_said() {
    assert_eq!(check(b"", 0), Ok(()));
    assert_eq!(check(b"a", 1), Err(NamesError::Unterminated));
    assert_eq!(check(b"a\0b", 9), Err(NamesError::Unterminated));
    assert_eq!(check(b"a\0b\0", 1), Err(NamesError::TooMany));
    assert_eq!(check(b"a\0b\0", 2), Ok(()));
    assert_eq!(check(b"a\0\0\0", 1), Ok(()));
    assert_eq!(check(b"\0\0b\0", 2), Err(NamesError::TooMany));
    assert_eq!(check(b"a\x1b\0", 1), Err(NamesError::Byte(0x1b)));
    assert_eq!(check(b"\x7f\0", 1), Err(NamesError::Byte(0x7f)));
    assert_eq!(check(b"\x80\0", 1), Err(NamesError::Byte(0x80)));
    for error in [
        NamesError::Unterminated,
        NamesError::TooMany,
        NamesError::Byte(0x1b),
    ] {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn labels_are_read() {
    assert_eq!(label(&[0; 32]), Ok(None));
    assert_eq!(label(b""), Ok(None));
    assert_eq!(label(b"panel\0\0\0"), Ok(Some(&b"panel"[..])));
    assert_eq!(label(&[b'x'; 32]), Ok(Some(&[b'x'; 32][..])));
    assert_eq!(label(b"a\nb\0"), Err(NamesError::Byte(b'\n')));
    assert_eq!(label(b"a\0\n"), Ok(Some(&b"a"[..])));
}
