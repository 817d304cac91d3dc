// SPDX-License-Identifier: GPL-2.0

//! Few numbers for many.

/// The number below which so many hundredths of the others are; 0 if there are none.
///
/// `sorted` is in ascending order.
pub fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let last = sorted.len().saturating_sub(1);
    let index = last.saturating_mul(percent).div_ceil(100);
    sorted.get(index).copied().unwrap_or_default()
}

/// A median, and what it is the median of lies between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median; of an even count, the mean of the two in the middle.
    pub median: f64,
    /// The smallest one.
    pub min: f64,
    /// The largest one.
    pub max: f64,
}

impl Spread {
    /// That of these numbers, if there are any.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        Some(Self {
            median: (sorted.get(low)? + sorted.get(high)?) / 2.0,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_numbers() {
        let numbers: Vec<u64> = (0..=200).collect();
        assert_eq!(percentile(&numbers, 0), 0);
        assert_eq!(percentile(&numbers, 50), 100);
        assert_eq!(percentile(&numbers, 99), 198);
        assert_eq!(percentile(&numbers, 100), 200);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile::<u64>(&[], 50), 0);
    }

    #[test]
    fn a_spread_is_of_any_count() {
        let spread = |numbers: &[f64]| Spread::of(numbers).map(|s| (s.median, s.min, s.max));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some((3.0, 3.0, 3.0)));
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some((2.0, 1.0, 9.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some((3.0, 1.0, 9.0)));
    }
}
