// SPDX-License-Identifier: GPL-2.0

//! What the fuzz targets do with an input: they have the driver's pure code work on it, and look at
//! the result. A target panics where that is wrong.

use std::sync::LazyLock;

/// Whether each step is printed, to see what an input does: if there is `FUZZ_VERBOSE` in the
/// environment.
static IS_VERBOSE: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_VERBOSE").is_some());

macro_rules! note {
    ($($arg:tt)*) => {
        if *crate::IS_VERBOSE {
            eprintln!($($arg)*);
        }
    };
}

mod config;
mod events;
mod line_irqs;
mod names;
mod replies;
mod slots;

pub use config::config;
pub use events::events;
pub use line_irqs::line_irqs;
pub use names::names;
pub use replies::replies;
pub use slots::slots;

/// A target: what it does with an input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("config", config),
    ("events", events),
    ("line-irqs", line_irqs),
    ("names", names),
    ("replies", replies),
    ("slots", slots),
];
