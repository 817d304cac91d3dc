// SPDX-License-Identifier: GPL-2.0

//! `vhost-guard`, with a device that dies behind it.

// Helpers fail the test that calls them.
#![allow(clippy::unwrap_used)]

mod rig;

use std::{
    io::Read,
    os::unix::net::UnixStream,
    process::{
        Child,
        Command, //
    },
    thread::sleep,
    time::{
        Duration,
        Instant, //
    },
};

use rig::{
    control::Control,
    message,
    Front,
    COMMANDS,
    EVENTS, //
};
use tempfile::TempDir;
use vhost::{
    vhost_user::VhostUserFrontend,
    VhostBackend, //
};

const DIRECTION_OUTPUT: u16 = 3;
const GET_DIRECTION: u16 = 4;
const GET_VALUE: u16 = 5;
const LEVEL: u16 = 0x11;

/// Bit that replies have.
const REPLY: u16 = 0xf000;

struct Guarded {
    guard: Child,
    folder: TempDir,
}

impl Guarded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guard = Command::new(env!("CARGO_BIN_EXE_vhost-guard"))
            .env("RUST_LOG", "error")
            .arg("--socket")
            .arg(folder.path().join("vhost"))
            .arg("--control")
            .arg(folder.path().join("control"))
            .arg("--")
            .arg(env!("CARGO_BIN_EXE_vhost-gpio"))
            .args(["--protocol", "rfc", "--lines", "4", "--label", "panel"])
            .spawn()
            .unwrap();
        Self { guard, folder }
    }

    fn control(&self) -> Control {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            match UnixStream::connect(self.folder.path().join("control")) {
                Ok(stream) => return Control::new(stream),
                Err(error) => assert!(Instant::now() < limit, "{error}"),
            }
            sleep(Duration::from_millis(10));
        }
    }

    fn start(&self) -> Front {
        let mut front = self.connect();
        front.start(true);
        front
    }

    fn connect(&self) -> Front {
        Front::connect(&self.folder.path().join("vhost"), [COMMANDS, EVENTS])
    }

    fn send(&self, signal: &str, pid: u32) {
        let pid = pid.to_string();
        assert!(Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Its device ends with it.
        self.send("-TERM", self.guard.id());
        let _ = self.guard.wait();
    }
}

/// A key of `guard stats`.
fn number(control: &mut Control, key: &str) -> u32 {
    let stats = control.ask("guard stats");
    let found = stats.split(' ').find_map(|word| word.strip_prefix(key));
    found.unwrap().strip_prefix('=').unwrap().parse().unwrap()
}

#[test]
fn a_new_device_goes_on_where_the_killed_one_was() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    let mut front = guarded.start();
    assert_eq!(front.command(DIRECTION_OUTPUT, 1, 1), (REPLY | 3, 1, 0));
    assert_eq!(control.ask("get 1"), "ok out 1");
    front.events().add(&[], 8);
    front.events().kick();

    for round in 1..4 {
        let pid = number(&mut control, "pid");
        let answer = control.ask("guard kill");
        assert!(
            answer.starts_with("ok ") && answer != format!("ok {pid}"),
            "{answer}"
        );
        assert_eq!(number(&mut control, "starts"), round + 1);

        // It knows nothing of lines, and serves the rings that the other one has left.
        assert_eq!(control.ask("get 1"), "ok in 0");
        assert_eq!(front.command(GET_DIRECTION, 1, 0), (REPLY | 4, 1, 1));
        assert_eq!(control.ask("set 2 1"), "ok");
        assert_eq!(front.events().wait().bytes, message(LEVEL, 2, 1));
        assert_eq!(front.command(GET_VALUE, 2, 0), (REPLY | 5, 2, 1));
        front.events().add(&[], 8);
        front.events().kick();
    }
}

#[test]
fn what_was_asked_of_a_dead_device_is_answered_by_the_next_one() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    let mut front = guarded.start();
    assert_eq!(control.ask("fault never 1"), "ok");
    front.commands().add(&message(GET_VALUE, 3, 0), 8);
    front.commands().kick();
    control.wait_for_some("in-flight");
    assert!(control.ask("guard kill").starts_with("ok "));
    assert_eq!(front.commands().wait().bytes, message(REPLY | 5, 3, 0));
}

#[test]
fn a_device_that_dies_by_itself_is_replaced() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    let mut front = guarded.start();
    guarded.send("-KILL", number(&mut control, "pid"));
    assert_eq!(front.command(GET_VALUE, 3, 0), (REPLY | 5, 3, 0));
    assert_eq!(number(&mut control, "starts"), 2);
    assert_eq!(control.ask("lines"), "ok 4");
}

#[test]
fn the_front_end_is_told_unless_it_is_not_to_know() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    let mut front = guarded.connect();
    let (theirs, mut ours) = UnixStream::pair().unwrap();
    front.frontend.set_backend_request_fd(&theirs).unwrap();
    drop(theirs);
    ours.set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut bytes = [0; 12];

    // Nothing runs yet that could be interested.
    assert!(control.ask("guard kill").starts_with("ok "));
    assert!(ours.read_exact(&mut bytes).is_err());

    front.start(true);
    assert!(control.ask("guard kill quietly").starts_with("ok "));
    assert!(ours.read_exact(&mut bytes).is_err());

    assert!(control.ask("guard kill").starts_with("ok "));
    ours.read_exact(&mut bytes).unwrap();
    // CONFIG_CHANGE, version 1, no payload.
    assert_eq!(bytes, [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn while_the_device_is_dead_the_front_end_is_answered() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    let mut front = guarded.start();
    assert_eq!(front.config(0x20, 5), *b"panel");
    assert_eq!(front.command(GET_VALUE, 3, 0), (REPLY | 5, 3, 0));
    assert_eq!(control.ask("guard bury"), "ok");
    assert_eq!(control.ask("get 1"), "error there is no device");
    assert_eq!(number(&mut control, "pid"), 0);
    assert!(control.ask("guard kill").starts_with("error "));

    // What it has said before, what the memory says, and that the rest works.
    assert_eq!(front.config(0x20, 5), *b"panel");
    assert_eq!(front.frontend.get_vring_base(COMMANDS).unwrap(), 1);
    front.stop();
    front.start(true);
    front.commands().add(&message(GET_VALUE, 2, 0), 8);
    front.commands().kick();

    assert!(control.ask("guard revive").starts_with("ok "));
    assert!(control.ask("guard revive").starts_with("error "));
    assert_eq!(front.commands().wait().bytes, message(REPLY | 5, 2, 0));
    assert_eq!(control.ask("get 2"), "ok in 0");
}

#[test]
fn one_front_end_comes_after_the_other() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    for _ in 0..3 {
        let mut front = guarded.start();
        assert_eq!(front.command(GET_VALUE, 3, 0), (REPLY | 5, 3, 0));
        drop(front);
        assert!(control.ask("guard kill").starts_with("ok "));
    }
}

#[test]
fn wrong_orders_are_refused() {
    let guarded = Guarded::new();
    let mut control = guarded.control();
    assert!(control.ask("guard nothing").starts_with("error "));
    assert_eq!(number(&mut control, "starts"), 1);
    let bare = Command::new(env!("CARGO_BIN_EXE_vhost-guard"))
        .output()
        .unwrap();
    assert!(!bare.status.success());
}
