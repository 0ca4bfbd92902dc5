//! Pins that another process removes while the daemon runs.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};

use super::{directory, word};
use crate::support::scene::{SMALL, Scene, eventually};

/// A daemon whose pins are in a directory that can be removed, which is not the root of its file system.
fn start(scene: &Scene) -> (Filter, PathBuf) {
    let pins = directory(scene);
    let filter = scene.filter_with(&scene.policy(SMALL), &[], &[("OP25B_BPFFS", word(&pins))]);
    (filter, pins)
}

/// Every path below a directory.
fn paths(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(paths(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn mentions(filter: &Filter, what: &str) -> usize {
    filter.log().matches(what).count()
}

const MADE_ANEW: &str = "pins had been removed, and are made anew";

#[test]
fn a_removed_pin_directory_is_made_anew_with_lock_and_pins_and_logged_once() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let (filter, pins) = start(&scene);
    let (before, attached) = (paths(&pins), scene.attached());
    assert!(before.len() > 8, "{before:?}");
    fs::remove_dir_all(&pins).unwrap();
    eventually("the pins are back", || paths(&pins) == before);
    assert_eq!(scene.attached(), attached);
    // A few more ticks do not repeat it.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(mentions(&filter, MADE_ANEW), 1, "{}", filter.log());

    // The lock is held: a second daemon is refused, and `stop` finds the first.
    let policy = scene.path("policy.yaml");
    let second = scene.op25b(&["run", "--policy", word(&policy), "--bpffs", word(&pins)]);
    let held = format!("op25b: process {} already enforces from", filter.pid());
    assert!(second.refusal().starts_with(&held), "{second:?}");
    filter.reload().unwrap();
    let stopped = filter.ask(&["stop"]).unwrap();
    assert!(
        stopped.contains(&format!("process {}, has ended", filter.pid())),
        "{stopped}"
    );
    assert!(filter.log().contains("continues to enforce"), "{}", filter.log());
    scene.assert_blocked_by_someone(&servers);
    filter.ask(&["stop", "--detach"]).unwrap();
    assert_eq!(scene.attached(), []);
    assert!(!pins.exists());
}

#[test]
fn single_pins_that_are_removed_are_made_anew() {
    let scene = Scene::new();
    let (filter, pins) = start(&scene);
    let before = paths(&pins);
    let (_, _, program) = scene.attached()[0];
    let generation = pins.join(format!("generations/{program}"));
    for (count, removed) in (1..).zip([
        pins.join("links/sub0"),
        generation.join("op25b_subscribe"),
        generation.join("DESCRIPTION"),
        generation.join("COUNTERS"),
        generation.join("SUBSCRIBERS"),
    ]) {
        fs::remove_file(&removed).unwrap();
        eventually("the pin is back", || paths(&pins) == before);
        eventually("it is logged", || mentions(&filter, MADE_ANEW) == count);
    }
    for removed in [&generation, &pins.join("links"), &pins.join("generations")] {
        fs::remove_dir_all(removed).unwrap();
        eventually("the directory is back", || paths(&pins) == before);
    }
    // The next generation goes on with the counters.
    filter.reload().unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn pins_removed_just_before_the_daemon_ends_are_made_anew_before_the_filter_is_promised() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let (filter, pins) = start(&scene);
    fs::remove_dir_all(&pins).unwrap();
    filter.signal(Signal::SIGTERM).unwrap();
    eventually("the daemon has ended", || {
        filter.log().contains("continues to enforce")
    });
    scene.assert_blocked_by_someone(&servers);
}

#[test]
fn pins_that_cannot_be_made_anew_are_a_fault_and_no_promise_is_made() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let (filter, pins) = start(&scene);
    let root = pins.parent().unwrap();
    // The daemon has dropped the capability that overrides permissions.
    chown(root, Some(65534), Some(65534)).unwrap();
    fs::remove_dir_all(&pins).unwrap();
    let fault = || scene.daemon_report()["faults"][0].clone();
    eventually("the fault shows", || fault()["kind"] == "pins_lost");
    let message = fault()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("so the filter ends with the daemon"),
        "{message}"
    );
    assert!(message.contains("belongs to nobody"), "{message}");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(mentions(&filter, "pins are missing"), 1, "{}", filter.log());
    let stop = scene.op25b(&["stop", "--bpffs", word(&pins)]);
    let answers = format!("process {}, which answers in", filter.pid());
    assert!(stop.stdout.contains(&answers), "{stop:?}");
    scene.assert_blocked(&servers, &filter);

    // The fault ends when its cause does.
    chown(root, Some(0), Some(0)).unwrap();
    eventually("the fault is over", || fault().is_null());
    assert!(pins.join("links/sub0").exists());

    chown(root, Some(65534), Some(65534)).unwrap();
    fs::remove_dir_all(&pins).unwrap();
    filter.signal(Signal::SIGTERM).unwrap();
    eventually("the filter is gone", || scene.attached().is_empty());
    let log = filter.log();
    assert!(log.contains("the filter ends with this process"), "{log}");
    assert!(!log.contains("continues to enforce"), "{log}");
}
