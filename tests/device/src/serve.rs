// SPDX-License-Identifier: GPL-2.0

//! The sockets: made, served one connection after the other, and removed.

use std::{
    fs,
    io::ErrorKind,
    os::unix::{
        fs::FileTypeExt,
        net::{
            UnixListener,
            UnixStream, //
        },
    },
    path::{
        Path,
        PathBuf, //
    },
    sync::Arc, //
};

use anyhow::{
    bail,
    Context,
    Result, //
};
use vhost::vhost_user::Listener;
use vhost_user_backend::VhostUserDaemon;
use vm_memory::{
    GuestMemoryAtomic,
    GuestMemoryMmap, //
};

use crate::{
    backend::Backend,
    device::Device, //
};

/// A socket in the file system, removed when it is dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes it, in place of one that nobody listens to any more.
    pub fn new(path: &Path) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                bail!("{} is there, and is not a socket", path.display());
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                bail!("{} is in use", path.display());
            }
            Ok(_) => fs::remove_file(path)
                .with_context(|| format!("cannot remove the old socket {}", path.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => bail!("cannot look at {}: {error}", path.display()),
        }

        let listener = UnixListener::bind(path)
            .with_context(|| format!("cannot make the socket {}", path.display()))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Another handle to it.
    pub fn listener(&self) -> Result<UnixListener> {
        self.listener.try_clone().context("cannot share a socket")
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Serves front ends, one after the other, for ever.
pub fn serve(listener: UnixListener, device: &Arc<Device>) -> Result<()> {
    let mut listener = Listener::from(listener);
    loop {
        let mut daemon = VhostUserDaemon::new(
            "vhost-user".to_string(),
            Arc::new(Backend::new(device.clone())),
            GuestMemoryAtomic::new(GuestMemoryMmap::new()),
        )
        .map_err(|error| anyhow::anyhow!("cannot make a back end: {error}"))?;

        if let Err(error) = daemon.start(&mut listener) {
            bail!("cannot serve a front end: {error}");
        }
        log::info!("a front end is connected");
        match daemon.wait() {
            Ok(()) => log::info!("the front end is gone"),
            Err(error) => log::info!("the front end is gone: {error}"),
        }
        device.disconnect();
    }
}
