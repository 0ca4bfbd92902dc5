//! A store that is removed or replaced under the daemon, or has lost changes before a start, is put right, and the kernel follows.

use std::{fs, path::PathBuf};

use nix::sys::signal::Signal;
use op25b_testlab::lab::Servers;

use crate::support::scene::{Answer, SMALL, Scene, eventually};

const CUSTOMER: [&str; 2] = ["198.51.100.10", "2001:db8:100::10"];

fn state_of(scene: &Scene) -> PathBuf {
    let [.., (_, state)] = scene.router().places();
    state
}

/// Adds an exemption; returns its id.
fn add(scene: &Scene, customer: &str, prefixes: &[&str]) -> String {
    let added = scene.op25b(&[&["exempt", "add", "--customer", customer], prefixes].concat());
    assert_eq!(added.code, Some(0), "{added:?}");
    added.stdout.lines().next().unwrap().to_owned()
}

fn remove(scene: &Scene, id: &str) -> Answer {
    scene.op25b(&["exempt", "remove", id, "--reason", "it sent spam"])
}

fn customers(scene: &Scene) -> Vec<String> {
    let answer = scene.op25b(&["exempt", "list", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let list = answer.json()["exemptions"].as_array().unwrap().clone();
    list.iter()
        .map(|exemption| exemption["customer"].as_str().unwrap().to_owned())
        .collect()
}

/// The message of a fault of this kind.
fn fault(scene: &Scene, kind: &str) -> Option<String> {
    let report = scene.daemon_report();
    let mut faults = report["faults"].as_array().unwrap().iter();
    let fault = faults.find(|fault| fault["kind"] == kind)?;
    Some(fault["message"].as_str().unwrap().to_owned())
}

fn is_exempt(scene: &Scene, source: &str) -> bool {
    let explained = scene.op25b(&["explain", "--src", source, "--json"]);
    explained.json()["reason"] == "exempt"
}

#[test]
fn a_state_directory_that_is_emptied_under_the_daemon_costs_no_customer_its_exemption() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    add(&scene, "First KK", &CUSTOMER);
    let state = state_of(&scene);
    for entry in fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    add(&scene, "Second KK", &["198.51.100.11"]);
    let reloaded = scene.op25b(&["reload"]);
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    scene.assert_open(&servers);
    assert_eq!(customers(&scene), ["First KK", "Second KK"]);
    let fault = fault(&scene, "store_recovered").expect("a fault");
    assert!(fault.contains("it was removed while it was open"), "{fault}");
    assert!(filter.log().contains("\"level\":\"ERROR\""), "{}", filter.log());
    let history = scene.op25b(&["exempt", "history"]);
    assert!(
        history.stdout.contains("  op25b  recovered  the exemption store"),
        "{history:?}"
    );
    let metrics = scene.op25b(&["status"]);
    assert!(metrics.stdout.contains("store_recovered"), "{metrics:?}");
    // A kill at this moment loses nothing either.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let _filter = scene.filter(&scene.policy(SMALL));
    scene.assert_open(&servers);
    assert_eq!(customers(&scene), ["First KK", "Second KK"]);
}

#[test]
fn a_state_directory_that_is_removed_under_the_daemon_is_made_again_without_a_request() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(SMALL));
    add(&scene, "First KK", &CUSTOMER);
    let store = state_of(&scene).join("exemptions.db");
    fs::remove_dir_all(state_of(&scene)).unwrap();
    eventually("it is put back", || store.exists());
    assert_eq!(customers(&scene), ["First KK"]);
}

