// SPDX-License-Identifier: GPL-2.0

//! All that was measured, by what it is.

use std::collections::BTreeMap;

use anyhow::{
    Context,
    Result, //
};
use gpio_bench::{
    record::{
        Entry,
        Fact,
        Record, //
    },
    statistics::Spread,
};
use serde::Serialize;

/// What a number says, in each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// What was measured.
    pub subject: &'a str,
    /// How.
    pub measure: &'a str,
    /// With how many lines.
    pub lines: u32,
    /// By how many threads.
    pub threads: u32,
    /// Which of the results.
    pub value: &'a str,
}

/// A number, as medians over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Number {
    /// The median.
    pub median: f64,
    /// The smallest one of a round.
    pub min: f64,
    /// The largest one of a round.
    pub max: f64,
}

impl From<Spread> for Number {
    fn from(spread: Spread) -> Self {
        Self {
            median: spread.median,
            min: spread.min,
            max: spread.max,
        }
    }
}

impl Number {
    /// The same for numbers that are so much larger.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            min: self.min * factor,
            max: self.max * factor,
        }
    }
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Results {
    records: Vec<Record>,
    facts: Vec<Fact>,
}

impl Results {
    /// Reads lines of JSON.
    pub fn parse(text: &str) -> Result<Self> {
        let mut results = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let entry = serde_json::from_str(line)
                .with_context(|| format!("line {} is no result: {line}", number + 1))?;
            match entry {
                Entry::Record(record) => results.records.push(record),
                Entry::Fact(fact) => results.facts.push(fact),
            }
        }
        Ok(results)
    }

    /// What is known about the machine.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Everything that there is a number of.
    pub fn keys(&self) -> Vec<Key<'_>> {
        let mut keys: Vec<_> = self
            .records
            .iter()
            .flat_map(|record| {
                record.values.keys().map(|value| Key {
                    subject: &record.subject,
                    measure: &record.measure,
                    lines: record.lines,
                    threads: record.threads,
                    value,
                })
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// A number of each round that has it.
    pub fn rounds(&self, key: Key<'_>) -> BTreeMap<u32, f64> {
        self.records
            .iter()
            .filter(|record| {
                record.subject == key.subject
                    && record.measure == key.measure
                    && record.lines == key.lines
                    && record.threads == key.threads
            })
            .filter_map(|record| Some((record.round, *record.values.get(key.value)?)))
            .collect()
    }

    /// A number over the rounds.
    pub fn number(&self, key: Key<'_>) -> Option<Number> {
        let rounds: Vec<_> = self.rounds(key).into_values().collect();
        Spread::of(&rounds).map(Number::from)
    }

    /// The numbers of lines that there are for a measure.
    pub fn line_counts(&self, subject: &str, measure: &str) -> Vec<u32> {
        let mut counts: Vec<_> = self
            .records
            .iter()
            .filter(|record| record.subject == subject && record.measure == measure)
            .map(|record| record.lines)
            .collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    }

    /// The rates of the measure of edges that there are, from slow to fast.
    pub fn rates(&self) -> Vec<u32> {
        let mut rates: Vec<u32> = self
            .records
            .iter()
            .filter_map(|record| record.measure.strip_prefix("edges-")?.parse().ok())
            .collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    }
}

/// How many times one number another one is. The median is that of the medians; the rest is of
/// those of single rounds.
pub fn ratio(above: &BTreeMap<u32, f64>, below: &BTreeMap<u32, f64>) -> Option<Number> {
    let of = |rounds: &BTreeMap<u32, f64>| {
        Spread::of(&rounds.values().copied().collect::<Vec<_>>()).map(|spread| spread.median)
    };
    let median = of(above)? / of(below)?;
    let each: Vec<_> = above
        .iter()
        .filter_map(|(round, number)| Some(number / below.get(round)?))
        .collect();
    let spread = Spread::of(&each);
    Some(Number {
        median,
        min: spread.map_or(median, |spread| spread.min.min(median)),
        max: spread.map_or(median, |spread| spread.max.max(median)),
    })
    .filter(|number| number.median.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
{"subject":"a","round":1,"measure":"get","lines":1,"threads":1,"values":{"median_ns":10.0}}
{"subject":"a","round":2,"measure":"get","lines":1,"threads":1,"values":{"median_ns":20.0}}
{"subject":"a","round":3,"measure":"get","lines":1,"threads":1,"values":{"median_ns":90.0}}
{"subject":"b","round":1,"measure":"get","lines":1,"threads":1,"values":{"median_ns":5.0}}
{"subject":"b","round":2,"measure":"get","lines":1,"threads":1,"values":{"median_ns":10.0}}
{"subject":"b","round":1,"measure":"edges-200","lines":1,"threads":1,"values":{"lost":0.0}}
{"fact":"clock","value":"tsc"}
"#;

    fn key(subject: &'static str) -> Key<'static> {
        Key {
            subject,
            measure: "get",
            lines: 1,
            threads: 1,
            value: "median_ns",
        }
    }

    #[test]
    fn rounds_are_put_together() {
        let results = Results::parse(TEXT).unwrap();
        let number = results.number(key("a")).unwrap();
        assert_eq!((number.median, number.min, number.max), (20.0, 10.0, 90.0));
        assert_eq!(results.number(key("c")), None);
        assert_eq!(results.keys().len(), 3);
        assert_eq!(results.rates(), [200]);
        assert_eq!(results.facts().len(), 1);
        assert_eq!(results.line_counts("a", "get"), [1]);
        assert!(Results::parse("{}").is_err());
    }

    #[test]
    fn a_ratio_is_that_of_medians() {
        let results = Results::parse(TEXT).unwrap();
        let (a, b) = (results.rounds(key("a")), results.rounds(key("b")));
        let number = ratio(&a, &b).unwrap();
        assert_eq!(number.median, 20.0 / 7.5);
        assert_eq!((number.min, number.max), (2.0, 20.0 / 7.5));
        assert_eq!(ratio(&a, &BTreeMap::new()), None);
        assert_eq!(ratio(&a, &[(1, 0.0)].into()), None);
    }
}
