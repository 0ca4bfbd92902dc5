//! Pins that belong to another user than the daemon's.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};

use super::{copy, directory, word};
use crate::support::scene::{Answer, OP25B, SMALL, Scene};

const CAPABILITIES: &str = "+bpf,+net_admin,+perfmon";

/// `op25b run` as an ordinary user with the capabilities that it needs, in words of `setpriv`.
fn as_nobody(scene: &Scene, pins: &Path) -> Vec<String> {
    let program = copy(scene, "op25b");
    let state = state_of_nobody(scene);
    fs::create_dir_all(&state).unwrap();
    chown(&state, Some(65534), Some(65534)).unwrap();
    let policy = scene.policy(SMALL);
    [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        &format!("--inh-caps={CAPABILITIES}"),
        &format!("--ambient-caps={CAPABILITIES}"),
        word(&program),
        "run",
        "--policy",
        word(&policy),
        "--bpffs",
        word(pins),
        "--state-dir",
        word(&state),
    ]
    .map(str::to_owned)
    .into()
}

/// systemd gives a unit's user directories of its own.
fn state_of_nobody(scene: &Scene) -> PathBuf {
    scene.path("state-of-nobody")
}

fn answer_to_nobody(scene: &Scene, pins: &Path) -> Answer {
    let words = as_nobody(scene, pins);
    scene.on_router("setpriv", &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn filter_of_nobody(scene: &Scene, pins: &Path) -> Filter {
    let mut command = Command::new("setpriv");
    command
        .args(as_nobody(scene, pins))
        .env("OP25B_BPFFS", pins)
        .env("OP25B_STATE_DIR", state_of_nobody(scene));
    Filter::start_as(Path::new(OP25B), scene.router(), command).unwrap()
}

/// Gives a directory and all that is in it to a user, as `chown -R` does.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

#[test]
fn pins_that_root_made_are_refused_to_another_user_with_the_owner_and_the_remedy() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let pins = directory(&scene);
    let root = scene.filter_with(&scene.policy(SMALL), &[], &[("OP25B_BPFFS", word(&pins))]);
    root.leave_by(Signal::SIGKILL).unwrap();
    let attached = scene.attached();

    let remedy = format!(
        "belongs to root, and this process runs as nobody: `chown -R nobody: {}` gives it to this user, or run op25b as root: \
         Permission denied (os error 13)",
        pins.display()
    );
    let last = |answer: &Answer| answer.stderr.lines().last().unwrap_or_default().to_owned();
    // The directory, and what is in it, as `install -d` of a unit without `chown -R` leaves it.
    let answer = answer_to_nobody(&scene, &pins);
    let expected = format!("op25b: cannot lock {}: it {remedy}", pins.display());
    assert_eq!((answer.code, last(&answer)), (Some(2), expected));
    chown(&pins, Some(65534), Some(65534)).unwrap();
    let answer = answer_to_nobody(&scene, &pins);
    let links = pins.join("links");
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let refusal = last(&answer);
    assert!(
        refusal.starts_with(&format!(
            "op25b: cannot open {}/corp0: it {remedy}",
            links.display()
        )),
        "{refusal}"
    );
    assert_eq!(scene.attached(), attached);

    // The remedy.
    give(&pins, 65534);
    let filter = filter_of_nobody(&scene, &pins);
    assert!(filter.log().contains("taking over a filter"), "{}", filter.log());
    scene.assert_blocked(&servers, &filter);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn where_the_user_may_not_make_the_directory_the_remedy_makes_it() {
    let scene = Scene::new();
    let pins = directory(&scene);
    let answer = answer_to_nobody(&scene, &pins);
    let above = pins.parent().unwrap();
    assert_eq!(
        answer.refusal(),
        format!(
            "op25b: cannot create {pins}: {above} belongs to root, and this process runs as nobody: `chmod o+x {above}; \
             install -d -m 0700 -o nobody {pins}` as root makes a directory for this user, or run op25b as root: \
             Permission denied (os error 13)",
            pins = pins.display(),
            above = above.display(),
        )
    );
}

#[test]
fn where_there_is_no_bpf_file_system_and_none_can_be_mounted_the_remedy_mounts_it() {
    let scene = Scene::new();
    let pins = scene.path("pins");
    fs::create_dir(&pins).unwrap();
    chown(&pins, Some(65534), Some(65534)).unwrap();
    assert_eq!(
        answer_to_nobody(&scene, &pins).refusal(),
        format!(
            "op25b: there is no BPF file system at {pins}, and this process may not mount one: `mount -t bpf bpf {pins}` as root \
             does; a container takes the machine's (`-v /sys/fs/bpf:/sys/fs/bpf`): Operation not permitted (os error 1)",
            pins = pins.display(),
        )
    );
}

#[test]
fn root_takes_the_pins_of_another_user_over_and_can_still_use_them_without_its_privileges() {
    let scene = Scene::new();
    let pins = directory(&scene);
    fs::create_dir(&pins).unwrap();
    chown(&pins, Some(65534), Some(65534)).unwrap();
    filter_of_nobody(&scene, &pins).leave_by(Signal::SIGKILL).unwrap();
    fs::set_permissions(&pins, Permissions::from_mode(0o755)).unwrap();
    let root = scene.filter_with(&scene.policy(SMALL), &[], &[("OP25B_BPFFS", word(&pins))]);
    assert!(root.log().contains("taking over a filter"), "{}", root.log());
    let found = fs::metadata(&pins).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o700));
    // A reload opens every pin and makes new ones.
    root.reload().unwrap();
    assert_eq!(root.stop().unwrap().code(), Some(0));
}
