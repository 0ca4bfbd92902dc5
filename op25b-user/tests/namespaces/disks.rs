//! The disk of the store hangs, at the start or later, or its store is large, damaged or backed up: the filter does not wait for it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use op25b_testlab::{disk::Disk, filter::Filter};
use rusqlite::Connection;

use crate::support::scene::{Answer, SMALL, Scene, eventually};

/// A scene whose daemon has its store on a disk that can hang.
struct Hanging {
    scene: Scene,
    disk: Disk,
    policy: PathBuf,
}

impl Hanging {
    fn new() -> Self {
        let scene = Scene::new();
        let policy = scene.policy(SMALL);
        let disk = Disk::new(24).unwrap();
        Self {
            policy,
            // A change with another directory than the daemon's is refused.
            scene: scene.with_state(state(&disk)),
            disk,
        }
    }

    fn start(&self) -> Filter {
        let state = state(&self.disk);
        self.scene
            .filter_with(&self.policy, &[], &[("OP25B_STATE_DIR", state.to_str().unwrap())])
    }

    fn has_fault(&self, kind: &str) -> bool {
        let report = self.scene.daemon_report();
        let faults = report["faults"].as_array().unwrap();
        faults.iter().any(|fault| fault["kind"] == kind)
    }

    fn is_exempt(&self, address: &str) -> bool {
        is_exempt(&self.scene, address)
    }

    fn is_stored(&self, address: &str) -> bool {
        let listed = self.scene.op25b(&["exempt", "list", "--in", address, "--json"]);
        !listed.json()["exemptions"].as_array().unwrap().is_empty()
    }
}

/// The directory of the store on a disk.
fn state(disk: &Disk) -> PathBuf {
    disk.path().join("state")
}

/// Asserts that a change was given up because of the disk, and that the answer is honest; whether the change may be stored.
fn was_given_up(answer: &Answer) -> bool {
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let may_be_stored = answer.stderr.contains("the change may be stored or not");
    // It had not come to writing.
    let is_not_stored = answer.stderr.contains("nothing was changed");
    assert!(may_be_stored != is_not_stored, "{answer:?}");
    may_be_stored
}

fn add(scene: &Scene, prefix: &str) -> Answer {
    scene.op25b(&["exempt", "add", "--customer", "Example KK", prefix])
}

fn is_exempt(scene: &Scene, address: &str) -> bool {
    let explained = scene.op25b(&["explain", "--json", "--src", address]);
    assert!(
        explained.code == Some(0) || explained.code == Some(1),
        "{explained:?}"
    );
    // The text also names the exemptions that are not in force.
    explained.json()["reason"] == "exempt"
}

/// Asserts that something took seconds at most; what is tested here takes for ever otherwise.
#[track_caller]
fn prompt<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(8), "{what} took {took:?}");
    done
}

#[test]
fn while_a_disk_hangs_all_but_changes_goes_on_and_the_kernel_follows_when_it_answers() {
    let hanging = Hanging::new();
    let Hanging { scene, disk, .. } = &hanging;
    let filter = hanging.start();
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    let frozen = disk.frozen().unwrap();
    let (first, ..) = thread::scope(|scope| {
        let first = scope.spawn(|| add(scene, "198.51.100.11"));
        thread::sleep(Duration::from_secs(1));
        // Within the time that the disk is given.
        prompt("an explanation", || {
            assert!(hanging.is_exempt("198.51.100.10"));
            let explained = scene
                .op25b(&["explain", "--json", "--src", "198.51.100.11"])
                .json();
            assert_eq!(explained["reason"], "blocked", "{explained:#}");
            // Its exemption could be stored, if the disk could be read.
            let error = explained["store_error"].as_str().unwrap_or_default();
            assert!(error.contains("has not answered within 2 s"), "{explained:#}");
        });
        (first.join().unwrap(), ())
    });
    let may_be_stored = was_given_up(&first);

    eventually("the fault is shown", || hanging.has_fault("store_stalled"));
    let second = prompt("a change", || add(scene, "198.51.100.12"));
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.stderr.contains("nothing was changed"), "{second:?}");
    scene.policy(&SMALL.replace("residential", "homes"));
    let reloaded = prompt("a reload", || scene.op25b(&["reload"]));
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    prompt("an explanation", || {
        assert!(hanging.is_exempt("198.51.100.10"), "the reload lost it");
        assert!(!hanging.is_exempt("198.51.100.12"));
    });
    filter.signal(Signal::SIGHUP).unwrap();
    eventually("SIGHUP reloads", || scene.daemon_report()["reloads"] == 2);
    let listed = scene.op25b(&["exempt", "list", "--json"]);
    assert!(
        listed.code == Some(0) || listed.stdout.contains("has not answered"),
        "{listed:?}"
    );

    drop(frozen);
    eventually("the disk answers", || !hanging.has_fault("store_stalled"));
    eventually("the kernel follows", || {
        scene.daemon_report()["exemptions"]["kernel_is_behind"] == false
            && hanging.is_exempt("198.51.100.11") == hanging.is_stored("198.51.100.11")
    });
    assert!(may_be_stored || !hanging.is_stored("198.51.100.11"));
    assert!(!hanging.is_stored("198.51.100.12") && !hanging.is_exempt("198.51.100.12"));
    assert_eq!(add(scene, "198.51.100.12").code, Some(0));
}

