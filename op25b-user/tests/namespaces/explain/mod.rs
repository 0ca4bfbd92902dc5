//! `op25b explain`: about the filter that runs here, and about a file.

mod kernel;
mod places;

use std::fs;

use nix::sys::signal::Signal;
use op25b::schema::Schema;
use serde_json::json;

use crate::support::{
    json::assert_documented,
    scene::{SMALL, Scene, eventually, lab_policy},
};

#[test]
fn without_policy_it_explains_what_is_enforced_here() {
    let scene = Scene::new();
    let none = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert_eq!(none.code, Some(0), "{none:?}");
    assert_eq!(
        none.stdout,
        "198.51.100.10 -> 203.0.113.1 port 25: pass: no filter on any interface here\n"
    );

    let filter = scene.filter(&lab_policy());
    let file = lab_policy();
    let file = file.display();
    let answer = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.stderr, "");
    let text = answer.stdout.replace(&file.to_string(), "lab.yaml");
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(first.starts_with("198.51.100.10 -> 203.0.113."), "{first}");
    assert!(first.ends_with(" port 25: drop"), "{first}");
    let lines: Vec<_> = rest.lines().collect();
    assert_eq!(lines[0], "  reason   blocked");
    assert!(
        lines[1].starts_with("  rule     pool residential (198.51.100.0/24), lab.yaml:"),
        "{text}"
    );
    assert_eq!(lines[2], "  from     the enforced program");
    // `op25b explain` counts nothing.
    assert_eq!(filter.count("blocked").unwrap(), 0);

    // Without its daemon the same program is asked.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let alone = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert_eq!((alone.code, alone.stderr.as_str()), (Some(0), ""), "{alone:?}");
    let lines: Vec<_> = alone.stdout.lines().collect();
    assert_eq!(lines[..3], answer.stdout.lines().collect::<Vec<_>>()[..3]);
    assert_eq!(
        lines[3],
        "  from     the enforced program; no daemon answers for it"
    );
    // That counts nothing either.
    let status = scene.op25b(&["status", "--json"]).json();
    assert_eq!(status["filters"][0]["counters"]["blocked"], 0);
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn json_has_the_verdict_the_reason_and_the_rule_for_each_kind_of_source() {
    let scene = Scene::new();
    let _filter = scene.filter(&lab_policy());
    let policy = lab_policy();
    for (arguments, verdict, reason, rule) in [
        ("--src 198.51.100.10", "drop", "blocked", json!("residential")),
        ("--src 2001:db8:100::10", "drop", "blocked", json!("residential")),
        ("--src 2001:db8:101::10", "pass", "exempt", json!("Example KK")),
        (
            "--src 198.51.100.10 --dst 192.0.2.25",
            "pass",
            "relay",
            json!("relay"),
        ),
        ("--src 192.0.2.77", "pass", "not_pooled", json!(null)),
        (
            "--src 198.51.100.10 --port 587",
            "pass",
            "other_port",
            json!(null),
        ),
        // The last is the one in the document.
        ("--src 198.51.100.138", "pass", "exempt", json!("Example KK")),
    ] {
        let mut words = vec!["explain", "--json"];
        words.extend(arguments.split(' '));
        let running = scene.op25b(&words);
        assert_eq!(running.code, Some(0), "{arguments}: {running:?}");
        assert_documented(Schema::Explain, &running.stdout);
        let answer = running.json();
        assert_eq!(answer["verdict"], verdict, "{arguments}");
        assert_eq!(answer["reason"], reason, "{arguments}");
        assert_eq!(answer["rule"]["name"], rule, "{arguments}");
        assert_eq!(answer["policy_file"], policy.to_str().unwrap(), "{arguments}");
        assert!(answer.get("model").is_none(), "{arguments}: {answer}");

        assert_eq!(answer["interfaces"], json!(["sub0", "corp0", "access0"]));
        assert_eq!(answer["role"], "subscriber");
        // A file is not attached anywhere.
        let mut of_file = answer.clone();
        let members = of_file.as_object_mut().unwrap();
        members.remove("interfaces");
        members.remove("role");
        words.extend(["--policy", policy.to_str().unwrap()]);
        assert_eq!(scene.op25b(&words).json(), of_file, "{arguments}");
    }
}

#[test]
fn a_file_that_was_changed_or_removed_since_is_not_passed_off_as_what_is_enforced() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let explain = ["explain", "--src", "198.51.100.10"];
    let file = policy.to_str().unwrap();

    let [.., (_, state)] = scene.router().places();
    let last_good = state.join("policy.last-good.yaml");
    eventually("the last good policy is kept", || last_good.exists());

    // A daemon need not read the file.
    scene.policy(&SMALL.replace("198.51.100.0/24", "192.0.2.0/24"));
    let enforced = scene.op25b(&[&explain[..], &["--json"]].concat());
    assert_eq!(enforced.json()["reason"], "blocked", "{enforced:?}");
    scene.policy(SMALL);
    filter.leave_by(Signal::SIGKILL).unwrap();

    scene.policy(&SMALL.replace("198.51.100.0/24", "192.0.2.0/24"));
    // The kernel enforces what was loaded, which the last good policy has a copy of.
    let changed = scene.op25b(&explain);
    assert_eq!(
        (changed.code, changed.stderr.as_str()),
        (Some(0), ""),
        "{changed:?}"
    );
    assert!(
        changed.stdout.ends_with(
            "  reason   blocked\n  rule     pool residential (198.51.100.0/24)\n  \
             from     the enforced program; no daemon answers for it\n"
        ),
        "{changed:?}"
    );
    let as_it_is_now = scene.op25b(&[&explain[..], &["--json", "--policy", file]].concat());
    assert_eq!(as_it_is_now.json()["reason"], "not_pooled");

    scene.policy(SMALL);
    assert_eq!(scene.op25b(&explain).code, Some(0));

    fs::remove_file(&policy).unwrap();
    fs::remove_file(&last_good).unwrap();
    let removed = scene.op25b(&explain);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert!(
        removed
            .stdout
            .contains("  rule     pool residential (198.51.100.0/24)\n"),
        "{removed:?}"
    );
    assert!(
        removed
            .stderr
            .starts_with(&format!("op25b: {file} has changed since it was loaded")),
        "{removed:?}"
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn what_cannot_be_asked_exits_with_2() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let policy = policy.to_str().unwrap();
    let mixed = scene.op25b(&[
        "explain",
        "--policy",
        policy,
        "--src",
        "198.51.100.10",
        "--dst",
        "2001:db8::1",
    ]);
    assert_eq!(
        mixed.refusal(),
        "op25b: 198.51.100.10 and 2001:db8::1 are not of the same address family"
    );
    for wrong in [
        &["--src", "customer"][..],
        &["--src", "192.0.2.1", "--port", "0"],
        &[],
    ] {
        let words = [&["explain", "--policy", policy], wrong].concat();
        assert_eq!(scene.op25b(&words).code, Some(2), "{wrong:?}");
    }
}
