// SPDX-License-Identifier: GPL-2.0

//! Lines that are toggled from outside, many times, while other things go on.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    time::{
        Duration,
        Instant, //
    },
};

const SECOND: u64 = 1_000_000_000;

/// What one line goes through.
#[derive(Clone, Copy, Debug)]
struct Burst {
    line: u16,
    count: u32,
    done: u32,
    /// Toggles a second; without it, as fast as it goes.
    rate: Option<NonZeroU32>,
    start: Instant,
}

impl Burst {
    /// When the next toggle is due.
    ///
    /// Counted from the start: one that comes late does not delay all those after it.
    fn due(&self, now: Instant) -> Instant {
        match self.rate {
            Some(rate) => {
                let since = u64::from(self.done) * SECOND / u64::from(rate.get());
                self.start + Duration::from_nanos(since)
            }
            None => now,
        }
    }
}

/// The bursts that are running, by when they are due.
#[derive(Debug, Default)]
pub struct Bursts {
    due: BTreeMap<(Instant, u64), Burst>,
    /// Those that are due at the same time have their turn one after the other.
    turn: u64,
}

impl Bursts {
    /// Starts one, unless there is one on the line; tells whether it was started.
    pub fn start(
        &mut self,
        line: u16,
        count: NonZeroU32,
        rate: Option<NonZeroU32>,
        now: Instant,
    ) -> bool {
        if self.due.values().any(|burst| burst.line == line) {
            return false;
        }
        let burst = Burst {
            line,
            count: count.get(),
            done: 0,
            rate,
            start: now,
        };
        self.add(burst, now);
        true
    }

    fn add(&mut self, burst: Burst, now: Instant) {
        self.turn += 1;
        self.due.insert((burst.due(now), self.turn), burst);
    }

    /// The next line that is to be toggled by now.
    pub fn next(&mut self, now: Instant) -> Option<u16> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let mut burst = first.remove();
        burst.done += 1;
        if burst.done < burst.count {
            self.add(burst, now);
        }
        Some(burst.line)
    }

    /// Ends that of a line.
    pub fn end(&mut self, line: u16) {
        self.due.retain(|_, burst| burst.line != line);
    }

    /// When there is something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.keys().next().map(|&(at, _)| at)
    }

    /// How many are running.
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether none is running.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    /// The toggles that are due by now.
    fn all(bursts: &mut Bursts, now: Instant) -> Vec<u16> {
        std::iter::from_fn(|| bursts.next(now)).collect()
    }

    #[test]
    fn those_without_a_rate_take_turns() {
        let now = Instant::now();
        let mut bursts = Bursts::default();
        assert!(bursts.start(3, some(3), None, now));
        assert!(bursts.start(5, some(2), None, now));
        assert!(!bursts.start(3, some(1), None, now));
        assert_eq!((bursts.len(), bursts.deadline()), (2, Some(now)));
        assert_eq!(all(&mut bursts, now), [3, 5, 3, 5, 3]);
        assert!(bursts.is_empty());
        assert!(bursts.start(3, some(1), None, now));
        bursts.end(3);
        assert_eq!(bursts.deadline(), None);
    }

    #[test]
    fn a_rate_holds_even_if_the_device_is_late() {
        let start = Instant::now();
        let ms = Duration::from_millis(1);
        let mut bursts = Bursts::default();
        assert!(bursts.start(1, some(1000), Some(some(100)), start));
        assert_eq!(all(&mut bursts, start).len(), 1);
        assert_eq!(bursts.deadline(), Some(start + 10 * ms));
        assert!(all(&mut bursts, start + 9 * ms).is_empty());
        assert_eq!(all(&mut bursts, start + 95 * ms).len(), 9);
        assert_eq!(bursts.deadline(), Some(start + 100 * ms));
    }

    #[test]
    fn one_without_a_rate_does_not_stop_one_that_has_one() {
        let start = Instant::now();
        let us = Duration::from_micros(1);
        let mut bursts = Bursts::default();
        bursts.start(1, some(u32::MAX), None, start);
        bursts.start(2, some(u32::MAX), Some(some(1000)), start);
        let toggles: Vec<_> = (0..10_000)
            .filter_map(|step| bursts.next(start + step * us))
            .collect();
        assert_eq!(toggles.len(), 10_000);
        assert_eq!(toggles.iter().filter(|&&line| line == 2).count(), 10);
    }

    proptest! {
        #[test]
        fn each_line_is_toggled_as_often_as_was_asked(
            asked in prop::collection::btree_map(0u16..20, (1u32..50, any::<Option<u32>>()), 1..10)
        ) {
            let start = Instant::now();
            let mut bursts = Bursts::default();
            for (&line, &(count, rate)) in &asked {
                let rate = rate.and_then(NonZeroU32::new);
                prop_assert!(bursts.start(line, some(count), rate, start));
            }
            let toggles = all(&mut bursts, start + Duration::from_secs(50));
            prop_assert!(bursts.is_empty());
            for (line, (count, _)) in asked {
                let of_line = toggles.iter().filter(|&&other| other == line);
                prop_assert_eq!(of_line.count(), count as usize);
            }
        }
    }
}
