//! Dates of enforcement, and a clock that is behind them: the machine's clock is right, and what is recorded is of the future.

use std::{fs, path::PathBuf};

use jiff::{Timestamp, ToSpan as _};
use nix::sys::signal::Signal;
use op25b_testlab::lab::Servers;

use crate::support::scene::{SMALL, Scene, eventually};

const DATE: &str = "2100-01-01T00:00:00Z";

/// A policy whose pool is enforced from a date on.
fn from(date: &str) -> String {
    SMALL.replace("residential,", &format!("residential, enforce_from: {date},"))
}

fn in_state_dir(scene: &Scene, name: &str) -> PathBuf {
    let [.., (_, state)] = scene.router().places();
    fs::create_dir_all(&state).unwrap();
    state.join(name)
}

fn kept_dates(scene: &Scene) -> String {
    fs::read_to_string(in_state_dir(scene, "reached-dates.json")).unwrap_or_default()
}

/// Records that the pool's date was reached, as a daemon does.
fn record(scene: &Scene, date: &str) {
    let text = format!("[{{ \"pool\": \"residential\", \"enforce_from\": \"{date}\" }}]\n");
    fs::write(in_state_dir(scene, "reached-dates.json"), text).unwrap();
}

#[test]
fn a_pool_whose_date_was_reached_stays_enforced_though_the_clock_is_years_behind() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(&from(DATE));
    record(&scene, DATE);
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    let explained = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert!(explained.stdout.contains("blocked"), "{explained:?}");

    // The state directory is lost, and the pins are not.
    filter.leave_by(Signal::SIGKILL).unwrap();
    fs::remove_file(in_state_dir(&scene, "reached-dates.json")).unwrap();
    let explained = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    assert!(explained.stdout.contains("blocked"), "{explained:?}");
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    eventually("it is recorded again", || kept_dates(&scene).contains(DATE));

    // The pins are lost, as in a reboot, and the state directory is not.
    filter.stop().unwrap();
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    // It holds in a reload as well, which is no change of the policy.
    let reload = scene.op25b(&["reload", "--dry-run"]);
    assert!(!reload.stdout.contains("enforce_from"), "{reload:?}");
    filter.reload().unwrap();
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn a_date_that_was_reached_holds_until_the_policy_names_another_one() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    record(&scene, DATE);
    let filter = scene.filter(&scene.policy(&from(DATE)));
    scene.assert_blocked(&servers, &filter);
    scene.policy(&from("2101-01-01T00:00:00Z"));
    filter.reload().unwrap();
    scene.assert_open(&servers);
    eventually("it is forgotten", || !kept_dates(&scene).contains(DATE));
    // The date before is another date by now.
    scene.policy(&from(DATE));
    filter.reload().unwrap();
    scene.assert_open(&servers);
}

#[test]
fn a_date_that_is_reached_while_the_daemon_runs_is_recorded_in_the_state_directory_and_the_pins() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    // Long enough for a busy machine to start and try.
    let date = Timestamp::now().checked_add(12.seconds()).unwrap();
    let date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let policy = scene.policy(&from(&date));
    let filter = scene.filter(&policy);
    scene.assert_open(&servers);
    assert_eq!(kept_dates(&scene), "");
    eventually("the date is recorded", || kept_dates(&scene).contains(&date));
    eventually("the policy is loaded again", || {
        filter.log().matches("\"loaded\"").count() == 2
    });
    scene.assert_blocked(&servers, &filter);

    filter.leave_by(Signal::SIGKILL).unwrap();
    fs::remove_file(in_state_dir(&scene, "reached-dates.json")).unwrap();
    // A date that is past at the start is not recorded until the clock has proved steady: this one comes from the pins.
    let filter = scene.filter(&policy);
    eventually("it is recorded again", || kept_dates(&scene).contains(&date));
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn a_clock_behind_its_last_record_is_a_fault_and_moves_nothing() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let exempt = format!(
        "{SMALL}exemptions: [{{ customer: Example KK, prefixes: [198.51.100.10, '2001:db8:100::10'], expires: 2090-01-01 }}]\n"
    );
    fs::write(in_state_dir(&scene, "clock"), "2099-01-01T00:00:00Z\n").unwrap();
    let policy = scene.policy(&exempt);
    let filter = scene.filter(&policy);
    eventually("it is reported", || {
        let report = scene.daemon_report();
        report["faults"].as_array().unwrap().iter().any(|fault| {
            fault["kind"] == "clock_behind"
                && fault["message"]
                    .as_str()
                    .unwrap()
                    .contains("2099-01-01T00:00:00Z")
        })
    });
    let metrics = scene.ask_daemon("GET /v1/metrics");
    assert!(
        metrics.contains("op25b_fault{kind=\"clock_behind\"} 1"),
        "{metrics}"
    );
    let log = filter.log();
    assert!(log.contains("clock_behind"), "{log}");
    // By the record it has expired; by the clock it has not.
    scene.assert_open(&servers);

    filter.stop().unwrap();
    fs::remove_file(in_state_dir(&scene, "clock")).unwrap();
    let filter = scene.filter(&policy);
    eventually("the daemon has seen the clock", || {
        filter.log().contains("enforcing")
    });
    assert_eq!(scene.daemon_report()["faults"], serde_json::json!([]));
}
