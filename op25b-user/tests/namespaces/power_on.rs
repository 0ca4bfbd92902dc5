//! From power-on to enforcing: a policy file that is refused at the start does not leave the port open.

use std::{fs, path::PathBuf};

use nix::sys::signal::Signal;
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path as Way,
};
use serde_json::Value;

use crate::support::scene::{SILENCE, SMALL, Scene, eventually};

/// A policy with a mistake.
const MISTAKEN: &str = "version: 1\ninterfaces: [{ name: sub0, role: subscriber }]\n\
    pools: [{ name: residential, prefixes: [198.51.100.1/24] }]\n";

fn state_dir(scene: &Scene) -> PathBuf {
    let [.., (_, state)] = scene.router().places();
    state
}

fn last_good(scene: &Scene) -> PathBuf {
    state_dir(scene).join("policy.last-good.yaml")
}

/// Waits until the text of a policy is kept.
fn await_kept(scene: &Scene, text: &str) {
    eventually("the policy is kept", || {
        fs::read_to_string(last_good(scene)).is_ok_and(|kept| kept.ends_with(text))
    });
}

/// What a reboot leaves after a filter with a policy: the state directory, and no filter.
fn enforce_and_reboot(scene: &Scene, text: &str) {
    let filter = scene.filter(&scene.policy(text));
    await_kept(scene, text);
    reboot(scene, filter);
}

fn reboot(scene: &Scene, filter: Filter) {
    filter.stop().unwrap();
    assert_eq!(scene.attached(), []);
}

fn faults(scene: &Scene) -> Vec<(String, String)> {
    let report = scene.daemon_report();
    let faults = report["faults"].as_array().unwrap().iter();
    let word = |fault: &Value, key: &str| fault[key].as_str().unwrap().to_owned();
    faults
        .map(|fault| (word(fault, "kind"), word(fault, "message")))
        .collect()
}

/// Why the policy file is refused, as the daemon reports it.
fn refused(scene: &Scene) -> String {
    let faults = faults(scene);
    let fault = faults.iter().find(|(kind, _)| kind == "policy_refused");
    fault.unwrap_or_else(|| panic!("{faults:?}")).1.clone()
}

#[test]
fn after_a_reboot_the_last_good_policy_is_enforced_if_the_file_is_refused() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    enforce_and_reboot(&scene, SMALL);

    let filter = scene.filter(&scene.policy(MISTAKEN));
    scene.assert_blocked(&servers, &filter);
    let why = refused(&scene);
    assert!(
        why.contains("line 3, column 41: ") && why.contains("host bits set") && why.contains("op25b reload"),
        "{why}"
    );
    let log = filter.log();
    assert!(
        log.lines()
            .any(|line| line.contains("ERROR") && line.contains("policy_refused")),
        "{log}"
    );
    let metrics = scene.ask_daemon("GET /v1/metrics");
    assert!(
        metrics.contains("op25b_fault{kind=\"policy_refused\"} 1"),
        "{metrics}"
    );
    let status = scene.op25b(&["status"]);
    assert!(status.stdout.contains("policy_refused"), "{status:?}");

    // Another mistake is refused, and reported instead of the first.
    scene.policy("version: 2\n");
    assert_eq!(scene.op25b(&["reload"]).code, Some(1));
    assert!(refused(&scene).contains("version 2"), "{}", refused(&scene));
    scene.assert_blocked(&servers, &filter);

    let mended = format!("{SMALL}relays: [{{ name: post1, prefixes: [192.0.2.25] }}]\n");
    scene.policy(&mended);
    let reload = scene.op25b(&["reload"]);
    assert_eq!(reload.code, Some(0), "{reload:?}");
    assert_eq!(faults(&scene), []);
    scene.assert_blocked(&servers, &filter);
    await_kept(&scene, &mended);
}

