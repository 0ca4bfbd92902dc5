//! The log of `op25b run`: on a terminal, for journald, as JSON, and of single packets.

use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};
use serde_json::Value;

use crate::support::scene::{SILENCE, SMALL, Scene, eventually};

/// A policy with something to warn about: nothing is exempt from no pool.
fn with_a_warning() -> String {
    format!("{SMALL}exemptions: [{{ customer: Example KK, prefixes: [192.0.2.8/29] }}]\n")
}

/// The whole log of a filter that has stopped.
fn whole(filter: Filter) -> String {
    filter.signal(nix::sys::signal::Signal::SIGTERM).unwrap();
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
    let filter = scene.filter_with(&scene.policy(SMALL), &["--log-format", "json"], &[]);
    let log = whole(filter);
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
    std::fs::remove_file(&policy).unwrap();
    filter.signal(nix::sys::signal::Signal::SIGHUP).unwrap();
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
fn datapath_log_names_each_blocked_packet_and_is_silent_by_default() {
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
    eventually("each packet has its line", || {
        let log = filter.log();
        let mentions = lines.map(|line| log.matches(line).count() as u64);
        mentions.iter().all(|count| *count > 0) && mentions.iter().sum::<u64>() == packets
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
