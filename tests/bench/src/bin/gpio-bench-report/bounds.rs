// SPDX-License-Identifier: GPL-2.0

//! What the benchmark was made to show: the list of issue 5.

use std::{
    collections::BTreeMap,
    fmt, //
};

use serde::Serialize;

use crate::{
    digits::rounded,
    results::{
        ratio,
        Key,
        Number,
        Results, //
    },
};

/// What a number has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// So much, or more.
    AtLeast(f64),
    /// So much, or less.
    AtMost(f64),
}

impl Bound {
    /// Whether a number is, as it is printed; nothing at all is to be nothing at all.
    pub fn is_met_by(self, number: f64) -> bool {
        match self {
            Self::AtLeast(least) => rounded(number) >= least,
            Self::AtMost(0.0) => number <= 0.0,
            Self::AtMost(most) => rounded(number) <= most,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
        }
    }
}

/// One number that has a bound.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// What the number is.
    pub what: String,
    /// The number, if it was measured. Only its median has to be within the bound.
    pub measured: Option<Number>,
    /// The bound.
    pub bound: Bound,
}

impl Part {
    /// Whether the bound is met.
    pub fn is_met(&self) -> bool {
        self.measured
            .is_some_and(|number| self.bound.is_met_by(number.median))
    }
}

/// One item of the list.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its number.
    pub number: u32,
    /// What it is about.
    pub what: &'static str,
    /// All that it asks for.
    pub parts: Vec<Part>,
}

impl Item {
    /// Whether all of it is met.
    pub fn is_met(&self) -> bool {
        self.parts.iter().all(Part::is_met)
    }

    /// Whether all of it was measured.
    pub fn is_measured(&self) -> bool {
        self.parts.iter().all(|part| part.measured.is_some())
    }
}

/// Our driver with either protocol, the kernel's own, and the floor.
const OURS: &str = "rust-41";
const OURS_RFC: &str = "rust-30";
const THEIRS: &str = "c-41";
const FLOOR: &str = "floor-41";

/// The values of the rounds.
type Rounds = BTreeMap<u32, f64>;

/// What the parts are made of.
struct Maker<'a> {
    results: &'a Results,
    parts: Vec<Part>,
}

impl<'a> Maker<'a> {
    fn new(results: &'a Results) -> Self {
        Self {
            results,
            parts: Vec::new(),
        }
    }

    /// A value with one thread.
    fn rounds(&self, subject: &str, measure: &str, lines: u32, value: &str) -> Rounds {
        self.results.rounds(Key {
            subject,
            measure,
            lines,
            threads: 1,
            value,
        })
    }

    /// How long an operation takes.
    fn cost(&self, subject: &str, measure: &str, lines: u32) -> Rounds {
        self.rounds(subject, measure, lines, "median_ns")
    }

    fn ratio(&mut self, what: &str, above: &Rounds, below: &Rounds, bound: Bound) {
        self.parts.push(Part {
            what: what.to_string(),
            measured: ratio(above, below),
            bound,
        });
    }

    /// A number that is none of two.
    fn plain(&mut self, what: String, measured: Option<Number>, bound: Bound) {
        self.parts.push(Part {
            what,
            measured,
            bound,
        });
    }

    fn item(self, number: u32, what: &'static str) -> Item {
        Item {
            number,
            what,
            parts: self.parts,
        }
    }
}

/// Sums of the values of the same rounds.
fn sum(all: &[Rounds]) -> Rounds {
    let mut total = Rounds::new();
    for rounds in all {
        for (round, number) in rounds {
            *total.entry(*round).or_default() += number;
        }
    }
    total
}

/// What one line more takes: the difference of two numbers, over the difference of lines.
fn per_line(few: &Rounds, many: &Rounds, lines: u32) -> Rounds {
    many.iter()
        .filter_map(|(round, many)| {
            let few = few.get(round)?;
            Some((*round, (many - few) / f64::from(lines)))
        })
        .collect()
}