#[test]
fn after_a_reboot_the_last_good_policy_is_enforced_if_the_file_is_missing() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    enforce_and_reboot(&scene, SMALL);
    let policy = scene.path("policy.yaml");
    fs::remove_file(&policy).unwrap();

    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    let why = refused(&scene);
    assert!(
        why.contains("cannot read") && why.contains("No such file or directory"),
        "{why}"
    );
    // The same text as before is no other policy, and yet the file is no longer refused.
    scene.policy(SMALL);
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    assert_eq!(faults(&scene), []);
}

#[test]
fn with_watch_the_mended_file_is_enforced_without_a_reload() {
    let scene = Scene::new();
    enforce_and_reboot(&scene, SMALL);
    let _filter = scene.filter_with(&scene.policy(MISTAKEN), &["--watch"], &[]);
    refused(&scene);
    scene.policy(SMALL);
    eventually("the fault is over", || faults(&scene).is_empty());
}

#[test]
fn a_daemon_starts_over_the_filter_of_the_last_good_policy() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    await_kept(&scene, SMALL);
    filter.leave_by(Signal::SIGKILL).unwrap();
    scene.policy(MISTAKEN);

    let filter = scene.filter(&policy);
    refused(&scene);
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn the_last_good_policy_does_not_replace_another_one_that_runs() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let other = SMALL.replace("corp0", "relay0");
    let policy = scene.policy(&other);
    enforce_and_reboot(&scene, &other);
    let kept = fs::read(last_good(&scene)).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    await_kept(&scene, SMALL);
    filter.leave_by(Signal::SIGKILL).unwrap();
    // As if the last one had not been written.
    fs::write(last_good(&scene), kept).unwrap();
    scene.policy(MISTAKEN);

    let before = scene.attached();
    let answer = scene.op25b(&["run", "--policy", policy.to_str().unwrap()]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let error = answer.stderr.lines().last().unwrap();
    assert!(
        error.contains("host bits set") && error.contains("goes on without a daemon"),
        "{error}"
    );
    assert_eq!(scene.attached(), before);
    for family in Family::BOTH {
        let outcome = Way::DIRECT
            .attempt(&scene.lab, &servers, family, SILENCE)
            .unwrap();
        assert_eq!(outcome, Outcome::Silence);
    }
    scene.op25b(&["stop", "--detach"]);
}

#[test]
fn a_last_good_policy_that_another_process_removes_is_written_again() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let _filter = scene.filter(&policy);
    await_kept(&scene, SMALL);
    // Whatever the file has by then: what is enforced is kept.
    let mistaken = scene.path("mistaken.yaml");
    fs::write(&mistaken, MISTAKEN).unwrap();
    fs::rename(&mistaken, &policy).unwrap();
    fs::remove_file(last_good(&scene)).unwrap();
    await_kept(&scene, SMALL);
}

#[test]
fn a_damaged_last_good_policy_is_not_enforced_and_the_start_names_both_reasons() {
    let scene = Scene::new();
    enforce_and_reboot(&scene, SMALL);
    let damaged = fs::read_to_string(last_good(&scene)).unwrap();
    fs::write(
        last_good(&scene),
        damaged.replace("198.51.100.0/24", "198.51.0.0/16"),
    )
    .unwrap();
    let policy = scene.policy(MISTAKEN);
    let answer = scene.op25b(&["run", "--policy", policy.to_str().unwrap()]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    let error = answer.stderr.lines().last().unwrap();
    assert!(
        error.contains("host bits set") && error.contains("policy.last-good.yaml is damaged"),
        "{error}"
    );
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_policy_that_cannot_be_kept_is_enforced_and_the_fault_is_shown_until_it_is_kept() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    // Also root cannot write to a directory.
    let in_the_way = state_dir(&scene).join("policy.last-good.yaml.new");
    fs::create_dir_all(&in_the_way).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    eventually("it is reported", || {
        faults(&scene)
            .iter()
            .any(|(kind, why)| kind == "state_not_kept" && why.contains("policy.last-good.yaml"))
    });
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    eventually("it is kept", || faults(&scene).is_empty());
    await_kept(&scene, SMALL);
}
