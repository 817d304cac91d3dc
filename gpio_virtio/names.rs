// SPDX-License-Identifier: GPL-2.0

//! The names that a device gives to itself and to its lines.
//!
//! Pure, like [`rfc`](super::rfc): compiled for the kernel and for the host from this one file.
//! Both protocols have the same block of names: NUL-terminated strings in the order of the lines.

use core::fmt;

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

/// The label in a field that is padded with NUL, and may be full: `None` if it is empty.
pub fn label(field: &[u8]) -> core::result::Result<Option<&[u8]>, NamesError> {
    let label = match field.iter().position(|&byte| byte == 0) {
        Some(end) => field.split_at(end).0,
        None => field,
    };
    check_bytes(label)?;
    Ok(if label.is_empty() { None } else { Some(label) })
}
