// SPDX-License-Identifier: GPL-2.0

//! The control channel: that of the device, which goes on when there is a new device.
//!
//! Lines go to the device and back as they are, but for those that begin with `guard`. Those are
//! for this program: see [`Command`].

use std::{
    io::{
        self,
        BufRead,
        BufReader,
        ErrorKind,
        Write, //
    },
    net::Shutdown,
    os::unix::net::{
        UnixListener,
        UnixStream, //
    },
    path::{
        Path,
        PathBuf, //
    },
    sync::{
        atomic::{
            AtomicBool,
            AtomicU64,
            Ordering, //
        },
        mpsc::{
            channel,
            Sender, //
        },
        Arc,
        Mutex,
        PoisonError, //
    },
    thread, //
};

/// What is asked of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `guard kill [quietly]`: end the device by SIGKILL and start it again; unless `quietly`, the
    /// front end is told that the configuration has changed. The answer comes when the new one is
    /// there, and has taken over.
    Kill {
        /// Whether the front end is not to know.
        quietly: bool,
    },
    /// `guard bury`: end it by SIGKILL, and leave it dead.
    Bury,
    /// `guard revive`: start it again after that.
    Revive,
    /// `guard stats`: how often it was started, and its process.
    Stats,
    /// End with the device: not from the channel.
    End,
}

impl Command {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["kill"] => Ok(Self::Kill { quietly: false }),
            ["kill", "quietly"] => Ok(Self::Kill { quietly: true }),
            ["bury"] => Ok(Self::Bury),
            ["revive"] => Ok(Self::Revive),
            ["stats"] => Ok(Self::Stats),
            _ => Err("should be kill, kill quietly, bury, revive or stats".to_string()),
        }
    }
}

/// A command, and where its answer goes.
pub type Order = (Command, Sender<Result<String, String>>);

/// What the channel's clients share with the rest of the program.
#[derive(Clone, Debug)]
pub struct Desk {
    orders: Sender<Order>,
    bell: Arc<UnixStream>,
    /// How many devices there have been.
    generation: Arc<AtomicU64>,
}

impl Desk {
    /// Orders are sent, and then the bell is rung.
    pub fn new(orders: Sender<Order>, bell: UnixStream, generation: Arc<AtomicU64>) -> Self {
        Self {
            orders,
            bell: Arc::new(bell),
            generation,
        }
    }

    /// Gives an order, and waits until it is done.
    pub fn order(&self, command: Command) -> Result<String, String> {
        const GONE: &str = "the guard is ending";
        let (answer, wait) = channel();
        self.orders
            .send((command, answer))
            .map_err(|_| GONE.to_string())?;
        (&*self.bell).write_all(b".").map_err(|e| e.to_string())?;
        wait.recv().unwrap_or_else(|_| Err(GONE.to_string()))
    }
}

/// Serves all clients, for ever.
pub fn serve(listener: &UnixListener, device: &Path, desk: &Desk) {
    for stream in listener.incoming() {
        let (device, desk) = (device.to_owned(), desk.clone());
        match stream {
            Ok(stream) => {
                thread::spawn(move || {
                    if let Err(error) = serve_client(stream, device, desk) {
                        log::debug!("control channel: {error}");
                    }
                });
            }
            Err(error) => log::error!("control channel: {error}"),
        }
    }
}

/// A client's way to the device that there is.
struct Line {
    device: PathBuf,
    desk: Desk,
    client: Arc<Mutex<UnixStream>>,
    current: Option<Connection>,
}

struct Connection {
    /// Which device it is to.
    generation: u64,
    device: UnixStream,
    /// Whether the device has not answered the last line yet.
    owed: Arc<AtomicBool>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The one who brings back what the device says sees it too. It may be closed already.
        let _ = self.device.shutdown(Shutdown::Both);
    }
}

fn say(client: &Mutex<UnixStream>, text: &str) -> io::Result<()> {
    let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
    client.write_all(text.as_bytes())
}

impl Line {
    /// Passes on a line. A dead device is no error of the channel's.
    fn pass_on(&mut self, line: &str) -> io::Result<()> {
        // An empty line has no answer.
        let owed = !line.trim().is_empty();
        let sent = self.connect().and_then(|connection| {
            connection.owed.store(owed, Ordering::SeqCst);
            let sent = connection.device.write_all(line.as_bytes());
            // Who sees the end of it first says so.
            match sent {
                Err(_) if !connection.owed.swap(false, Ordering::SeqCst) => Ok(()),
                result => result,
            }
        });
        match sent {
            Err(_) if owed => say(&self.client, "error there is no device\n"),
            _ => Ok(()),
        }
    }

    fn connect(&mut self) -> io::Result<&mut Connection> {
        let generation = self.desk.generation.load(Ordering::SeqCst);
        if self
            .current
            .as_ref()
            .is_none_or(|c| c.generation != generation)
        {
            self.current = None;
            let device = UnixStream::connect(&self.device)?;
            let (answers, client) = (device.try_clone()?, self.client.clone());
            let connection = self.current.insert(Connection {
                generation,
                device,
                owed: Arc::default(),
            });
            let owed = connection.owed.clone();
            thread::spawn(move || bring_back(answers, &client, &owed));
        }
        self.current.as_mut().ok_or(ErrorKind::NotConnected.into())
    }
}

/// Passes on what a device says until it says no more.
fn bring_back(device: UnixStream, client: &Mutex<UnixStream>, owed: &AtomicBool) {
    let mut input = BufReader::new(device);
    let mut line = String::new();
    while matches!(input.read_line(&mut line), Ok(n) if n > 0) {
        if line.starts_with("ok") || line.starts_with("error") {
            owed.store(false, Ordering::SeqCst);
        }
        if say(client, &line).is_err() {
            return;
        }
        line.clear();
    }
    if owed.swap(false, Ordering::SeqCst) {
        let _ = say(client, "error the device has died\n");
    }
}

fn serve_client(stream: UnixStream, device: PathBuf, desk: Desk) -> io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut line = Line {
        device,
        desk,
        client: Arc::new(Mutex::new(stream)),
        current: None,
    };
    let mut text = String::new();
    while input.read_line(&mut text)? > 0 {
        match text.strip_prefix("guard ") {
            None => line.pass_on(&text)?,
            Some(words) => {
                let answer = Command::parse(words).and_then(|c| line.desk.order(c));
                let answer = match answer {
                    Ok(text) => format!("ok {text}"),
                    Err(text) => format!("error {text}"),
                };
                say(&line.client, &format!("{}\n", answer.trim_end()))?;
            }
        }
        text.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parsed() {
        assert_eq!(
            Command::parse("kill\n"),
            Ok(Command::Kill { quietly: false })
        );
        assert_eq!(
            Command::parse(" kill  quietly\n"),
            Ok(Command::Kill { quietly: true })
        );
        assert_eq!(Command::parse("bury"), Ok(Command::Bury));
        assert_eq!(Command::parse("revive"), Ok(Command::Revive));
        assert_eq!(Command::parse("stats"), Ok(Command::Stats));
        for text in ["", "kill loudly", "end", "kill quietly now"] {
            assert!(Command::parse(text).is_err(), "{text}");
        }
    }
}
