// SPDX-License-Identifier: GPL-2.0

//! The device's process.

use std::{
    ffi::OsString,
    io::ErrorKind,
    os::{
        fd::{
            AsFd,
            BorrowedFd,
            OwnedFd, //
        },
        unix::net::UnixStream,
    },
    path::{
        Path,
        PathBuf, //
    },
    process::{
        Child,
        Command,
        Stdio, //
    },
    thread::sleep,
    time::{
        Duration,
        Instant, //
    },
};

use anyhow::{
    bail,
    Context,
    Result, //
};
use rustix::process::{
    pidfd_open,
    Pid,
    PidfdFlags, //
};

/// A device makes its sockets within this time.
const START: Duration = Duration::from_secs(20);

/// A device that does not answer the front end for so long counts as dead: the front end, and with
/// it the guest, stands still meanwhile.
const ANSWER: Duration = Duration::from_secs(20);

/// How a device is started, and where its sockets are.
#[derive(Debug)]
pub struct Recipe {
    command: Vec<OsString>,
    socket: PathBuf,
    /// Its control channel.
    pub control: PathBuf,
}

/// A path beside another one.
fn beside(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".guarded");
    path.into()
}

impl Recipe {
    /// The device's sockets are beside ours.
    pub fn new(command: Vec<OsString>, socket: &Path, control: &Path) -> Self {
        Self {
            command,
            socket: beside(socket),
            control: beside(control),
        }
    }

    /// Starts it, and waits until it is there.
    pub fn start(&self) -> Result<Device> {
        let (program, args) = self.command.split_first().context("there is no command")?;
        let child = Command::new(program)
            .args(args)
            .arg("--socket")
            .arg(&self.socket)
            .arg("--control")
            .arg(&self.control)
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))?;
        let pid = Pid::from_child(&child);
        let mut device = Device {
            child,
            end: pidfd_open(pid, PidfdFlags::empty()).context("cannot watch the device")?,
        };

        // The control socket is the second one that it makes.
        let limit = Instant::now() + START;
        loop {
            match UnixStream::connect(&self.control) {
                Ok(_) => return Ok(device),
                Err(error)
                    if !matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::ConnectionRefused
                    ) =>
                {
                    bail!("cannot reach the device: {error}");
                }
                Err(_) => {}
            }
            if let Some(status) = device.child.try_wait()? {
                bail!("the device ended before it was used: {status}");
            }
            if Instant::now() > limit {
                bail!("the device does not make its sockets");
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Connects to it as a front end.
    pub fn connect(&self) -> Result<UnixStream> {
        let stream = UnixStream::connect(&self.socket).context("cannot reach the device")?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        Ok(stream)
    }
}

/// A device that was started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Device {
    child: Child,
    end: OwnedFd,
}

impl Device {
    /// Its number among the processes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Can be polled: readable when it has ended.
    pub fn end(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SIGKILL: it has no chance to leave anything in order.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        match ended {
            Ok(status) => log::info!("device {} has ended: {status}", self.pid()),
            Err(error) => log::error!("cannot end device {}: {error}", self.pid()),
        }
    }
}
