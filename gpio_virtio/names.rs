// SPDX-License-Identifier: GPL-2.0

//! The names that a device gives to itself and to its lines.
//!
//! Pure, like [`rfc`](super::rfc): compiled for the kernel and for the host from this one file.
//! Both protocols have the same block of names: NUL-terminated strings in the order of the lines.

use core::{
    fmt,
    ops::DerefMut, //
};

/// Why a block of names, or a label, is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesError {
    /// The last name does not end with NUL.
    Unterminated,
    /// There is a name for a line that does not exist.
    TooMany,
    /// A byte is not printable ASCII.
    Byte(u8),
}

impl fmt::Display for NamesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            NamesError::Unterminated => write!(f, "the last name has no end"),
            NamesError::TooMany => write!(f, "there are more names than lines"),
            NamesError::Byte(byte) => write!(f, "byte {byte:#04x} is not printable ASCII"),
        }
    }
}

/// Names end up in logs, in `/proc` and on terminals: no control characters, no escape sequences.
fn check_bytes(bytes: &[u8]) -> core::result::Result<(), NamesError> {
    match bytes.iter().find(|byte| !matches!(byte, b' '..=b'~')) {
        Some(&byte) => Err(NamesError::Byte(byte)),
        None => Ok(()),
    }
}

/// Checks a block of names for `lines` lines.
///
/// A block that has passed can be given to [`Names::new`]. Empty names after the last line are
/// padding.
pub fn check(block: &[u8], lines: u16) -> core::result::Result<(), NamesError> {
    let Some((&last, _)) = block.split_last() else {
        return Ok(());
    };
    if last != 0 {
        return Err(NamesError::Unterminated);
    }

    for (index, name) in Names::new(block).enumerate() {
        check_bytes(name)?;
        if index >= usize::from(lines) && !name.is_empty() {
            return Err(NamesError::TooMany);
        }
    }
    Ok(())
}

/// The names of a block, in the order of the lines, without their terminators.
///
/// An empty name is that of a line without a name. Bytes after the last terminator are passed over.
pub struct Names<'a> {
    rest: &'a [u8],
}

impl<'a> Names<'a> {
    /// Starts at the first name of `block`.
    pub const fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or(&[]);
        Some(name)
    }
}

/// A set of names, all of one block. `S` is where it is kept.
///
/// A name that is there twice is no name: users could not tell the lines apart, and gpiolib complains
/// about each.
pub struct NameSet<S> {
    /// Where each name begins in the block, plus one; 0 is a free place. The first place to look for a
    /// name is its hash.
    places: S,
}

impl<S> NameSet<S>
where
    S: DerefMut<Target = [u32]>,
{
    /// Makes an empty set. `places` are all 0, and their number is that of [`Self::places_for`].
    pub const fn new(places: S) -> Self {
        Self { places }
    }

    /// How many places a set for so many names has.
    pub const fn places_for(names: usize) -> usize {
        // Half of them stay free.
        names.saturating_mul(2).next_power_of_two()
    }

    /// Adds the name that begins at `start` in the block, and tells whether it was not in the set.
    pub fn insert(&mut self, block: &[u8], start: usize) -> bool {
        let Some(name) = name_at(block, start) else {
            return true;
        };
        let count = self.places.len();
        let first = hash(name) as usize;

        for step in 0..count {
            // The number of places is a power of two.
            let Some(place) = self.places.get_mut(first.wrapping_add(step) & (count - 1)) else {
                break;
            };
            match *place {
                0 => {
                    // CAST: A block has less than 32 bits of size.
                    *place = start.wrapping_add(1) as u32;
                    return true;
                }
                other if name_at(block, other as usize - 1) == Some(name) => return false,
                _ => (),
            }
        }
        true
    }
}

/// The name that begins at `start`, without its terminator.
fn name_at(block: &[u8], start: usize) -> Option<&[u8]> {
    Names::new(block.get(start..)?).next()
}

/// The hash of a name, by the method of Fowler, Noll and Vo (FNV-1a).
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The label in a field that is padded with NUL, and may be full: `None` if it is empty.
pub fn label(field: &[u8]) -> core::result::Result<Option<&[u8]>, NamesError> {
    let label = match field.iter().position(|&byte| byte == 0) {
        Some(end) => field.split_at(end).0,
        None => field,
    };
    check_bytes(label)?;
    Ok(if label.is_empty() { None } else { Some(label) })
}