/// The most edges that a driver delivered in a second, of all rates.
fn best_rate(results: &Results, subject: &str) -> Rounds {
    let mut best = Rounds::new();
    for rate in results.rates() {
        let rounds = results.rounds(Key {
            subject,
            measure: &format!("edges-{rate}"),
            lines: 1,
            threads: 1,
            value: "delivered_per_second",
        });
        for (round, number) in rounds {
            let entry = best.entry(round).or_insert(number);
            *entry = entry.max(number);
        }
    }
    best
}

/// The memory that a driver has for each line, by itself.
pub fn memory_per_line(results: &Results, subject: &str) -> Rounds {
    let bytes = |lines| {
        results.rounds(Key {
            subject,
            measure: "memory",
            lines,
            threads: 1,
            value: "driver_bytes",
        })
    };
    per_line(&bytes(64), &bytes(256), 192)
}

fn spread(rounds: &Rounds) -> Option<Number> {
    ratio(rounds, &rounds.keys().map(|round| (*round, 1.0)).collect())
}

fn many_lines(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    for measure in ["get", "set"] {
        let ours = maker.cost(OURS, measure, 64);
        let theirs = maker.cost(THEIRS, measure, 64);
        maker.ratio(
            &format!("{measure}: C, to ours"),
            &theirs,
            &ours,
            Bound::AtLeast(20.0),
        );
    }
    for (subject, id) in [(OURS, ""), (OURS_RFC, ", ID 30")] {
        for measure in ["get", "set"] {
            let many = maker.cost(subject, measure, 64);
            let one = maker.cost(subject, measure, 1);
            maker.ratio(
                &format!("{measure}{id}: 64 lines, to one"),
                &many,
                &one,
                Bound::AtMost(3.0),
            );
        }
    }
    maker.item(1, "64 lines at once")
}

fn one_line(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    let floor = maker.cost(FLOOR, "floor", 1);
    for measure in ["get", "set"] {
        let ours = maker.cost(OURS, measure, 1);
        let theirs = maker.cost(THEIRS, measure, 1);
        maker.ratio(
            &format!("{measure}: ours, to C"),
            &ours,
            &theirs,
            Bound::AtMost(1.0),
        );
        maker.ratio(
            &format!("{measure}: ours, to the floor"),
            &ours,
            &floor,
            Bound::AtMost(1.3),
        );
    }
    maker.item(2, "one line")
}

fn direction(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    let ours = maker.cost(OURS, "direction-out", 1);
    let theirs = maker.cost(THEIRS, "direction-out", 1);
    maker.ratio("C, to ours", &theirs, &ours, Bound::AtLeast(1.7));
    maker.item(3, "direction to output")
}

fn bind(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    let ours = maker.cost(OURS, "bind", 256);
    let theirs = maker.cost(THEIRS, "bind", 256);
    maker.ratio("C, to ours", &theirs, &ours, Bound::AtLeast(10.0));
    maker.item(4, "bind with 256 lines")
}

fn threads(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    let rate = |subject| {
        results.rounds(Key {
            subject,
            measure: "threads",
            lines: 8,
            threads: 8,
            value: "per_second",
        })
    };
    maker.ratio(
        "ours, to C (until it breaks)",
        &rate(OURS),
        &rate(THEIRS),
        Bound::AtLeast(1.5),
    );
    maker.item(5, "8 threads on 8 lines")
}

fn edges(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    maker.ratio(
        "most delivered in a second: ours, to C",
        &best_rate(results, OURS),
        &best_rate(results, THEIRS),
        Bound::AtLeast(1.0),
    );
    let ours = maker.cost(OURS, "latency", 1);
    let theirs = maker.cost(THEIRS, "latency", 1);
    maker.ratio("latency: ours, to C", &ours, &theirs, Bound::AtMost(1.0));
    if let Some(slow) = results.rates().first() {
        for (subject, id) in [(OURS, "ID 41"), (OURS_RFC, "ID 30")] {
            let lost = maker.rounds(subject, &format!("edges-{slow}"), 1, "lost");
            maker.plain(
                format!("lost of those sent at {slow} Hz, {id}"),
                spread(&lost),
                Bound::AtMost(0.0),
            );
        }
    }
    maker.item(6, "edges")
}