#[test]
fn a_signal_ends_the_daemon_while_a_disk_hangs() {
    let hanging = Hanging::new();
    let Hanging { scene, disk, .. } = &hanging;
    let filter = hanging.start();
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    let frozen = disk.frozen().unwrap();
    let pending = thread::scope(|scope| {
        let pending = scope.spawn(|| add(scene, "198.51.100.11"));
        thread::sleep(Duration::from_secs(1));
        // The lock on the pins and the socket are free then; the kernel keeps the process until the disk answers.
        let stopped = prompt("stopping", || scene.op25b(&["stop"]));
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
        pending.join().unwrap()
    });
    let may_be_stored = was_given_up(&pending);
    drop(frozen);
    filter.leave_by(Signal::SIGTERM).unwrap();
    let _filter = hanging.start();
    assert!(hanging.is_exempt("198.51.100.10"));
    let is_stored = hanging.is_stored("198.51.100.11");
    assert!(may_be_stored || !is_stored);
    assert_eq!(hanging.is_exempt("198.51.100.11"), is_stored);
}

#[test]
fn a_signal_ends_an_idle_daemon_whose_disk_hangs() {
    let hanging = Hanging::new();
    let Hanging { scene, disk, .. } = &hanging;
    let filter = hanging.start();
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    let frozen = disk.frozen().unwrap();
    // The log of the store would be written to its file.
    let stopped = prompt("stopping", || scene.op25b(&["stop"]));
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    drop(frozen);
    filter.leave_by(Signal::SIGTERM).unwrap();
}

#[test]
fn a_disk_that_hangs_at_the_start_keeps_the_filter_off_for_seconds_only() {
    let hanging = Hanging::new();
    let Hanging { scene, disk, .. } = &hanging;
    let filter = hanging.start();
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    filter.stop().unwrap();
    let frozen = disk.frozen().unwrap();

    let filter = hanging.start();
    assert_eq!(scene.attached().len(), 2);
    assert!(!hanging.is_exempt("198.51.100.10"));
    assert!(
        filter.log().contains("WITHOUT THE STORED EXEMPTIONS"),
        "{}",
        filter.log()
    );
    // The thread that waits for the disk was started before the daemon dropped its privileges.
    let tasks = fs::read_dir(format!("/proc/{}/task", filter.pid())).unwrap();
    let allowed = [0, 1, 2, 3, 12, 38, 39].map(|capability| 1_u64 << capability);
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let held = status
            .lines()
            .find_map(|line| line.strip_prefix("CapPrm:"))
            .unwrap();
        let held = u64::from_str_radix(held.trim(), 16).unwrap();
        assert_eq!(held & !allowed.iter().sum::<u64>(), 0, "{status}");
    }
    eventually("the faults are shown", || {
        hanging.has_fault("store_stalled") && hanging.has_fault("store_unread")
    });
    let refused = add(scene, "198.51.100.11");
    assert!(refused.stderr.contains("nothing was changed"), "{refused:?}");
    let reloaded = scene.op25b(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");

    drop(frozen);
    eventually("the kernel follows", || hanging.is_exempt("198.51.100.10"));
    eventually("the faults are over", || {
        !hanging.has_fault("store_stalled") && !hanging.has_fault("store_unread")
    });
    assert_eq!(add(scene, "198.51.100.11").code, Some(0));
}

#[test]
fn a_disk_that_hangs_at_the_start_leaves_a_running_filter_with_its_exemptions_until_it_answers() {
    let hanging = Hanging::new();
    let Hanging { scene, disk, .. } = &hanging;
    let filter = hanging.start();
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    filter.leave_by(Signal::SIGTERM).unwrap();
    let before = scene.attached();
    let frozen = disk.frozen().unwrap();
    let filter = thread::scope(|scope| {
        let starting = scope.spawn(|| hanging.start());
        thread::sleep(Duration::from_secs(7));
        assert!(!starting.is_finished(), "it does not wait for the disk");
        assert_eq!(scene.attached(), before);
        drop(frozen);
        starting.join().unwrap()
    });
    assert!(filter.log().contains("the daemon waits"), "{}", filter.log());
    assert!(hanging.is_exempt("198.51.100.10"));
}

/// Runs a daemon until it has one exemption and a backup of it, and removes its filter; the store's directory.
fn with_one_exemption(scene: &Scene, policy: &Path) -> PathBuf {
    let filter = scene.filter(policy);
    assert_eq!(add(scene, "198.51.100.10").code, Some(0));
    filter.stop().unwrap();
    let [.., (_, state)] = scene.router().places();
    let filter = scene.filter(policy);
    eventually("a backup", || state.join("exemptions.db.backup").exists());
    filter.stop().unwrap();
    state
}

#[test]
fn the_store_is_checked_after_the_filter_runs_and_the_kernel_follows_what_is_recovered() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let state = with_one_exemption(&scene, &policy);
    // Another prefix than the audit has: SQLite does not notice.
    Connection::open(state.join("exemptions.db"))
        .unwrap()
        .execute_batch(r#"UPDATE exemptions SET prefixes = '["198.51.100.99/32"]'"#)
        .unwrap();
    let filter = scene.filter(&policy);
    eventually("the exemption is restored", || is_exempt(&scene, "198.51.100.10"));
    assert!(!is_exempt(&scene, "198.51.100.99"));
    let log = filter.log();
    let line = |text| log.lines().position(|line| line.contains(text));
    let (enforcing, damaged) = (line("\"enforcing\""), line("the exemption store is damaged"));
    assert!(enforcing.is_some() && enforcing < damaged, "{log}");
}

#[test]
fn damage_that_prevents_reading_at_the_start_is_recovered_before_the_filter_runs() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let state = with_one_exemption(&scene, &policy);
    Connection::open(state.join("exemptions.db"))
        .unwrap()
        .execute_batch("UPDATE exemptions SET prefixes = 'none'")
        .unwrap();
    let _filter = scene.filter(&policy);
    assert!(is_exempt(&scene, "198.51.100.10"));
}
