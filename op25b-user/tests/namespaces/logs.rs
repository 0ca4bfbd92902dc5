//! The log of `op25b run`: on a terminal, for journald, as JSON, and of single packets.

use std::{fs, path::Path as FilePath, process::Command};

use nix::sys::signal::Signal;
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};
use serde_json::Value;

use crate::support::scene::{OP25B, SILENCE, SMALL, Scene, eventually};

/// A policy with something to warn about: nothing is exempt from no pool.
fn with_a_warning() -> String {
    format!("{SMALL}exemptions: [{{ customer: Example KK, prefixes: [192.0.2.8/29] }}]\n")
}

/// The whole log of a filter that has stopped.
fn whole(filter: Filter) -> String {
    filter.signal(Signal::SIGTERM).unwrap();
    eventually("the last line is written", || {
        filter.log().contains("continues to enforce")
    });
    let log = filter.log();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    log
}

#[test]
fn json_logs_are_one_object_a_line() {
    let scene = Scene::new();
    let filter = scene.filter_with(&scene.policy(&with_a_warning()), &["--log-format", "json"], &[]);
    filter.reload().unwrap();
    let words = [
        "exempt",
        "add",
        "198.51.100.77",
        "--customer",
        "Example KK",
        "--json",
    ];
    let added = scene.op25b(&words).json();
    let id = added["exemption"]["id"].as_str().unwrap();
    let removed = scene.op25b(&["exempt", "remove", id, "--reason", "moved"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let log = whole(filter);
    // Who changed what, and why.
    let mut lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    for (message, reason) in [
        ("added 1 exemption", Value::Null),
        ("removed 1 exemption", "moved".into()),
    ] {
        let line = lines.find(|line| line["fields"]["message"] == message).unwrap();
        let fields = &line["fields"];
        assert_eq!(
            (&fields["user"], &fields["uid"], &fields["ids"]),
            (&"root".into(), &0.into(), &id.into())
        );
        assert_eq!(fields["reason"], reason);
    }
    // At the start, and at the reload.
    assert_eq!(log.matches("192.0.2.8/29").count(), 2, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["timestamp", "level", "fields"] {
            assert!(!line[key].is_null(), "{line}");
        }
    }
    assert!(log.lines().count() > 5, "{log}");
}

#[test]
fn journald_gets_priorities_and_no_times_of_ours() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter_with(&policy, &[], &[("JOURNAL_STREAM", "8:1")]);
    fs::remove_file(&policy).unwrap();
    filter.signal(Signal::SIGHUP).unwrap();
    eventually("there is an error", || filter.log().contains("cannot read"));
    let log = whole(filter);
    for line in log.lines() {
        let rest = line.strip_prefix(if line.contains("cannot read") {
            "<3>"
        } else {
            "<6>"
        });
        let first = rest.and_then(|rest| rest.chars().next());
        assert!(first.is_some_and(char::is_alphabetic), "{line}");
    }
    assert_plain(&log);
}

#[test]
fn logs_into_a_pipe_have_no_colours() {
    let scene = Scene::new();
    let filter = scene.filter_with(&scene.policy(&with_a_warning()), &[], &[]);
    let log = whole(filter);
    assert!(log.contains("INFO"), "{log}");
    assert!(log.contains("192.0.2.8/29"), "{log}");
    assert_plain(&log);
}

#[test]
fn datapath_log_names_blocked_packets_and_is_silent_by_default() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let attempt = || {
        for family in Family::BOTH {
            let outcome = Path::DIRECT
                .attempt(&scene.lab, &servers, family, SILENCE)
                .unwrap();
            assert_eq!(outcome, Outcome::Silence);
        }
    };
    let lines = [
        "blocked       198.51.100.10 -> 203.0.113.25",
        "blocked       2001:db8:100::10 -> 2001:db8:f00::25",
    ];

    let filter = scene.filter_with(&policy, &["--datapath-log", "debug"], &[]);
    let before = filter.count("blocked").unwrap();
    attempt();
    let packets = filter.count("blocked").unwrap() - before;
    eventually("each sender has its line", || {
        let log = filter.log();
        let mentions = lines.map(|line| log.matches(line).count() as u64);
        mentions.iter().all(|count| *count > 0) && mentions.iter().sum::<u64>() <= packets
    });
    let log = whole(filter);
    assert_plain(&log);
    // Nothing else gets louder: the loader has a line for each relocation.
    for line in log.lines().filter(|line| !line.contains(" INFO ")) {
        assert!(lines.iter().any(|packet| line.ends_with(packet)), "{line}");
    }

    let filter = scene.filter(&policy);
    attempt();
    assert!(filter.count("blocked").unwrap() > 0);
    assert!(!whole(filter).contains("->"));
}

fn assert_plain(log: &str) {
    assert!(!log.contains('\u{1b}'), "{log}");
}

/// Starts a filter whose log goes to `reader`, a shell command that shows it until it enforces.
fn with_reader(scene: &Scene, reader: &str) -> Filter {
    let policy = scene.policy(SMALL);
    let mut command = Command::new("bash");
    let script = format!("RUST_LOG=trace exec \"$0\" run --policy \"$1\" 2> >({reader})");
    command.args(["-c", &script, OP25B]).arg(policy);
    Filter::start_as(FilePath::new(OP25B), scene.router(), command).unwrap()
}

/// What the thread that writes the log waits for in the kernel.
fn log_waits_in(filter: &Filter) -> String {
    let threads = fs::read_dir(format!("/proc/{}/task", filter.pid())).unwrap();
    let mut threads = threads.map(|thread| thread.unwrap().path());
    let log = threads.find(|thread| fs::read_to_string(thread.join("comm")).unwrap() == "log\n");
    fs::read_to_string(log.unwrap().join("wchan")).unwrap()
}

#[test]
fn a_daemon_whose_log_is_closed_goes_on() {
    let scene = Scene::new();
    let filter = with_reader(&scene, "exec sed -u '/ enforcing/q' >&2");
    let policy = scene.path("policy.yaml");
    fs::write(&policy, SMALL.replace("residential", "dynamic")).unwrap();
    for _ in 0..3 {
        let answer = scene.op25b(&["reload"]);
        assert_eq!(answer.code, Some(0), "{answer:?}");
    }
    assert!(scene.op25b(&["status"]).stdout.contains("dynamic"));
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn a_daemon_whose_log_is_not_read_any_more_goes_on() {
    let scene = Scene::new();
    let filter = with_reader(&scene, "sed -u '/ enforcing/q' >&2; exec sleep 60");
    // The pipe fills up.
    eventually("the log waits for its reader", || {
        assert_eq!(scene.op25b(&["reload"]).code, Some(0));
        log_waits_in(&filter).contains("pipe_write")
    });
    for _ in 0..3 {
        assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    }
    filter.signal(Signal::SIGTERM).unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
