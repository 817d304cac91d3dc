// SPDX-License-Identifier: GPL-2.0

//! `vhost-guard`: stands between a front end and a vhost-user device, and starts the device again
//! when it has died.
//!
//! QEMU's generic vhost-user front end does not survive its device: at a disconnect it forgets what
//! it has learned about it, and an access to the configuration after that ends QEMU, whether or not
//! the socket was connected again (`reconnect-ms`). User-Mode Linux has nothing like that at all. So
//! it is this program that the front end is connected to, for good. It starts the device, passes on
//! what the two say to each other, and tells a new device what the old one was told.

mod control;
mod device;
mod guard;
mod message;
mod session;

use std::{
    ffi::OsString,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::ExitCode,
    sync::{
        mpsc::channel,
        Arc, //
    },
    thread, //
};

use anyhow::{
    Context,
    Result, //
};
use clap::Parser;
use env_logger::Env;
use signal_hook::{
    consts::{
        SIGINT,
        SIGTERM, //
    },
    iterator::Signals, //
};
use vhost_gpio::serve::Socket;

use crate::{
    control::{
        Command,
        Desk, //
    },
    device::Recipe,
    guard::Guard,
};

/// Stands between a front end and a vhost-user device, and starts the device again when it has died.
///
/// On the control channel, which is the device's, there is more besides: "guard kill" ends the
/// device by SIGKILL and starts it again, "guard kill quietly" does so without the front end's
/// knowing, "guard bury" leaves it dead until "guard revive", "guard stats" counts.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen for a front end
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,

    /// Where to listen for the control channel
    #[arg(long, value_name = "PATH")]
    control: PathBuf,

    /// The device and its arguments; --socket and --control are added to them
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn run(args: Args) -> Result<()> {
    let recipe = Recipe::new(args.command, &args.socket, &args.control);
    let (orders, taken) = channel();
    let (bell, ringer) = UnixStream::pair().context("cannot make a pair of sockets")?;
    let generation = Arc::default();
    let desk = Desk::new(orders, ringer, Arc::clone(&generation));

    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    thread::spawn({
        let desk = desk.clone();
        move || signals.forever().next().map(|_| desk.order(Command::End))
    });

    // When our sockets are there, so is the device.
    let device_control = recipe.control.clone();
    let first = recipe.start()?;
    let socket = Socket::new(&args.socket)?;
    let control = Socket::new(&args.control)?;
    let clients = control.listener()?;
    thread::spawn(move || control::serve(&clients, &device_control, &desk));

    Guard::new(recipe, first, socket.listener()?, taken, bell, generation).run()
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(Env::default().default_filter_or("info")).init();
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vhost-guard: {error:#}");
            ExitCode::FAILURE
        }
    }
}
