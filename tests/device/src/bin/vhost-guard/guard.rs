// SPDX-License-Identifier: GPL-2.0

//! Between a front end and a device: passes on what they say, and replaces the device.

use std::{
    io,
    os::{
        fd::AsFd,
        unix::net::{
            UnixListener,
            UnixStream, //
        },
    },
    sync::{
        atomic::{
            AtomicU64,
            Ordering, //
        },
        mpsc::Receiver,
        Arc, //
    },
};

use anyhow::Result;
use rustix::event::{
    poll,
    PollFd,
    PollFlags, //
};

use crate::{
    control::{
        Command,
        Order, //
    },
    device::{
        Device,
        Recipe, //
    },
    message::Message,
    session::{
        exchange,
        Answers,
        Session, //
    },
};

/// A device that dies of what it is told again and again is left dead.
const TRIES: u32 = 3;

/// A front end that is connected.
#[derive(Debug)]
struct FrontEnd {
    stream: UnixStream,
    session: Session,
    /// The device's end of it, if there is a device.
    device: Option<UnixStream>,
}

/// All of it.
#[derive(Debug)]
pub struct Guard {
    recipe: Recipe,
    listener: UnixListener,
    orders: Receiver<Order>,
    bell: UnixStream,
    generation: Arc<AtomicU64>,
    device: Option<Device>,
    front_end: Option<FrontEnd>,
    answers: Answers,
    /// How often a device has died since the front end was last served.
    deaths: u32,
}

impl Guard {
    /// With the first device.
    pub fn new(
        recipe: Recipe,
        device: Device,
        listener: UnixListener,
        orders: Receiver<Order>,
        bell: UnixStream,
        generation: Arc<AtomicU64>,
    ) -> Self {
        Self {
            recipe,
            listener,
            orders,
            bell,
            generation,
            device: Some(device),
            front_end: None,
            answers: Answers::default(),
            deaths: 0,
        }
    }

    /// Goes on until it is told to end.
    pub fn run(&mut self) -> Result<()> {
        loop {
            let (front_end, bell, end) = self.wait()?;
            // Orders first: they say what becomes of a device that has ended.
            if bell && self.obey()? {
                return Ok(());
            }
            if end && self.has_ended() {
                log::warn!("the device has ended by itself");
                self.replace(true);
            }
            match &self.front_end {
                _ if !front_end => {}
                None => self.accept()?,
                Some(FrontEnd { stream, .. }) => match Message::receive(stream) {
                    Ok(Some(message)) => self.serve(message),
                    Ok(None) => self.let_go("it has closed its end"),
                    Err(error) => self.let_go(&error.to_string()),
                },
            }
        }
    }

