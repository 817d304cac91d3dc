// SPDX-License-Identifier: GPL-2.0

//! The control channel: a text protocol by which a test plays the world outside of the device.
//!
//! One command a line, one line in reply, which begins with `ok` or `error`. Any number of clients
//! may be connected. One of them can be a front end that passes the channel on into a guest, where
//! one program after the other uses it: what one has left behind must not be in the next one's way.
//! So an empty line ends a `watch`, and `sync WORD` after it brings back an `ok WORD` that all
//! replies to earlier commands come before.

mod client;
mod command;
mod words;

use std::{
    os::unix::net::UnixListener,
    sync::Arc,
    thread, //
};

use crate::device::Device;

/// Serves all clients, for ever.
pub fn serve(listener: &UnixListener, device: &Arc<Device>) {
    let mut id = 0;
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                id += 1;
                let device = device.clone();
                thread::spawn(move || client::serve(stream, id, &device));
            }
            Err(error) => {
                log::error!("control channel: {error}");
                break;
            }
        }
    }
}
