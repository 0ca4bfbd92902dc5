//! Notifications to a service manager, and the systemd units.

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::scene::{PATIENCE, SMALL, Scene};

/// The next message that holds a line beginning with this.
pub fn await_line(socket: &UnixDatagram, start: &str) -> String {
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

/// The units that are shipped.
const UNITS: [&str; 5] = [
    "op25b.service",
    "op25b-metrics.service",
    "op25b-metrics.timer",
    "op25b-events@.service",
    "op25b-alerts@.service",
];

/// The text of a unit.
fn unit(name: &str) -> String {
    let unit = op25b_testlab::paths::workspace().join("deploy").join(name);
    std::fs::read_to_string(unit).unwrap()
}

/// Copies of the units, in which the command is one that is installed.
fn copies() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in UNITS {
        let text = unit(name).replace("/usr/bin/op25b", crate::support::scene::OP25B);
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_units_are_ones_that_systemd_understands() {
    let folder = copies();
    let mut verify = Command::new("systemd-analyze");
    verify
        .arg("verify")
        .args(UNITS.map(|name| folder.path().join(name)));
    let output = match verify.output() {
        // Without systemd nothing here reads them.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        output => output.unwrap(),
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !text.contains("op25b"), "{text}");
}

#[test]
fn the_unit_waits_for_drivers_is_attached_before_the_network_comes_up_and_never_gives_up() {
    let unit = unit("op25b.service");
    for setting in [
        "DefaultDependencies=no",
        "Before=network-pre.target shutdown.target",
        "Conflicts=shutdown.target",
        "StartLimitIntervalSec=0",
        "After=local-fs.target systemd-sysusers.service systemd-tmpfiles-setup.service systemd-udev-trigger.service",
        "ExecStartPre=-+/usr/bin/udevadm settle --timeout=30",
        "ExecStartPre=+/usr/bin/chown -R op25b:op25b /sys/fs/bpf/op25b /var/lib/op25b",
    ] {
        assert!(unit.lines().any(|line| line == setting), "{setting} is missing");
    }
}

#[test]
fn the_units_expose_their_services_to_little() {
    let folder = copies();
    // In tenths: 100 is no sandbox at all.
    for (name, most) in [
        ("op25b.service", "25"),
        ("op25b-metrics.service", "25"),
        ("op25b-events@.service", "15"),
        ("op25b-alerts@.service", "15"),
    ] {
        let mut analyze = Command::new("systemd-analyze");
        let threshold = format!("--threshold={most}");
        analyze
            .args(["security", "--offline=yes", &threshold])
            .arg(folder.path().join(name));
        match analyze.output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            output => {
                let output = output.unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{name}: {text}");
            }
        }
    }
}

#[test]
fn the_unit_of_the_metrics_has_the_privileges_that_they_take_without_a_daemon() {
    let unit = unit("op25b-metrics.service");
    let set = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .unwrap();
    let capabilities = set.to_lowercase().replace("cap_", "+").replace(' ', ",");
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    filter.leave_by(Signal::SIGKILL).unwrap();
    let bounding = format!("--bounding-set=-all,{capabilities}");
    let words = [
        &bounding,
        "--no-new-privs",
        crate::support::scene::OP25B,
        "metrics",
    ];
    let answer = scene.on_router("setpriv", &words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    for series in [
        "op25b_up 0",
        "op25b_state{state=\"enforced\"} 1",
        "op25b_pool_enforced{pool=\"residential\"} 1",
    ] {
        assert!(answer.stdout.lines().any(|line| line == series), "{answer:?}");
    }
}
