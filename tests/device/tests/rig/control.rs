// SPDX-License-Identifier: GPL-2.0

//! A client of the control channel.

use std::{
    io::{
        BufRead,
        BufReader,
        Write, //
    },
    os::unix::net::UnixStream,
    time::Duration, //
};

pub struct Control {
    stream: UnixStream,
    input: BufReader<UnixStream>,
}

impl Control {
    pub fn new(stream: UnixStream) -> Self {
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Self {
            input: BufReader::new(stream.try_clone().unwrap()),
            stream,
        }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'));
        line
    }

    pub fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n"));
        self.line()
    }

    /// One of the counters; 0 if it is not there.
    pub fn stat(&mut self, name: &str) -> u64 {
        let stats = self.ask("stats");
        assert!(stats.starts_with("ok "));
        stats
            .split(' ')
            .filter_map(|word| word.split_once('='))
            .find(|&(key, _)| key == name)
            .map_or(0, |(_, value)| value.parse().unwrap())
    }

    /// Waits for a counter not to be 0.
    pub fn wait_for_some(&mut self, name: &str) {
        for _ in 0..500 {
            if self.stat(name) > 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{name} is 0");
    }

    /// Waits for a counter to have a value.
    pub fn wait_for(&mut self, name: &str, value: u64) {
        for _ in 0..500 {
            if self.stat(name) == value {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{name} is {}, not {value}", self.stat(name));
    }
}
