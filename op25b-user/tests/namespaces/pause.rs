//! A pause: what would be blocked passes and is counted, whatever happens to the daemon, until the program ends it.

use std::{fs, path::Path, time::Duration};

use jiff::Timestamp;
use nix::sys::signal::Signal;
use op25b::store::{OperationKind, OperationQuery, Records as _, sqlite};
use op25b_testlab::{
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path as Way,
};
use serde_json::{Value, json};

use crate::support::scene::{OP25B, SMALL, Scene, eventually};

/// How long to wait for an answer that should not come; nothing else is on the lab's links.
const SHORT_SILENCE: Duration = Duration::from_millis(300);

/// What becomes of a connection to a foreign mail server.
fn outcome(scene: &Scene, servers: &Servers) -> Outcome {
    let way = Way::DIRECT;
    way.attempt(&scene.lab, servers, Family::V4, SHORT_SILENCE)
        .unwrap()
}

fn pauses(scene: &Scene) -> Value {
    scene.daemon_report()["pauses"].clone()
}

fn words(scene: &Scene, words: &[&str]) -> String {
    let answer = scene.op25b(words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.stdout
}

/// When the policy was loaded, as status and metrics have it.
fn loaded_at(scene: &Scene) -> String {
    let status = words(scene, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    let loaded: Timestamp = status["loaded_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(status["filters"][0]["policy"]["loaded_at"], status["loaded_at"]);
    let metrics = words(scene, &["metrics"]);
    let series = format!("op25b_policy_loaded_timestamp_seconds {}\n", loaded.as_second());
    assert!(metrics.contains(&series), "{series}: {metrics}");
    loaded.to_string()
}

/// Runs a command whose output nobody reads: it ends silently.
fn unread(scene: &Scene, words: &str) {
    let command = format!(r#""$0" {words} | :"#);
    let answer = scene.on_router("sh", &["-c", &command, OP25B]);
    assert_eq!(
        (answer.stdout.as_str(), answer.stderr.as_str()),
        ("", ""),
        "{words}"
    );
}

/// What an operator asks during a pause is answered with it, whether or not a daemon runs.
fn told_with_the_pause(scene: &Scene) {
    let explained = words(scene, &["explain", "--src", "198.51.100.10"]);
    assert!(
        explained.contains("\n  mode     monitor (paused until 20")
            && explained.contains(" by root: OPS-812: mail fails)\n"),
        "{explained}"
    );
    let unlisted = words(scene, &["explain", "--src", "192.0.2.77"]);
    assert!(
        unlisted.contains("\n  mode     pass, not `unlisted: drop` (paused until 20"),
        "{unlisted}"
    );
    let diagnosis = words(scene, &["diagnose", "198.51.100.10"]);
    assert!(
        diagnosis.contains(": pool residential is paused until 20") && diagnosis.contains("`op25b resume`\n"),
        "{diagnosis}"
    );
    // As after `| head`.
    unread(scene, "diagnose 198.51.100.10");
    let brief = words(scene, &["status", "-br"]);
    assert!(brief.contains("; PAUSED everything until 20"), "{brief}");
    let check = scene.op25b(&["status", "--check"]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert_eq!(check.stdout.matches("PAUSED").count(), 1, "{check:?}");
    let metrics = words(scene, &["metrics"]);
    for series in ["op25b_pauses 1\n", "op25b_pool_paused{pool=\"residential\"} 1\n"] {
        assert!(metrics.contains(series), "{metrics}");
    }
}

#[test]
fn a_pause_outlives_its_daemon_and_is_ended_by_the_program_or_by_resume() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let text = format!("{SMALL}block: {{ unlisted: drop }}\n");
    let policy = scene.policy(&text);
    let [.., (_, state)] = scene.router().places();
    let kept = || fs::read_to_string(state.join("pauses.json")).unwrap();
    let filter = scene.filter(&policy);
    assert_eq!(outcome(&scene, &servers), Outcome::Silence);
    let loaded = loaded_at(&scene);

    let answer = words(
        &scene,
        &["pause", "--for", "30m", "--reason", "OPS-812: mail fails"],
    );
    assert!(answer.starts_with("PAUSED everything until 20"), "{answer}");
    assert!(
        answer.contains("(in 30 minutes), by root: OPS-812: mail fails\n"),
        "{answer}"
    );
    assert!(kept().contains("OPS-812"));
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    assert!(filter.count("monitored").unwrap() > 0);
    assert_eq!(pauses(&scene)[0]["user"], "root");
    let status = words(&scene, &["status"]);
    assert!(status.starts_with("MONITORING only, on 2 interfaces"), "{status}");
    assert!(status.contains("\n  paused      everything until 20"), "{status}");
    assert!(!status.contains("DIFFERS: "), "{status}");
    told_with_the_pause(&scene);
    // The policy is the same: it was loaded when it was.
    assert_eq!(loaded_at(&scene), loaded);
    let changed = text.replace("198.51.100.", "203.0.113.");
    fs::write(&policy, changed).unwrap();
    let dry_run = scene.op25b(&["reload", "--dry-run"]);
    assert!(
        dry_run.stderr.contains("op25b: PAUSED everything until 20"),
        "{dry_run:?}"
    );
    fs::write(&policy, &text).unwrap();
    let log = filter.log();
    assert!(
        log.contains("\"uid\":0") && log.contains("OPS-812") && log.contains("paused everything"),
        "{log}"
    );

    // Neither a reload nor the death of the daemon nor the next one ends it.
    filter.reload().unwrap();
    let reloaded = loaded_at(&scene);
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    let status = words(&scene, &["status"]);
    assert!(status.contains("\n  paused      everything until 20"), "{status}");
    told_with_the_pause(&scene);
    assert_eq!(loaded_at(&scene), reloaded);
    fs::write(state.join("pauses.json"), "[]\n").unwrap();
    let filter = scene.filter(&policy);
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    eventually("the kernel's pause is kept again", || kept().contains("OPS-812"));

    // The program ends it by itself, in its second.
    let text = words(&scene, &["pause", "--for", "2s", "--reason", "OPS-813", "--json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let until: Timestamp = answer["pauses"][0]["until"].as_str().unwrap().parse().unwrap();
    filter.leave_by(Signal::SIGKILL).unwrap();
    let mut last_open = Timestamp::UNIX_EPOCH;
    eventually("it is over", || {
        let before = Timestamp::now();
        let works = outcome(&scene, &servers) == Outcome::Works;
        if works {
            last_open = before;
        }
        !works
    });
    assert!(
        Timestamp::now() >= until && last_open < until,
        "{until}, {last_open}"
    );
    let filter = scene.filter(&policy);
    assert_eq!(pauses(&scene), json!([]));
    assert_eq!(outcome(&scene, &servers), Outcome::Silence);

    refused_and_recorded(&scene, &servers, &state);
    // What is done does not depend on who reads what is said.
    unread(&scene, "stop --detach");
    assert_eq!(scene.op25b(&["status"]).code, Some(3));
    drop(filter);
}

/// Pools that a policy does not have are refused; what ends by itself is recorded as what is ended.
fn refused_and_recorded(scene: &Scene, servers: &Servers, state: &Path) {
    let refused = scene.op25b(&["pause", "--pool", "resident", "--reason", "OPS-814"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("its pools are residential"),
        "{refused:?}"
    );
    words(scene, &["pause", "--pool", "residential", "--reason", "OPS-814"]);
    assert_eq!(outcome(scene, servers), Outcome::Works);
    let text = words(scene, &["resume", "--reason", "OPS-814: mended"]);
    assert_eq!(text, "resumed pool residential: enforced as the policy says\n");
    assert_eq!(outcome(scene, servers), Outcome::Silence);
    assert_eq!(words(scene, &["resume"]), "nothing is paused\n");
    words(scene, &["pause", "--for", "1s", "--reason", "OPS-815"]);
    let recorded = || {
        let store = sqlite::open_read_only(state).unwrap().unwrap();
        let query = OperationQuery {
            reads: false,
            since: None,
            limit: 4,
        };
        store.operations(query).unwrap()
    };
    eventually("the end of the last one is recorded", || {
        recorded()[0].detail.as_deref() == Some("the pause was over")
    });
    let kept: Value = serde_json::from_slice(&fs::read(state.join("pauses.json")).unwrap()).unwrap();
    assert_eq!(kept["pauses"], json!([]));
    let recorded: Vec<_> = recorded()
        .into_iter()
        .map(|one| (one.what, one.by.name, one.pool, one.reason.unwrap()))
        .collect();
    let expected = [
        (OperationKind::Resume, "op25b", None, "OPS-815"),
        (OperationKind::Pause, "root", None, "OPS-815"),
        (
            OperationKind::Resume,
            "root",
            Some("residential"),
            "OPS-814: mended",
        ),
        (OperationKind::Pause, "root", Some("residential"), "OPS-814"),
    ];
    let expected = expected
        .map(|(what, by, pool, reason)| (what, by.to_owned(), pool.map(str::to_owned), reason.to_owned()));
    assert_eq!(recorded, expected);
}
