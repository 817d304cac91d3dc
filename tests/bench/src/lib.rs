// SPDX-License-Identifier: GPL-2.0

//! What the two programs of the benchmark share: the lines that one of them writes in the guest and
//! the other one reads outside of it.

pub mod record;
pub mod statistics;
