// SPDX-License-Identifier: GPL-2.0

//! Who wants to know what the driver does to lines.

use std::sync::{
    atomic::{
        AtomicBool,
        Ordering, //
    },
    mpsc::SyncSender,
    Arc, //
};

use gpio_virtio_logic::line::Level;

/// The way to one client.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// Tells clients apart.
    pub id: u64,
    /// Takes lines of text for the client.
    pub lines: SyncSender<String>,
    /// Set when the client was too slow and is not watching any more.
    pub overrun: Arc<AtomicBool>,
}

impl Watcher {
    /// Sends a line if there is room for it, and tells whether there was.
    fn send(&self, line: &str) -> bool {
        let sent = self.lines.try_send(line.to_string()).is_ok();
        if !sent {
            self.overrun.store(true, Ordering::Relaxed);
        }
        sent
    }
}

/// The clients that watch.
#[derive(Debug, Default)]
pub struct Watchers {
    watchers: Vec<Watcher>,
}

impl Watchers {
    /// Adds a client, unless it watches already, and gives it a reply before anything else.
    pub fn add(&mut self, watcher: Watcher, reply: &str) {
        self.remove(watcher.id);
        if watcher.send(reply) {
            self.watchers.push(watcher);
        }
    }

    /// Removes a client, if it is there.
    pub fn remove(&mut self, id: u64) {
        self.watchers.retain(|watcher| watcher.id != id);
    }

    /// Tells all clients that an output has a level, or has become an output.
    ///
    /// The device waits for nobody: a client that does not read is removed.
    pub fn changed(&mut self, line: u16, level: Level) {
        let text = format!("change {line} {}", u32::from(level));
        self.watchers.retain(|watcher| watcher.send(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_client_that_does_not_read_is_removed() {
        let (lines, received) = sync_channel(2);
        let overrun = Arc::new(AtomicBool::new(false));
        let mut watchers = Watchers::default();
        let watcher = Watcher {
            id: 1,
            lines,
            overrun: overrun.clone(),
        };
        watchers.add(watcher, "ok");
        watchers.changed(3, Level::High);
        assert!(!overrun.load(Ordering::Relaxed));
        watchers.changed(3, Level::Low);
        assert!(overrun.load(Ordering::Relaxed));
        assert_eq!(received.iter().collect::<Vec<_>>(), ["ok", "change 3 1"]);
    }
}
