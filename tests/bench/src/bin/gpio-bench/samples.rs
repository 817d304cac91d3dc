// SPDX-License-Identifier: GPL-2.0

//! Doing something over and over, and how long each time took.

use std::{
    collections::BTreeMap,
    time::Duration, //
};

use anyhow::Result;
use gpio_bench::statistics::percentile;

use crate::clock;

/// No more of them are kept, and so no more are made.
const MOST: usize = 1 << 20;

/// How long it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Before anything counts.
    pub warmup: Duration,
    /// After that.
    pub duration: Duration,
}

/// Does something again and again until so much time has passed; at least once.
pub fn repeat(duration: Duration, mut operation: impl FnMut() -> Result<()>) -> Result<()> {
    let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let end = clock::now().saturating_add(duration);
    for _ in 0..MOST {
        operation()?;
        if clock::now() >= end {
            break;
        }
    }
    Ok(())
}

/// How long something takes, in nanoseconds.
pub fn timed(operation: impl FnOnce() -> Result<()>) -> Result<u64> {
    let start = clock::now();
    operation()?;
    Ok(clock::now().saturating_sub(start))
}

/// How long each of many operations took, in nanoseconds.
#[derive(Debug, Default)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// None yet.
    pub fn new() -> Self {
        Self(Vec::with_capacity(MOST / 16))
    }

    /// Adds one.
    pub fn push(&mut self, nanoseconds: u64) {
        self.0.push(nanoseconds);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What there is to say about them.
    pub fn summary(mut self) -> BTreeMap<String, f64> {
        self.0.sort_unstable();
        let count = as_f64(u64::try_from(self.0.len()).unwrap_or(u64::MAX));
        let sum = as_f64(self.0.iter().sum());
        [
            ("count", count),
            ("mean_ns", if count > 0.0 { sum / count } else { 0.0 }),
            ("min_ns", as_f64(percentile(&self.0, 0))),
            ("median_ns", as_f64(percentile(&self.0, 50))),
            ("p99_ns", as_f64(percentile(&self.0, 99))),
            ("max_ns", as_f64(percentile(&self.0, 100))),
        ]
        .map(|(name, value)| (name.to_string(), value))
        .into()
    }
}

/// A count as a number that can be divided. Counts here are far below 2^53.
#[allow(clippy::cast_precision_loss)]
pub fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_at_least_once_and_ends() {
        let mut count = 0;
        repeat(Duration::ZERO, || {
            count += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(count, 1);
        let start = clock::now();
        repeat(Duration::from_millis(20), || Ok(())).unwrap();
        assert!(clock::now() - start < 5_000_000_000);
        assert!(repeat(Duration::from_secs(600), || anyhow::bail!("no")).is_err());
    }

    #[test]
    fn samples_are_summed_up() {
        let mut samples = Samples::new();
        for nanoseconds in [5, 1, 3] {
            samples.push(nanoseconds);
        }
        let summary = samples.summary();
        assert_eq!(summary["count"], 3.0);
        assert_eq!(summary["mean_ns"], 3.0);
        assert_eq!((summary["min_ns"], summary["max_ns"]), (1.0, 5.0));
        assert_eq!(summary["median_ns"], 3.0);
        assert_eq!(Samples::new().summary()["median_ns"], 0.0);
    }
}
