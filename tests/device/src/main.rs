// SPDX-License-Identifier: GPL-2.0

//! `vhost-gpio`: a vhost-user GPIO device with simulated lines.

use std::{
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
use vhost_gpio::{
    args::Args,
    control,
    device::Device,
    serve::{
        serve,
        Socket, //
    },
};

fn run(args: &Args) -> Result<()> {
    args.check()?;
    let config = args.configuration()?;
    let protocol = args.make_protocol();

    if args.print_config_size {
        println!("{}", protocol.config_space(&config).len());
        return Ok(());
    }

    let (done, wait) = channel();
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot handle signals")?;
    thread::spawn({
        let done = done.clone();
        move || signals.forever().next().map(|_| done.send(Ok(())))
    });

    let device = Arc::new(Device::new(protocol, config));
    for &fault in &args.faults {
        device.fault(fault)?;
    }
    thread::spawn({
        let device = device.clone();
        move || device.run_timer()
    });

    // Held to the end of this function, and removed there.
    let socket = args.socket.as_deref().context("--socket is missing")?;
    let socket = Socket::new(socket)?;
    let control = args.control.as_deref().map(Socket::new).transpose()?;

    if let Some(control) = &control {
        let (listener, device) = (control.listener()?, device.clone());
        thread::spawn(move || control::serve(&listener, &device));
    }
    let listener = socket.listener()?;
    thread::spawn(move || done.send(serve(listener, &device)));

    wait.recv().unwrap_or(Ok(()))
}

fn main() -> ExitCode {
    // The crate shouts at what drivers do wrong; we count that.
    let filter = Env::default().default_filter_or("warn,virtio_queue=off");
    env_logger::Builder::from_env(filter).init();
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vhost-gpio: {error:#}");
            ExitCode::FAILURE
        }
    }
}
