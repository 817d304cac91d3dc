// SPDX-License-Identifier: GPL-2.0

//! Numbers as people read them.

/// How many digits a number has after the point.
fn places(number: f64) -> usize {
    match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    }
}

/// A number with as many digits as it needs.
pub fn digits(number: f64) -> String {
    let places = match number == number.trunc() {
        true => 0,
        false => places(number),
    };
    format!("{number:.places$}")
}

/// The number that [`digits`] shows.
pub fn rounded(number: f64) -> f64 {
    let factor = match places(number) {
        0 => 1.0,
        1 => 10.0,
        _ => 100.0,
    };
    (number * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_they_need() {
        for (number, text, shown) in [
            (0.0, "0", 0.0),
            (64.0, "64", 64.0),
            (1.234, "1.23", 1.23),
            (1.004, "1.00", 1.0),
            (12.34, "12.3", 12.3),
            (1234.6, "1235", 1235.0),
        ] {
            assert_eq!(digits(number), text);
            assert_eq!(rounded(number), shown);
        }
    }
}
