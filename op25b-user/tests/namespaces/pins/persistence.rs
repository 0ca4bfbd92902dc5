//! A BPF file system in a mount namespace that ends with the daemon.

use std::{fs, os::unix::fs::chown, path::Path, process::Command, thread};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::signal::Signal,
};
use op25b_testlab::{filter::Filter, lab::Servers};

use super::{copy, word};
use crate::support::scene::{OP25B, SMALL, Scene, eventually};

/// `op25b run` by `ip netns exec`, which makes a mount namespace.
fn by_ip_netns_exec(scene: &Scene, policy: &Path, arguments: &[&str]) -> anyhow::Result<Filter> {
    let mut command = scene.router().command(OP25B);
    command
        .args(["--log-format", "json", "run", "--policy"])
        .arg(policy)
        .args(arguments);
    Filter::start_as(Path::new(OP25B), scene.router(), command)
}

#[test]
fn pins_that_end_with_the_process_are_refused_with_both_ways_out() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let run = [OP25B, "run", "--policy", word(&policy)];
    let [(_, pins), ..] = scene.router().places();
    let ip = ["netns", "exec", scene.router().name()];
    for (program, arguments) in [
        ("ip", &ip[..]),
        ("unshare", &["--mount"]),
        ("unshare", &["--mount", "--propagation", "slave"]),
        // A container without the machine's BPF file system: op25b is its process 1.
        ("unshare", &["--mount", "--pid", "--fork", "--mount-proc"]),
    ] {
        let answer = scene.on_router(program, &[arguments, &run].concat());
        let refusal = answer.refusal();
        let whose = format!(
            "op25b: the BPF file system of {} is mounted in a mount",
            pins.display()
        );
        assert!(refusal.starts_with(&whose), "{program} {arguments:?}: {refusal}");
        for way_out in [
            "`nsenter --net=/run/netns/NAME`",
            "mount the machine's BPF file system",
            "`--no-persist`",
        ] {
            assert!(refusal.contains(way_out), "{refusal}");
        }
        assert_eq!(scene.attached(), []);
    }
}

#[test]
fn with_no_persist_the_daemon_says_that_the_filter_ends_with_it_and_it_does() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = by_ip_netns_exec(&scene, &scene.policy(SMALL), &["--no-persist"]).unwrap();
    scene.assert_blocked(&servers, &filter);
    assert!(
        filter.log().contains("the filter ends with the daemon"),
        "{}",
        filter.log()
    );
    let report = scene.daemon_report();
    assert_eq!(report["faults"][0]["kind"], "not_persistent", "{report}");
    assert!(
        report["faults"][0]["message"]
            .as_str()
            .unwrap()
            .contains("the filter ends with the daemon"),
        "{report}"
    );
    let metrics = scene.op25b(&["metrics"]).stdout;
    assert!(
        metrics.contains("op25b_fault{kind=\"not_persistent\"} 1\n"),
        "{metrics}"
    );
    // The pins are out of sight of another mount namespace, and the fault is not.
    let mut status = scene.router().command(OP25B);
    status.arg("status");
    let answers = [scene.op25b(&["status"]), status.output().unwrap().into()];
    for answer in answers {
        assert_eq!(answer.code, Some(0), "{answer:?}");
        assert!(
            answer.stdout.contains("\nFAULT not_persistent since 20"),
            "{answer:?}"
        );
    }
    filter.signal(Signal::SIGTERM).unwrap();
    eventually("the filter is gone", || scene.attached().is_empty());
    let log = filter.log();
    assert!(!log.contains("continues to enforce"), "{log}");
    assert_eq!(log.matches("the filter ends with the daemon").count(), 2, "{log}");
    scene.assert_open(&servers);
}

#[test]
fn a_file_system_of_the_machines_mount_namespace_persists_from_any_other() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    scene.router().mount_pins().unwrap();
    let policy = scene.policy(SMALL);
    // Also with the option, where it is not needed.
    for arguments in [&[][..], &["--no-persist"]] {
        let filter = by_ip_netns_exec(&scene, &policy, arguments).unwrap();
        assert_eq!(scene.daemon_report()["faults"], serde_json::json!([]));
        filter.leave_by(Signal::SIGTERM).unwrap();
        scene.assert_blocked_by_someone(&servers);
    }
    // And from a container into which it is mounted, where op25b is process 1.
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            OP25B,
        ])
        .args(["--log-format", "json", "run", "--policy"])
        .arg(&policy);
    let filter = Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap();
    assert_eq!(scene.daemon_report()["faults"], serde_json::json!([]));
    filter.leave_by(Signal::SIGKILL).unwrap();
    scene.assert_blocked_by_someone(&servers);
    eventually("the lock is free", || {
        let [(_, pins), ..] = scene.router().places();
        op25b::datapath::holder(&pins).is_none()
    });
    let own = scene.filter(&policy);
    assert!(own.log().contains("taking over a filter"), "{}", own.log());
    assert_eq!(own.stop().unwrap().code(), Some(0));
}

/// Does something where every mount is shared, as on a machine with systemd, in a mount namespace of its own thread. Nothing that is
/// mounted there comes to be in this process's: mounts that are shared already would go on being shared with it.
fn with_shared_mounts(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let none: Option<&str> = None;
            for propagation in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
                mount(none, "/", none, MsFlags::MS_REC | propagation, none).unwrap();
            }
            work();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn in_a_unit_from_which_process_1_is_hidden_the_machines_file_system_persists() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let program = copy(&scene, "op25b");
    // What systemd makes of `User=`, `AmbientCapabilities=`, `ProtectProc=invisible` and the directories of a unit.
    let script = "mount -t proc -o hidepid=invisible proc /proc && \
        exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=+bpf,+net_admin,+perfmon \
        --ambient-caps=+bpf,+net_admin,+perfmon \
        sh -c 'test ! -e /proc/1 && exec \"$@\"' sh \"$@\"";
    let [state, runtime] = ["state", "runtime"].map(|name| {
        let directory = scene.path(name);
        fs::create_dir(&directory).unwrap();
        chown(&directory, Some(65534), Some(65534)).unwrap();
        directory
    });
    with_shared_mounts(|| {
        let pins = scene.router().mount_pins().unwrap();
        chown(&pins, Some(65534), Some(65534)).unwrap();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "slave", "sh", "-c", script, "sh"])
            .arg(&program)
            .args(["--log-format", "json", "run", "--policy"])
            .arg(&policy)
            .env("OP25B_STATE_DIR", &state)
            .env("OP25B_RUNTIME_DIR", &runtime);
        let filter = Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap();
        assert!(!filter.log().contains("the filter ends with"), "{}", filter.log());
        filter.leave_by(Signal::SIGTERM).unwrap();
        assert_eq!(scene.attached().len(), 2);
    });
    eventually("the file system is gone with its last mount namespace", || {
        scene.attached().is_empty()
    });
}
