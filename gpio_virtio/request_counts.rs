// SPDX-License-Identifier: GPL-2.0

//! What is counted about requests.

use crate::command::ReplyError;

/// How often what happened. Kept under the lock of the command queue.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RequestCounts {
    /// Messages that the device was given.
    pub(crate) sent: u64,
    /// Replies that say no.
    pub(crate) refused: u64,
    /// Replies that break the protocol.
    pub(crate) bad: u64,
    /// Calls that waited for a reply, or a slot, until their time was over.
    pub(crate) time_outs: u64,
    /// Replies that nobody waited for any more.
    pub(crate) late: u64,
    /// Messages that somebody waited for when the device was reset.
    pub(crate) lost: u64,
}

impl RequestCounts {
    /// Counts a reply that carries no answer.
    pub(crate) fn note(&mut self, error: ReplyError) {
        match error.is_violation() {
            true => self.bad += 1,
            false => self.refused += 1,
        }
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, more: Self) {
        let Self {
            sent,
            refused,
            bad,
            time_outs,
            late,
            lost,
        } = more;

        self.sent += sent;
        self.refused += refused;
        self.bad += bad;
        self.time_outs += time_outs;
        self.late += late;
        self.lost += lost;
    }
}