    /// Waits until there is something to do: with the front end, with an order, with the device.
    fn wait(&self) -> Result<(bool, bool, bool)> {
        let front_end = match &self.front_end {
            Some(front_end) => front_end.stream.as_fd(),
            None => self.listener.as_fd(),
        };
        let mut fds = vec![
            PollFd::from_borrowed_fd(front_end, PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
        ];
        if let Some(device) = &self.device {
            fds.push(PollFd::from_borrowed_fd(device.end(), PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => return Ok((false, false, false)),
            result => result?,
        };
        let is_ready = |n: usize| fds.get(n).is_some_and(|fd| !fd.revents().is_empty());
        Ok((is_ready(0), is_ready(1), is_ready(2)))
    }

    /// A device may have been replaced since it was seen to have ended.
    fn has_ended(&self) -> bool {
        let Some(device) = &self.device else {
            return false;
        };
        let mut fds = [PollFd::from_borrowed_fd(device.end(), PollFlags::IN)];
        let now = rustix::event::Timespec::default();
        matches!(poll(&mut fds, Some(&now)), Ok(n) if n > 0)
    }

    /// Does what was ordered; says whether to end.
    fn obey(&mut self) -> Result<bool> {
        let mut rung = [0; 64];
        io::Read::read(&mut &self.bell, &mut rung)?;
        while let Ok((command, answer)) = self.orders.try_recv() {
            let done = match command {
                Command::Kill { quietly } => self.kill(quietly),
                Command::Bury => self.bury(),
                Command::Revive => self.revive(),
                Command::Stats => Ok(self.stats()),
                Command::End => return Ok(true),
            };
            // Whoever has ordered it may be gone.
            let _ = answer.send(done);
        }
        Ok(false)
    }

    fn kill(&mut self, quietly: bool) -> Result<String, String> {
        self.bury()?;
        self.deaths = 0;
        self.replace(!quietly);
        self.expect_device()
    }

    fn bury(&mut self) -> Result<String, String> {
        if let Some(front_end) = &mut self.front_end {
            front_end.device = None;
        }
        // Dropping it is what kills it.
        match self.device.take() {
            Some(_) => Ok(String::new()),
            None => Err("there is no device".to_string()),
        }
    }

    fn revive(&mut self) -> Result<String, String> {
        if self.device.is_some() {
            return Err("the device is alive".to_string());
        }
        self.deaths = 0;
        self.replace(true);
        self.expect_device()
    }

    fn expect_device(&self) -> Result<String, String> {
        match &self.device {
            Some(device) => Ok(device.pid().to_string()),
            None => Err("the device does not start".to_string()),
        }
    }

    fn stats(&self) -> String {
        format!(
            "starts={} pid={}",
            self.generation.load(Ordering::SeqCst) + 1,
            self.device.as_ref().map_or(0, Device::pid)
        )
    }

    /// Puts a new device in the old one's place.
    fn replace(&mut self, tell: bool) {
        while self.deaths < TRIES {
            self.deaths += 1;
            // The old one goes before the new one wants its sockets.
            let _ = self.bury();
            self.generation.fetch_add(1, Ordering::SeqCst);
            let started = self.recipe.start().and_then(|device| {
                self.device = Some(device);
                self.take_over(tell)
            });
            match started {
                Ok(()) => return,
                Err(error) => log::error!("{error:#}"),
            }
        }
        log::error!("there is no device any more");
        let _ = self.bury();
    }

    /// Tells a new device what the front end has said so far.
    fn take_over(&mut self, tell: bool) -> Result<()> {
        let Some(front_end) = &mut self.front_end else {
            return Ok(());
        };
        let device = self.recipe.connect()?;
        front_end.session.replay(&device)?;
        front_end.device = Some(device);
        // A restarted back end knows neither directions nor levels; this is the one way there is
        // to let the driver know.
        if tell && front_end.session.is_running() {
            if let Err(error) = front_end.session.tell_of_change() {
                log::warn!("cannot tell of a change: {error}");
            }
        }
        Ok(())
    }

    /// Takes a front end in.
    fn accept(&mut self) -> Result<()> {
        let (stream, _) = self.listener.accept()?;
        // One that has just died is replaced in a moment, and the new one connected to.
        let device = self.device.is_some().then(|| self.recipe.connect());
        let device = device.and_then(|connected| match connected {
            Ok(device) => Some(device),
            Err(error) => {
                log::warn!("{error:#}");
                None
            }
        });
        self.front_end = Some(FrontEnd {
            stream,
            session: Session::default(),
            device,
        });
        log::info!("a front end is connected");
        Ok(())
    }

    fn let_go(&mut self, why: &str) {
        log::info!("the front end is gone: {why}");
        self.front_end = None;
    }

    /// Passes on what a front end says, and what the device says to that.
    fn serve(&mut self, message: Message) {
        let reply = loop {
            let Some(FrontEnd {
                session, device, ..
            }) = &self.front_end
            else {
                return;
            };
            let Some(device) = device else {
                break self.answers.stand_in(&message, session);
            };
            match exchange(device, &message) {
                Ok(reply) => {
                    self.deaths = 0;
                    if let Some(reply) = &reply {
                        self.answers.remember(&message, reply);
                    }
                    break reply;
                }
                Err(error) => {
                    log::warn!("request {}: {error}", message.request);
                    self.replace(true);
                }
            }
        };
        let Some(front_end) = &mut self.front_end else {
            return;
        };
        front_end.session.remember(message);
        if let Some(Err(error)) = reply.map(|reply| reply.send(&front_end.stream)) {
            self.let_go(&error.to_string());
        }
    }
}
