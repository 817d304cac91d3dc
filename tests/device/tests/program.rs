// SPDX-License-Identifier: GPL-2.0

//! The program as it is called.

// Helpers fail the test that calls them.
#![allow(clippy::unwrap_used)]

mod rig;

use std::{
    fs,
    os::unix::net::{
        UnixListener,
        UnixStream, //
    },
    path::Path,
    process::{
        Child,
        Command,
        Output, //
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
    Front, //
};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vhost-gpio"));
    command.args(["--protocol", "rfc"]).args(args);
    command
}

fn text(output: &Output) -> (bool, String, String) {
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn size(args: &[&str]) -> (bool, String, String) {
    text(&program(args).arg("--print-config-size").output().unwrap())
}

/// A running program, told to end if the test fails.
struct Running(Child);

impl Running {
    fn end(&mut self, signal: &str) -> bool {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(path: &Path) -> Control {
    let limit = Instant::now() + Duration::from_secs(5);
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Control::new(stream),
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_size_of_the_configuration_is_printed() {
    assert_eq!(size(&["--lines", "8"]), (true, "64\n".into(), "".into()));
    assert_eq!(size(&["--lines", "8", "--name", "2=abc"]).1, "70\n");
    assert_eq!(size(&["--lines", "65535", "--label", "x"]).1, "64\n");

    let long = format!("7={}", "x".repeat(185));
    let (ok, out, error) = size(&["--lines", "8", "--name", &long]);
    assert!(!ok && out.is_empty() && error.contains("256"), "{error}");
    assert_eq!(
        size(&["--lines", "8", "--name", &long, "--allow-large-config"]).1,
        "257\n"
    );
}

#[test]
fn a_standard_device_has_its_names_elsewhere() {
    let name = format!("0={}", "x".repeat(1000));
    let output = Command::new(env!("CARGO_BIN_EXE_vhost-gpio"))
        .args(["--protocol", "standard", "--lines", "8", "--name", &name])
        .args(["--no-irq", "--invalid", "late:5", "--print-config-size"])
        .output();
    assert_eq!(text(&output.unwrap()), (true, "8\n".into(), "".into()));
}

#[test]
fn wrong_arguments_are_refused() {
    for args in [
        &["--lines", "0"] as &[&str],
        &["--lines", "65536"],
        &["--lines", "2", "--name", "2=x"],
        &["--lines", "2", "--name", "x"],
        &[
            "--lines",
            "2",
            "--label",
            "123456789012345678901234567890123",
        ],
        &["--lines", "2", "--fault", "nonsense"],
        &["--lines", "2", "--fault", "storm"],
        &["--lines", "2", "--fault", "bad-status"],
        &["--lines", "2", "--no-irq"],
        &["--lines", "2", "--invalid", "never"],
        &["--lines", "2", "--config", "colour=1"],
        &["--lines", "2", "--config", "lines=65536"],
    ] {
        let (ok, out, error) = size(args);
        assert!(!ok && out.is_empty() && !error.is_empty(), "{args:?}");
    }
}

#[test]
fn it_runs_until_it_is_told_to_end_and_cleans_up() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (socket, control) = (path("s"), path("c"));
        // Left behind by one that was killed.
        drop(UnixListener::bind(&socket).unwrap());

        let mut running = Running(
            program(&[
                "--lines",
                "3",
                "--name",
                "1=a b",
                "--irq-type",
                "--fault",
                "never:1",
            ])
            .arg("--socket")
            .arg(&socket)
            .arg("--control")
            .arg(&control)
            .spawn()
            .unwrap(),
        );
        let mut client = connect(&control);
        assert_eq!(client.ask("lines"), "ok 3");
        assert_eq!(client.ask("get 1"), "ok in 0 a b");

        // A second one does not take the socket away.
        let second = program(&["--lines", "1", "--socket"]).arg(&socket).output();
        let (ok, _, error) = text(&second.unwrap());
        assert!(!ok && error.contains("in use"), "{error}");

        assert!(running.end(signal));
        assert!(!socket.exists() && !control.exists());
    }
}

/// Starts a device, and has it die upon the third command: what a front end sees of that.
fn dies(protocol: &str, queues: [usize; 2], size: u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_vhost-gpio"));
    command.args(["--protocol", protocol, "--lines", "3"]);
    command.arg("--socket").arg(path("s"));
    command.arg("--control").arg(path("c"));
    let mut running = Running(command.spawn().unwrap());
    let mut control = connect(&path("c"));

    let mut front = Front::connect(&path("s"), queues);
    front.start(true);
    assert_eq!(control.ask("fault crash 3"), "ok");
    for _ in 0..2 {
        let queue = front.commands();
        queue.add(&message(4, 1, 0), size);
        queue.kick();
        assert_eq!(queue.wait().written, size);
    }
    assert_eq!(control.stat("requests"), 2);
    let queue = front.commands();
    queue.add(&message(4, 1, 0), size);
    queue.kick();
    assert!(!running.0.wait().unwrap().success());
    assert_eq!(front.commands().poll(), None);
}

#[test]
fn it_dies_as_it_is_told() {
    dies("rfc", [1, 0], 8);
    dies("standard", [0, 1], 2);
}

#[test]
fn what_need_not_be_true_can_be_said_from_the_start() {
    for (setting, expected) in [
        ("num-gpios=0", "64\n"),
        ("names-size=4294967295", "64\n"),
        ("names-hex=4142", "66\n"),
        ("names-hex=c3a400", "67\n"),
        ("raw-hex=01", "1\n"),
        ("changing=1", "64\n"),
    ] {
        let (ok, out, error) = size(&["--lines", "8", "--config", setting]);
        assert_eq!((ok, out.as_str()), (true, expected), "{error}");
    }
}

#[test]
fn a_file_is_not_taken_for_an_old_socket() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("precious");
    fs::write(&file, "data").unwrap();
    let output = program(&["--lines", "1", "--socket"]).arg(&file).output();
    let (ok, _, error) = text(&output.unwrap());
    assert!(!ok && error.contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "data");
}
