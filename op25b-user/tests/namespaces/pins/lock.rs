//! The lock on the pin directory: who may take it, and which process `stop` ends.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Child, Command},
};

use op25b_testlab::filter::Filter;

use super::{copy, directory, word};
use crate::support::scene::{OP25B, SMALL, Scene, eventually};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A process that is not op25b and holds the lock; dropping it ends it.
struct Stranger(Child);

impl Stranger {
    /// Locks a directory, in words before those of `flock`.
    fn lock(directory: &Path, before: &[&str]) -> Self {
        let words = [before, &["flock", "--no-fork", word(directory), "sleep", "60"]].concat();
        let child = Command::new(words[0]).args(&words[1..]).spawn().unwrap();
        eventually("the directory is locked", || {
            op25b::datapath::holder(directory) == Some(child.id())
        });
        Self(child)
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn only_its_owner_can_open_the_pin_directory() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    // The file system that op25b mounts itself, and a directory that it makes in another.
    let [(_, mounted), ..] = scene.router().places();
    let filter = scene.filter(&policy);
    assert_eq!(mode(&mounted), 0o700);
    let other = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["flock", "--nonblock", word(&mounted), "true"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&other.stderr).contains("Permission denied"),
        "{other:?}"
    );
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    // One that an earlier version left open to all.
    let pins = directory(&scene);
    fs::create_dir(&pins).unwrap();
    fs::set_permissions(&pins, fs::Permissions::from_mode(0o755)).unwrap();
    let filter = scene.filter_with(&policy, &[], &[("OP25B_BPFFS", word(&pins))]);
    assert_eq!(mode(&pins), 0o700);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn stop_gives_no_signal_to_a_process_that_is_not_op25b_or_another_users() {
    let scene = Scene::new();
    let pins = directory(&scene);
    fs::create_dir(&pins).unwrap();
    fs::set_permissions(pins.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&pins, fs::Permissions::from_mode(0o755)).unwrap();
    let stop = ["stop", "--bpffs", word(&pins)];

    let mut stranger = Stranger::lock(&pins, &[]);
    let pid = stranger.0.id();
    let answer = scene.op25b(&stop);
    assert_eq!(
        answer.refusal(),
        format!(
            "op25b: process {pid} holds the lock on the pin directory and is not op25b but sleep: it gets no signal; find out who \
             runs it"
        )
    );
    assert!(stranger.is_alive());
    drop(stranger);

    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut stranger = Stranger::lock(&pins, &nobody);
    let pid = stranger.0.id();
    let answer = scene.op25b(&stop);
    let refusal = answer.refusal();
    let whose = format!("op25b: process {pid} holds the lock on the pin directory and is nobody's, while");
    assert!(refusal.starts_with(&whose), "{refusal}");
    assert!(stranger.is_alive());

    // The owner of the directory may run the daemon, but that is no daemon.
    chown(&pins, Some(65534), Some(65534)).unwrap();
    let answer = scene.op25b(&stop);
    assert!(answer.refusal().contains("is not op25b but sleep"), "{answer:?}");
    assert!(stranger.is_alive());
}

#[test]
fn stop_does_not_say_that_no_daemon_runs_where_it_cannot_know() {
    let scene = Scene::new();
    let pins = directory(&scene);
    let filter = scene.filter_with(&scene.policy(SMALL), &[], &[("OP25B_BPFFS", word(&pins))]);
    let stop = ["stop", "--bpffs", word(&pins)];

    // From another PID namespace, whose list of locks does not have the daemon's.
    let other = ["--mount", "--pid", "--fork", "--mount-proc", OP25B];
    let answer = scene.on_router("unshare", &[&other[..], &stop].concat());
    assert_eq!(
        answer.refusal(),
        format!(
            "op25b: a process that is not visible in this PID namespace holds {}: run this command where the process runs",
            pins.display()
        )
    );

    // As a user who may not look.
    let program = copy(&scene, "op25b");
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", word(&program)];
    fs::set_permissions(pins.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    let answer = scene.on_router("setpriv", &[&nobody[..], &stop].concat());
    let refusal = answer.refusal();
    assert!(
        refusal.contains("belongs to root, and this process runs as nobody"),
        "{refusal}"
    );

    // With the directory of another filter.
    let elsewhere = pins.join("elsewhere");
    let answer = scene.op25b(&["stop", "--bpffs", word(&elsewhere)]);
    assert_eq!(answer.code, Some(3), "{answer:?}");
    let answers = format!("; process {}, which answers in ", filter.pid());
    assert!(answer.stdout.contains(&answers), "{answer:?}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn stop_ends_a_daemon_whose_program_was_replaced_or_has_another_name() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    for (name, is_removed) in [("op25b", true), ("op25b", false), ("filter", false)] {
        let program = copy(&scene, name);
        let mut command = Command::new(&program);
        command
            .args(["--log-format", "json", "run", "--policy"])
            .arg(&policy);
        let filter = Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap();
        let stop = if name == "op25b" {
            fs::remove_file(&program).unwrap();
            if !is_removed {
                // A package manager's upgrade.
                copy(&scene, name);
            }
            OP25B
        } else {
            word(&program)
        };
        let answer = scene.on_router(stop, &["stop"]);
        assert_eq!(answer.code, Some(0), "{name}: {answer:?}");
        assert_eq!(
            answer.stdout.lines().next(),
            Some(format!("the daemon, process {}, has ended", filter.pid()).as_str())
        );
        scene.op25b(&["stop", "--detach"]);
        drop(filter);
        let _ = fs::remove_file(&program);
    }
}
