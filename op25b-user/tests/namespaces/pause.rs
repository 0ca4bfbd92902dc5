//! A pause: what would be blocked passes and is counted, whatever happens to the daemon, until the program ends it.

use std::{fs, time::Duration};

use jiff::Timestamp;
use nix::sys::signal::Signal;
use op25b::store::{OperationKind, OperationQuery, Records as _, sqlite};
use op25b_testlab::{
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path as Way,
};
use serde_json::{Value, json};

use crate::support::scene::{SMALL, Scene, eventually};

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

#[test]
fn a_pause_outlives_its_daemon_and_is_ended_by_the_program_or_by_resume() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let [.., (_, state)] = scene.router().places();
    let kept = || fs::read_to_string(state.join("pauses.json")).unwrap();
    let filter = scene.filter(&policy);
    assert_eq!(outcome(&scene, &servers), Outcome::Silence);

    let text = words(&scene, &["pause", "--reason", "OPS-812: mail fails"]);
    assert!(text.starts_with("PAUSED everything until 20"), "{text}");
    assert!(
        text.contains("(in 30 minutes), by root: OPS-812: mail fails\n"),
        "{text}"
    );
    assert!(kept().contains("OPS-812"));
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    assert!(filter.count("monitored").unwrap() > 0);
    assert_eq!(pauses(&scene)[0]["user"], "root");
    let status = words(&scene, &["status"]);
    assert!(status.starts_with("MONITORING only, on 2 interfaces"), "{status}");
    assert!(status.contains("\n  paused      everything until 20"), "{status}");
    assert!(!status.contains("DIFFERS: "), "{status}");
    let log = filter.log();
    assert!(
        log.contains("\"uid\":0") && log.contains("OPS-812") && log.contains("paused everything"),
        "{log}"
    );

    // Neither a reload nor the death of the daemon nor the next one ends it.
    filter.reload().unwrap();
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    let status = words(&scene, &["status"]);
    assert!(status.contains("\n  paused      everything until 20"), "{status}");
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

    // Pools that a policy does not have are refused; what ends by itself is recorded as what is ended.
    let refused = scene.op25b(&["pause", "--pool", "resident", "--reason", "OPS-814"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("its pools are residential"),
        "{refused:?}"
    );
    words(&scene, &["pause", "--pool", "residential", "--reason", "OPS-814"]);
    assert_eq!(outcome(&scene, &servers), Outcome::Works);
    let text = words(&scene, &["resume", "--reason", "OPS-814: mended"]);
    assert_eq!(text, "resumed pool residential: enforced as the policy says\n");
    assert_eq!(outcome(&scene, &servers), Outcome::Silence);
    assert_eq!(words(&scene, &["resume"]), "nothing is paused\n");
    words(&scene, &["pause", "--for", "1s", "--reason", "OPS-815"]);
    let recorded = || {
        let store = sqlite::open_read_only(&state).unwrap().unwrap();
        let query = OperationQuery {
            since: None,
            limit: 4,
        };
        store.operations(query).unwrap()
    };
    eventually("the end of the last one is recorded", || {
        recorded()[0].detail.as_deref() == Some("the pause was over")
    });
    assert_eq!(kept(), "[]\n");
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
    drop(filter);
}
