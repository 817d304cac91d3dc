// SPDX-License-Identifier: GPL-2.0

//! The slots in the hands of several threads, each order of whose steps is tried by loom.
//!
//! The slots are the driver's own source. Around them is what `requests.rs`, `commands.rs` and the queue
//! do with them: under which lock what is done, and who is woken when. What has to hold is asserted
//! wherever it can be seen: each slot has one owner; a reply goes to who has sent the message, once; and
//! who waits is woken, or loom finds that nobody can go on.

mod completion;
mod queue;

pub use completion::Completion;
pub use queue::{
    Failure,
    Planted, //
    Queue,
};
