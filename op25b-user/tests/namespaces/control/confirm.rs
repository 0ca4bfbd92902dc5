//! `op25b reload --confirm` and `op25b confirm`: a reload that is not confirmed is taken back, whatever happens to the daemon.

use std::{fs, path::PathBuf, thread, time::Duration};

use nix::sys::signal::Signal;
use op25b_testlab::filter::Filter;
use serde_json::Value;

use crate::support::scene::{SMALL, Scene, eventually};

/// The policy with another name for its pool.
fn named(pool: &str) -> String {
    SMALL.replace("residential", pool)
}

/// The name of the pool that is enforced.
fn enforced(scene: &Scene) -> String {
    let status = scene.op25b(&["status", "--json"]).json();
    let name = &status["filters"][0]["pools"][0]["name"];
    name.as_str().unwrap().to_owned()
}

fn state(scene: &Scene, file: &str) -> PathBuf {
    let [.., (_, state)] = scene.router().places();
    state.join(file)
}

fn last_good(scene: &Scene) -> String {
    fs::read_to_string(state(scene, "policy.last-good.yaml")).unwrap_or_default()
}

/// Starts a daemon, and waits until its policy is the last good one.
fn start(scene: &Scene) -> Filter {
    let filter = scene.filter(&scene.policy(SMALL));
    eventually("the policy is kept", || last_good(scene).contains("residential"));
    filter
}