#[test]
fn an_older_store_that_replaces_that_of_a_running_daemon_revives_no_removed_exemption() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let state = state_of(&scene);
    let file = state.join("exemptions.db");
    let spammer = add(&scene, "Spammer KK", &["198.51.100.66"]);
    // Everything is in the file, as after a stop.
    filter.stop().unwrap();
    fs::copy(&file, state.join("restored")).unwrap();
    let _filter = scene.filter(&scene.policy(SMALL));
    assert_eq!(remove(&scene, &spammer).code, Some(0));
    add(&scene, "Newest KK", &["198.51.100.77"]);

    fs::rename(state.join("restored"), &file).unwrap();
    eventually("it is noticed", || fault(&scene, "store_recovered").is_some());
    eventually("the kernel follows", || {
        scene.daemon_report()["exemptions"]["kernel_is_behind"] == false
    });
    assert_eq!(customers(&scene), ["Newest KK"]);
    assert!(!is_exempt(&scene, "198.51.100.66"));
    assert!(is_exempt(&scene, "198.51.100.77"));
}

#[test]
fn an_older_store_at_a_start_revives_no_removed_exemption_and_blocks_no_new_customer() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let state = state_of(&scene);
    let file = state.join("exemptions.db");
    let spammer = add(&scene, "Spammer KK", &["198.51.100.66"]);
    filter.stop().unwrap();
    fs::copy(&file, state.join("older")).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    assert_eq!(remove(&scene, &spammer).code, Some(0));
    add(&scene, "Newest KK", &["198.51.100.77"]);
    filter.stop().unwrap();
    // The backup of the next start has both changes.
    let backup = state.join("exemptions.db.backup");
    let _ = fs::remove_file(&backup);
    let filter = scene.filter(&scene.policy(SMALL));
    eventually("it is backed up", || backup.exists());
    filter.stop().unwrap();

    fs::rename(state.join("older"), &file).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    assert_eq!(customers(&scene), ["Newest KK"]);
    assert!(!is_exempt(&scene, "198.51.100.66"));
    assert!(is_exempt(&scene, "198.51.100.77"));
    assert!(fault(&scene, "store_recovered").is_some(), "{}", filter.log());
}

#[test]
fn a_change_that_only_the_filter_remembers_is_reported_as_lost_at_a_start() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let state = state_of(&scene);
    let file = state.join("exemptions.db");
    add(&scene, "First KK", &["198.51.100.66"]);
    filter.stop().unwrap();
    fs::copy(&file, state.join("older")).unwrap();
    let filter = scene.filter(&policy);
    add(&scene, "Newest KK", &["198.51.100.77"]);
    // Its change is in no backup: the log is lost in a crash.
    filter.leave_by(Signal::SIGKILL).unwrap();
    for beside in ["-wal", "-shm", ".backup", ".backup.1"] {
        let _ = fs::remove_file(state.join(format!("exemptions.db{beside}")));
    }
    fs::rename(state.join("older"), &file).unwrap();

    let filter = scene.filter(&policy);
    assert_eq!(customers(&scene), ["First KK"]);
    let fault = fault(&scene, "store_recovered").expect("a fault");
    assert!(
        fault.contains("the change with revision 2 was enforced and is lost"),
        "{fault}"
    );
    // It is lost once.
    filter.stop().unwrap();
    let filter = scene.filter(&policy);
    assert!(!filter.log().contains("it was moved to"), "{}", filter.log());
}

#[test]
fn a_filter_of_a_version_that_notes_no_revision_is_taken_over_and_detached_whole() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    add(&scene, "First KK", &CUSTOMER);
    let [(_, pins), ..] = scene.router().places();
    let noted = || {
        let mut generations = fs::read_dir(pins.join("generations")).unwrap();
        generations.next().unwrap().unwrap().path().join("STORE_REVISION")
    };
    assert!(noted().exists());
    filter.leave_by(Signal::SIGKILL).unwrap();
    fs::remove_file(noted()).unwrap();
    let filter = scene.filter(&policy);
    assert_eq!(customers(&scene), ["First KK"]);
    assert!(noted().exists());
    filter.stop().unwrap();
    let detached = scene.op25b(&["stop", "--detach"]);
    assert_eq!(detached.code, Some(0), "{detached:?}");
    assert!(!pins.join("generations").exists());
}
