// SPDX-License-Identifier: GPL-2.0

//! What is known about the edges of one line.

use gpiocdev::line::{
    EdgeDetection,
    EdgeKind,
    Offset,
    Value, //
};

/// The edges of one line that were read.
#[derive(Debug)]
pub struct Tally {
    line: Offset,
    /// Events read.
    pub events: u64,
    /// The number that the kernel gave to the last one, counted from 1.
    seqno: u32,
    last: Option<EdgeKind>,
    /// Events whose number was not above that of the one before.
    disorder: u64,
}

impl Tally {
    /// Nothing was read about `line` yet.
    pub fn new(line: Offset) -> Self {
        Self {
            line,
            events: 0,
            seqno: 0,
            last: None,
            disorder: 0,
        }
    }

    /// The line.
    pub fn line(&self) -> Offset {
        self.line
    }

    /// Counts an event that was read.
    pub fn count(&mut self, kind: EdgeKind, seqno: u32) {
        self.events += 1;
        // Kernels that run for long start again at 0.
        if seqno.wrapping_sub(self.seqno) == 0 || seqno.wrapping_sub(self.seqno) > u32::MAX / 2 {
            self.disorder += 1;
        }
        self.seqno = seqno;
        self.last = Some(kind);
    }

    /// Events that the kernel had no room for.
    pub fn lost(&self) -> u64 {
        u64::from(self.seqno).saturating_sub(self.events)
    }

    /// All of it in one line, with the level that was read in the end.
    pub fn describe(&self, level: Value) -> String {
        let last = match self.last {
            Some(EdgeKind::Rising) => "rising",
            Some(EdgeKind::Falling) => "falling",
            None => "none",
        };
        format!(
            "line={} events={} seqno={} lost={} last={last} level={}",
            self.line,
            self.events,
            self.seqno,
            self.lost(),
            u8::from(level == Value::Active)
        )
    }

    /// What cannot be, if anything, as the line has `level` in the end.
    pub fn wrong(&self, edges: EdgeDetection, level: Value) -> Option<String> {
        let line = self.line;
        if self.disorder != 0 {
            return Some(format!(
                "line {line}: {} events came out of order",
                self.disorder
            ));
        }
        if u64::from(self.seqno) < self.events {
            return Some(format!(
                "line {line}: {} events were read, but the last one has the number {}",
                self.events, self.seqno
            ));
        }
        match (edges, self.last, level) {
            (EdgeDetection::BothEdges, Some(EdgeKind::Rising), Value::Inactive) => Some(format!(
                "line {line}: the last edge was a rising one, but the level is 0"
            )),
            (EdgeDetection::BothEdges, Some(EdgeKind::Falling), Value::Active) => Some(format!(
                "line {line}: the last edge was a falling one, but the level is 1"
            )),
            (EdgeDetection::RisingEdge, Some(EdgeKind::Falling), _)
            | (EdgeDetection::FallingEdge, Some(EdgeKind::Rising), _) => {
                Some(format!("line {line}: an edge came that was not asked for"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EdgeDetection::{
        BothEdges,
        FallingEdge,
        RisingEdge, //
    };
    use EdgeKind::{
        Falling,
        Rising, //
    };
    use Value::{
        Active,
        Inactive, //
    };

    fn tally(events: &[(EdgeKind, u32)]) -> Tally {
        let mut tally = Tally::new(3);
        for &(kind, seqno) in events {
            tally.count(kind, seqno);
        }
        tally
    }

    #[test]
    fn what_is_missing_between_the_numbers_was_lost() {
        let tally = tally(&[(Rising, 1), (Falling, 2), (Falling, 9)]);
        assert_eq!(
            tally.describe(Inactive),
            "line=3 events=3 seqno=9 lost=6 last=falling level=0"
        );
        assert_eq!(tally.wrong(BothEdges, Inactive), None);
    }

    #[test]
    fn a_line_without_edges_may_have_any_level() {
        let tally = tally(&[]);
        assert_eq!(
            tally.describe(Active),
            "line=3 events=0 seqno=0 lost=0 last=none level=1"
        );
        assert_eq!(tally.wrong(BothEdges, Active), None);
        assert_eq!(tally.wrong(BothEdges, Inactive), None);
    }

    #[test]
    fn the_last_edge_has_to_agree_with_the_level() {
        let rising = tally(&[(Falling, 1), (Rising, 2)]);
        assert_eq!(rising.wrong(BothEdges, Active), None);
        assert!(rising.wrong(BothEdges, Inactive).is_some());
        let falling = tally(&[(Rising, 1), (Falling, 2)]);
        assert_eq!(falling.wrong(BothEdges, Inactive), None);
        assert!(falling.wrong(BothEdges, Active).is_some());
    }

    #[test]
    fn one_sort_of_edge_says_nothing_about_the_level() {
        let rising = tally(&[(Rising, 1), (Rising, 2)]);
        assert_eq!(rising.wrong(RisingEdge, Inactive), None);
        assert!(rising.wrong(FallingEdge, Inactive).is_some());
    }

    #[test]
    fn numbers_have_to_rise() {
        assert!(tally(&[(Rising, 2), (Falling, 2)])
            .wrong(BothEdges, Inactive)
            .is_some());
        assert!(tally(&[(Rising, 2), (Falling, 1)])
            .wrong(BothEdges, Inactive)
            .is_some());
        assert!(tally(&[(Rising, 0)]).wrong(BothEdges, Active).is_some());
    }
}