/// The fault that the file is not enforced.
fn fault(scene: &Scene) -> Option<String> {
    let faults = scene.daemon_report()["faults"].clone();
    let mut faults = faults.as_array().unwrap().iter();
    let fault = faults.find(|fault| fault["kind"] == "policy_refused")?;
    Some(fault["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_reload_that_is_confirmed_stays_and_one_that_is_not_goes_back_also_over_a_killed_daemon() {
    let scene = Scene::new();
    let (filter, policy) = (start(&scene), scene.path("policy.yaml"));
    let nothing = scene.op25b(&["confirm"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), ""));
    assert!(
        nothing
            .stderr
            .starts_with("op25b: no reload waits for a confirmation: the policy loaded at 20"),
        "{nothing:?}"
    );

    // It is enforced, and not yet the last good policy. The daemon is killed, and the file is edited.
    scene.policy(&named("two"));
    let done = scene.op25b(&["reload", "--confirm", "1m"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stdout.contains("\nnot confirmed: goes back to policy ")
            && done.stdout.contains("op25b confirm"),
        "{done:?}"
    );
    let waiting = scene.daemon_report()["unconfirmed_reload"].clone();
    assert!(
        waiting["goes_back_at"].is_string() && waiting["by"] == "root",
        "{waiting}"
    );
    assert!(last_good(&scene).contains("residential"));
    filter.leave_by(Signal::SIGKILL).unwrap();
    scene.policy(&named("three"));
    let filter = scene.filter(&policy);
    assert_eq!(enforced(&scene), "two");
    assert_eq!(
        scene.daemon_report()["unconfirmed_reload"]["sha256"],
        waiting["sha256"]
    );
    let confirmed = scene.op25b(&["confirm"]);
    assert_eq!(confirmed.code, Some(0), "{confirmed:?}");
    assert!(
        confirmed.stdout.starts_with("confirmed: policy "),
        "{confirmed:?}"
    );
    assert!(last_good(&scene).contains("two"));
    assert!(!state(&scene, "reload.unconfirmed.json").exists());
    assert!(!state(&scene, "policy.unconfirmed.yaml").exists());
    assert_eq!(scene.op25b(&["confirm"]).code, Some(1));

    // Without a confirmation it goes back by itself, to the policy as it was loaded.
    let done = scene.op25b(&["reload", "--confirm", "1s"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    eventually("it goes back", || {
        scene.daemon_report()["went_back"]["at"].is_string()
    });
    assert_eq!(enforced(&scene), "two");
    let report = scene.daemon_report();
    assert_eq!(report["unconfirmed_reload"], Value::Null);
    assert_eq!(report["last_reload"]["asked_by"], "went back");
    let why = fault(&scene).unwrap();
    assert!(
        why.contains("by root was not confirmed and was taken back at ")
            && why.contains("`op25b reload` enforces"),
        "{why}"
    );
    let late = scene.op25b(&["confirm"]);
    assert!(
        late.code == Some(1) && late.stderr.contains("was taken back at"),
        "{late:?}"
    );

    // A restart does not enforce the file that was not confirmed, nor does the watch before the file changes.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(enforced(&scene), "two");
    assert!(fault(&scene).is_some());
    scene.policy(&named("four"));
    eventually("the changed file is enforced", || enforced(&scene) == "four");
    assert_eq!(
        (fault(&scene), &scene.daemon_report()["went_back"]),
        (None, &Value::Null)
    );
    assert_eq!(
        filter.log().matches("reloading asked_by").count(),
        1,
        "{}",
        filter.log()
    );
    filter.leave_by(Signal::SIGKILL).unwrap();

    // The time is over while no daemon runs: the next start goes back.
    let filter = scene.filter(&policy);
    scene.policy(&named("five"));
    assert_eq!(scene.op25b(&["reload", "--confirm", "3s"]).code, Some(0));
    filter.leave_by(Signal::SIGKILL).unwrap();
    thread::sleep(Duration::from_millis(3100));
    let _filter = scene.filter(&policy);
    assert_eq!(enforced(&scene), "four");
    assert!(scene.daemon_report()["went_back"]["at"].is_string());
    // An explicit reload of the file is taken at its word.
    let done = scene.op25b(&["reload"]);
    assert_eq!(
        (done.code, enforced(&scene).as_str()),
        (Some(0), "five"),
        "{done:?}"
    );
    assert_eq!(
        (fault(&scene), &scene.daemon_report()["went_back"]),
        (None, &Value::Null)
    );
    only_what_is_left_of_it_is_said_of_one_that_went_back(&scene);
}

/// One that went back is one event. Once the file is what is enforced again, nothing is left of it.
fn only_what_is_left_of_it_is_said_of_one_that_went_back(scene: &Scene) {
    let dry_run = || scene.op25b(&["reload", "--dry-run"]);
    scene.policy(&named("six"));
    // Long enough for the question that follows on a busy machine.
    assert_eq!(scene.op25b(&["reload", "--confirm", "8s"]).code, Some(0));
    let waiting = dry_run().stdout;
    assert!(
        waiting.contains("nothing changes")
            && waiting.contains("\nthe policy in force is not confirmed: goes back to policy ")
            && waiting.contains("\n  `op25b reload` confirms the file's, and does not go back\n"),
        "{waiting}"
    );
    eventually("it goes back", || {
        scene.daemon_report()["went_back"]["at"].is_string()
    });
    let check = scene.op25b(&["status", "--check"]).stdout;
    assert_eq!(check.matches("taken back").count(), 1, "{check}");
    for other in ["policy_refused", "last reload", "file differs"] {
        assert!(!check.contains(other), "{check}");
    }
    scene.policy(&named("five"));
    eventually("nothing is left of it", || fault(scene).is_none());
    assert_eq!(scene.daemon_report()["went_back"], Value::Null);
    eventually("also on the disk", || {
        !state(scene, "reload.unconfirmed.json").exists()
    });
    let check = scene.op25b(&["status", "--check"]).stdout;
    assert!(
        !check.contains("taken back") && !check.contains("refused"),
        "{check}"
    );
    assert!(!dry_run().stdout.contains("not confirmed"));
}

#[test]
fn a_further_reload_confirms_and_a_refused_one_or_a_watched_change_does_not() {
    let scene = Scene::new();
    let (filter, policy) = (start(&scene), scene.path("policy.yaml"));
    scene.policy(&named("two"));
    assert_eq!(scene.op25b(&["reload", "--confirm", "1m"]).code, Some(0));
    let first = scene.daemon_report()["unconfirmed_reload"].clone();
    scene.policy("version: 2\n");
    assert_eq!(scene.op25b(&["reload", "--confirm", "1h"]).code, Some(1));
    assert_eq!(scene.daemon_report()["unconfirmed_reload"], first);

    // Another one that waits goes back to what was confirmed last.
    scene.policy(&named("three"));
    assert_eq!(scene.op25b(&["reload", "--confirm"]).code, Some(0));
    let second = scene.daemon_report()["unconfirmed_reload"].clone();
    assert_eq!(second["previous_sha256"], first["previous_sha256"]);
    assert_ne!(second["sha256"], first["sha256"]);
    filter.leave_by(Signal::SIGKILL).unwrap();
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    scene.policy(&named("four"));
    let waits = || scene.daemon_report()["unconfirmed_reload"].clone();
    eventually("the change is enforced", || waits()["by"] == "watch");
    assert_eq!(enforced(&scene), "four");
    assert_eq!(waits()["previous_sha256"], first["previous_sha256"]);
    assert!(last_good(&scene).contains("residential"));

    filter.reload().unwrap();
    assert_eq!(scene.daemon_report()["unconfirmed_reload"], Value::Null);
    assert!(last_good(&scene).contains("four"));
    // What is confirmed already waits for nothing.
    let same = scene.op25b(&["reload", "--confirm", "1s"]);
    assert!(
        same.code == Some(0) && same.stderr.contains("confirmed already"),
        "{same:?}"
    );
    assert_eq!(scene.daemon_report()["unconfirmed_reload"], Value::Null);
}

#[test]
fn a_reload_that_could_not_be_taken_back_after_a_restart_is_not_made() {
    let scene = Scene::new();
    let filter = start(&scene);
    let before = scene.attached();
    // A directory in the place of the draft: nothing can be kept there.
    fs::create_dir(state(&scene, "reload.unconfirmed.json.new")).unwrap();
    scene.policy(&named("two"));
    let refused = scene.op25b(&["reload", "--confirm", "1m"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("without `--confirm` it can be")
            && refused.stderr.contains("reload.unconfirmed.json"),
        "{refused:?}"
    );
    assert_eq!(scene.attached(), before);
    filter.reload().unwrap();
    assert_eq!(enforced(&scene), "two");
}
