//! Notifications to a service manager, and the systemd unit.

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use nix::sys::signal::Signal;

use crate::support::scene::{PATIENCE, SMALL, Scene};

/// The next message that holds a line beginning with this.
fn await_line(socket: &UnixDatagram, start: &str) -> String {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap();
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.lines().any(|line| line.starts_with(start)) {
            return message;
        }
    }
}

#[test]
fn the_service_manager_hears_of_readiness_reloads_life_and_the_end() {
    let scene = Scene::new();
    let path = scene.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let policy = scene.policy(SMALL);
    let watchdog = Duration::from_secs(10).as_micros().to_string();
    let filter = scene.filter_with(
        &policy,
        &[],
        &[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", &watchdog),
        ],
    );
    let ready = await_line(&socket, "READY=1");
    let status = "STATUS=enforcing on 2 of 2 interfaces: 1 pool, 0 relays, 0 exemptions";
    assert!(ready.contains(status), "{ready}");
    await_line(&socket, "WATCHDOG=1");

    filter.signal(Signal::SIGHUP).unwrap();
    let reloading = await_line(&socket, "RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert!(await_line(&socket, "READY=1").contains(status));

    scene.policy("version: 2\n");
    filter.signal(Signal::SIGHUP).unwrap();
    let ready = await_line(&socket, "READY=1");
    assert!(ready.contains("the last reload was refused: "), "{ready}");

    filter.leave_by(Signal::SIGTERM).unwrap();
    await_line(&socket, "STOPPING=1");
}

/// The text of the unit that is shipped.
fn unit() -> String {
    let unit = op25b_testlab::paths::workspace().join("deploy/op25b.service");
    std::fs::read_to_string(unit).unwrap()
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    let text = unit();
    // Where the command is not installed, another stands in.
    let scene = Scene::new();
    let copy = scene.path("op25b.service");
    std::fs::write(
        &copy,
        text.replace("/usr/bin/op25b", crate::support::scene::OP25B),
    )
    .unwrap();
    let output = match Command::new("systemd-analyze").arg("verify").arg(&copy).output() {
        // Without systemd nothing here reads it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !text.contains("op25b.service"),
        "{text}"
    );
}

#[test]
fn the_unit_is_attached_before_the_network_comes_up_and_never_gives_up() {
    let unit = unit();
    for setting in [
        "DefaultDependencies=no",
        "Before=network-pre.target shutdown.target",
        "Conflicts=shutdown.target",
        "StartLimitIntervalSec=0",
        "ExecStartPre=+/usr/bin/chown -R op25b:op25b /sys/fs/bpf/op25b /var/lib/op25b",
    ] {
        assert!(unit.lines().any(|line| line == setting), "{setting} is missing");
    }
}

#[test]
fn the_unit_exposes_the_service_to_little() {
    let scene = Scene::new();
    let copy = scene.path("op25b.service");
    std::fs::write(&copy, unit()).unwrap();
    let mut analyze = Command::new("systemd-analyze");
    // In tenths: 10 is no sandbox at all.
    analyze
        .args(["security", "--offline=yes", "--threshold=25"])
        .arg(&copy);
    match analyze.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        output => {
            let output = output.unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{text}");
        }
    }
}
