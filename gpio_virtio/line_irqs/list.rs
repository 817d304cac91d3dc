// SPDX-License-Identifier: GPL-2.0

//! Lists of lines, without memory of their own: each line has its place in each list.

use super::LineIrq;

/// A line's place in a list of lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    listed: bool,
    next: Option<u16>,
}

impl Link {
    /// Whether the line is in the list.
    pub(super) fn is_listed(self) -> bool {
        self.listed
    }
}

/// A list of lines, first in, first out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct List {
    first: Option<u16>,
    last: Option<u16>,
}

impl List {
    /// Whether there is no line in it.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Appends a line; tells whether it was not in the list.
    pub(super) fn push(
        &mut self,
        lines: &mut [LineIrq],
        line: u16,
        link: fn(&mut LineIrq) -> &mut Link,
    ) -> bool {
        match lines.get_mut(usize::from(line)).map(link) {
            Some(place) if !place.listed => {
                *place = Link {
                    listed: true,
                    next: None,
                }
            }
            _ => return false,
        }
        let last = self
            .last
            .and_then(|last| lines.get_mut(usize::from(last)))
            .map(link);
        match last {
            Some(place) => place.next = Some(line),
            None => self.first = Some(line),
        }
        self.last = Some(line);
        true
    }

    /// Takes out the first line.
    pub(super) fn pop(
        &mut self,
        lines: &mut [LineIrq],
        link: fn(&mut LineIrq) -> &mut Link,
    ) -> Option<u16> {
        let line = self.first?;
        let place = lines.get_mut(usize::from(line)).map(link)?;

        self.first = core::mem::take(place).next;
        if self.first.is_none() {
            self.last = None;
        }
        Some(line)
    }
}