fn requests(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    for (subject, id) in [(OURS, "ID 41"), (OURS_RFC, "ID 30")] {
        let mut counts = Vec::new();
        for measure in ["allocations-get", "allocations-set"] {
            for lines in [1, 64] {
                for owner in ["driver", "virtio"] {
                    counts.push(maker.rounds(
                        subject,
                        measure,
                        lines,
                        &format!("{owner}_count_per_op"),
                    ));
                }
            }
        }
        maker.plain(
            format!("allocations, 1 and 64 lines, {id}"),
            spread(&sum(&counts)),
            Bound::AtMost(0.0),
        );
        for (value, name) in [
            ("notifications_per_op", "notifications"),
            ("interrupts_per_op", "interrupts"),
        ] {
            for measure in ["get", "set"] {
                let rounds = maker.rounds(subject, measure, 64, value);
                maker.plain(
                    format!("{name}, {measure} of 64 lines, {id}"),
                    spread(&rounds),
                    Bound::AtMost(1.0),
                );
            }
        }
    }
    maker.item(7, "what a request takes")
}

fn sizes(results: &Results) -> Item {
    let mut maker = Maker::new(results);
    let text = |subject| {
        results.rounds(Key {
            subject,
            measure: "module",
            lines: 0,
            threads: 0,
            value: "text_bytes",
        })
    };
    maker.ratio(
        "text of the module: ours, to C",
        &text(OURS),
        &text(THEIRS),
        Bound::AtMost(2.0),
    );
    for (suffix, what) in [("-no-irq", "without interrupts"), ("", "with interrupts")] {
        maker.ratio(
            &format!("memory of a line, {what}: ours, to C"),
            &memory_per_line(results, &format!("{OURS}{suffix}")),
            &memory_per_line(results, &format!("{THEIRS}{suffix}")),
            Bound::AtMost(1.0),
        );
    }
    maker.item(8, "size")
}

/// The whole list.
pub fn items(results: &Results) -> Vec<Item> {
    vec![
        many_lines(results),
        one_line(results),
        direction(results),
        bind(results),
        threads(results),
        edges(results),
        requests(results),
        sizes(results),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_met_or_not() {
        assert!(Bound::AtLeast(20.0).is_met_by(20.0));
        assert!(!Bound::AtLeast(20.0).is_met_by(19.9));
        assert!(Bound::AtMost(0.0).is_met_by(0.0));
        assert!(!Bound::AtMost(0.0).is_met_by(0.001));
        assert!(Bound::AtMost(1.0).is_met_by(1.004));
        assert!(!Bound::AtMost(1.0).is_met_by(1.006));
        assert_eq!(Bound::AtLeast(1.5).to_string(), ">= 1.5");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let items = items(&Results::default());
        assert_eq!(items.len(), 8);
        assert!(items.iter().all(|item| !item.is_met()));
        assert!(items.iter().all(|item| !item.is_measured()));
    }

    #[test]
    fn a_line_takes_what_one_more_takes() {
        let rounds = |number| Rounds::from([(1, number)]);
        let line = per_line(&rounds(1000.0), &rounds(1000.0 + 192.0 * 24.0), 192);
        assert_eq!(line, rounds(24.0));
        assert_eq!(sum(&[rounds(1.0), rounds(2.0), Rounds::new()]), rounds(3.0));
    }

    #[test]
    fn a_part_is_made_of_medians() {
        let line = |subject: &str, lines: u32, ns: f64| {
            format!(
                r#"{{"subject":"{subject}","round":1,"measure":"direction-out","lines":{lines},"threads":1,"values":{{"median_ns":{ns}}}}}"#
            )
        };
        let text = [line("rust-41", 1, 100.0), line("c-41", 1, 180.0)].join("\n");
        let item = direction(&Results::parse(&text).unwrap());
        assert!(item.is_met());
        assert_eq!(item.parts[0].measured.unwrap().median, 1.8);
    }
}
