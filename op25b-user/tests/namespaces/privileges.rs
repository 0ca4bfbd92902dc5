//! The privileges that op25b needs, and its errors without them.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use op25b_testlab::{filter::Filter, lab::Servers};

use crate::support::scene::{Answer, OP25B, SMALL, Scene};

/// `setpriv` words for an ordinary user.
const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// Runs `op25b run` or another command with the privileges that `setpriv` leaves it.
fn with_privileges(scene: &Scene, privileges: &[&str], command: &[&str]) -> Answer {
    let program = executable_by_all(scene);
    let words = [privileges, &[program.as_str()], command].concat();
    scene.on_router("setpriv", &words)
}

/// The program where an ordinary user gets at it.
fn executable_by_all(scene: &Scene) -> String {
    let path = scene.path("op25b");
    if !path.exists() {
        fs::copy(OP25B, &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    path.into_os_string().into_string().unwrap()
}

#[test]
fn without_privileges_the_missing_ones_are_named_and_nothing_is_attached() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let run = ["run", "--policy", policy.to_str().unwrap()];
    for (privileges, missing) in [
        (&NOBODY[..], "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are missing"),
        (&["--bounding-set=-net_admin"], "CAP_NET_ADMIN is missing"),
        (
            // CAP_SYS_ADMIN stands for either.
            &["--bounding-set=-bpf,-sys_admin"],
            "CAP_BPF is missing",
        ),
        (&["--bounding-set=-perfmon,-sys_admin"], "CAP_PERFMON is missing"),
    ] {
        let answer = with_privileges(&scene, privileges, &run);
        assert_eq!(
            answer.refusal(),
            format!("op25b: {missing}: run op25b as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
        );
        assert_eq!(scene.attached(), []);
    }
}

#[test]
fn an_ordinary_user_with_the_three_capabilities_enforces() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let pins = scene.router().mount_pins().unwrap();
    std::os::unix::fs::chown(&pins, Some(65534), Some(65534)).unwrap();
    let capabilities = "+bpf,+net_admin,+perfmon";
    let mut command = Command::new("setpriv");
    command
        .args(NOBODY)
        .args([
            format!("--inh-caps={capabilities}"),
            format!("--ambient-caps={capabilities}"),
        ])
        .arg(executable_by_all(&scene))
        .args(["run", "--policy"])
        .arg(policy);
    let filter = Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap();
    scene.assert_blocked(&servers, &filter);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn who_may_neither_use_the_socket_nor_read_the_kernel_is_told_what_permits_it() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let _filter = scene.filter(&policy);
    let stopped = with_privileges(&scene, &NOBODY, &["stop"]);
    let needs = "op25b: not permitted: stopping a daemon and detaching its filter take root or the user who owns the pins: ";
    assert!(stopped.refusal().starts_with(needs), "{stopped:?}");
    for words in [&["status"][..], &["explain", "--src", "198.51.100.10"]] {
        let answer = with_privileges(&scene, &NOBODY, words);
        let refusal = answer.refusal();
        assert!(refusal.starts_with("op25b: not permitted: "), "{refusal}");
        assert!(
            refusal.contains("the group op25b") && refusal.contains("use sudo"),
            "{refusal}"
        );
    }
}

/// A set of capabilities and flags of a process, as `/proc` writes it.
fn status_of(pid: u32, key: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

#[test]
fn once_it_enforces_root_keeps_what_reloading_takes_and_no_more() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    // CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF (linux/capability.h).
    let kept = (1u64 << 2) | (1 << 12) | (1 << 38) | (1 << 39);
    for (key, capabilities) in [
        ("CapEff", kept),
        ("CapPrm", kept),
        ("CapBnd", kept),
        ("CapInh", 0),
        ("CapAmb", 0),
    ] {
        assert_eq!(
            status_of(filter.pid(), key),
            format!("{capabilities:016x}"),
            "{key}"
        );
    }
    assert_eq!(status_of(filter.pid(), "NoNewPrivs"), "1");
    // Every thread, that which watches the file as well.
    for thread in fs::read_dir(format!("/proc/{}/task", filter.pid())).unwrap() {
        let id: u32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        // That which writes the log has nothing to do but that.
        let expected = if status_of(id, "Name") == "log" { 0 } else { kept };
        assert_eq!(status_of(id, "CapPrm"), format!("{expected:016x}"));
    }
    // It is enough, also for another user's policy.
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o400)).unwrap();
    std::os::unix::fs::chown(&policy, Some(65534), Some(65534)).unwrap();
    filter.reload().unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
