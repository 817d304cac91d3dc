// SPDX-License-Identifier: GPL-2.0

//! What one thread does.

use gpiocdev::{
    line::{
        Value,
        Values, //
    },
    Request,
    Result, //
};

/// So many problems are shown by each thread; all are counted.
const SHOWN: u64 = 5;

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests made.
    pub requests: u64,
    /// Requests that failed.
    pub errors: u64,
    /// Levels that were read, but not those that were set last.
    pub wrong: u64,
}

impl Tally {
    /// Adds what came of something else.
    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.wrong += other.wrong;
    }

    fn error(&mut self, what: &str, line: u32, error: &gpiocdev::Error) {
        self.errors += 1;
        if self.errors <= SHOWN {
            eprintln!("{what} line {line}: {error}");
        }
    }

    fn wrong(&mut self, line: u32, read: Option<Value>, expected: &str) {
        self.wrong += 1;
        if self.wrong <= SHOWN {
            eprintln!("line {line} reads {read:?}, not {expected}");
        }
    }
}

/// Pseudo-random numbers: xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The state may be anything but 0.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from(number).unwrap_or_default()
    }

    fn value(&mut self) -> Value {
        Value::from(self.next() & 1 == 1)
    }
}

fn get(request: &Request, line: u32) -> Result<Option<Value>> {
    let mut values = Values::from_offsets(&[line]);
    request.values(&mut values)?;
    Ok(values.get(line))
}

/// Sets lines that nobody else uses, and reads each back: it must have the level that was set last.
pub fn checked(request: &Request, lines: &[u32], requests: u64, seed: u64) -> Tally {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    // They were requested as low; a set that fails leaves a level that nobody knows.
    let mut states: Vec<_> = lines
        .iter()
        .map(|&line| (line, Some(Value::Inactive)))
        .collect();

    'work: loop {
        for (line, last) in &mut states {
            if tally.requests == requests {
                break 'work;
            }
            tally.requests += 1;
            let value = random.value();
            *last = match request.set_value(*line, value) {
                Ok(()) => Some(value),
                Err(error) => {
                    tally.error("set", *line, &error);
                    None
                }
            };

            if tally.requests == requests {
                break 'work;
            }
            tally.requests += 1;
            match get(request, *line) {
                Ok(read) if last.is_some() && read != *last => {
                    tally.wrong(*line, read, &format!("{last:?}"));
                }
                Ok(_) => {}
                Err(error) => tally.error("get", *line, &error),
            }
        }
        if states.is_empty() {
            break;
        }
    }
    tally
}

/// Sets and reads a line that others set too: any level is right, but it must be one.
pub fn mixed(request: &Request, lines: &[u32], requests: u64, seed: u64) -> Tally {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();

    for (_, &line) in (0..requests).zip(lines.iter().cycle()) {
        tally.requests += 1;
        if random.next() & 1 == 0 {
            if let Err(error) = request.set_value(line, random.value()) {
                tally.error("set", line, &error);
            }
        } else {
            match get(request, line) {
                Ok(Some(_)) => {}
                Ok(None) => tally.wrong(line, None, "a level"),
                Err(error) => tally.error("get", line, &error),
            }
        }
    }
    tally
}
