//! `op25b explain` while no daemon runs: the program in the kernel is asked, and what the store and the policy know is named.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    exempt::{add, exempt},
    support::scene::{SMALL, Scene},
};

/// Exemptions of the policy file that do not let the lab's subscriber pass.
const NOT_IN_FORCE: &str = "\
exemptions:
  - { customer: Past KK, prefixes: [198.51.100.10], ticket: OPS-3, expires: 2026-01-01T00:00:00Z }
  - { customer: Example KK, prefixes: [198.51.100.8/29], destinations: [192.0.2.0/24] }
";

fn explained(scene: &Scene, source: &str, more: &[&str]) -> serde_json::Value {
    let words = [&["explain", "--src", source, "--json"][..], more].concat();
    let answer = scene.op25b(&words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()
}

#[test]
fn without_a_daemon_a_stored_exemption_passes_in_explain_as_in_the_kernel_and_is_named() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let wide = add(&scene, &["198.51.100.16/28"], &["--ticket", "OPS-1"]);
    let narrow = add(
        &scene,
        &["198.51.100.16/29"],
        &["--expires", "90d", "--dest", "203.0.113.0/28"],
    );
    let everywhere = add(&scene, &["2001:db8:100::/64"], &["--expires", "90d"]);
    filter.leave_by(Signal::SIGKILL).unwrap();

    let passed = explained(&scene, "198.51.100.17", &["--dst", "203.0.113.1"]);
    assert_eq!(
        (&passed["verdict"], &passed["reason"]),
        (&"pass".into(), &"exempt".into())
    );
    // That of which the kernel has the end, not the more specific one.
    assert_eq!(passed["rule"]["id"], wide.as_str());
    assert_eq!(passed["rule"]["ticket"], "OPS-1");
    assert_ne!(wide, narrow);
    let text = scene.op25b(&["explain", "--src", "2001:db8:100::1"]);
    assert!(
        text.stdout.contains("port 25: pass\n  reason   exempt\n") && text.stdout.contains(&everywhere),
        "{text:?}"
    );
    assert!(!text.stdout.contains("agree"), "{text:?}");

    // The attached program is asked, not what is pinned.
    let [(_, pins), (_, _), (_, state)] = scene.router().places();
    for generation in fs::read_dir(pins.join("generations")).unwrap() {
        let generation = generation.unwrap().path();
        for pin in fs::read_dir(&generation).unwrap() {
            fs::remove_file(pin.unwrap().path()).unwrap();
        }
    }
    assert_eq!(explained(&scene, "198.51.100.17", &[])["reason"], "exempt");
    assert_eq!(explained(&scene, "198.51.100.40", &[])["reason"], "blocked");

    // Nothing is known of what the kernel has by itself.
    for file in fs::read_dir(&state).unwrap() {
        let file = file.unwrap().path();
        if file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("exemptions.db")
        {
            fs::remove_file(file).unwrap();
        }
    }
    let unnamed = scene.op25b(&["explain", "--src", "198.51.100.17"]);
    assert!(
        unnamed.stdout.contains(&format!(
            "rule     exemption that the store in {} does not name\n",
            state.display()
        )),
        "{unnamed:?}"
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn what_ended_was_removed_or_reaches_others_is_named_by_the_daemon_and_without_it() {
    let scene = Scene::new();
    let policy = scene.policy(&format!("{SMALL}{NOT_IN_FORCE}"));
    let filter = scene.filter(&policy);
    let id = add(&scene, &["198.51.100.10"], &[]);
    let removed = exempt(&scene, &["remove", &id, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let source = "198.51.100.10";
    let by_daemon = scene.op25b(&["explain", "--src", source]);
    let lines: Vec<_> = by_daemon
        .stdout
        .lines()
        .filter(|line| line.starts_with("  note"))
        .collect();
    assert_eq!(lines.len(), 3, "{by_daemon:?}");
    assert!(
        lines[0].contains(&format!("exemption {id} of Example KK was removed ")),
        "{lines:?}"
    );
    assert!(lines[0].ends_with(" by root: contract ended"), "{lines:?}");
    assert!(
        lines[1].contains("exemption line-7 of Past KK (ticket OPS-3) ended at the end of 2025-12-31 ("),
        "{lines:?}"
    );
    assert!(
        lines[2].ends_with("exemption line-8 of Example KK does not reach 203.0.113.1 (only 192.0.2.0/24)"),
        "{lines:?}"
    );
    let of_api = scene.ask_daemon(&format!("GET /v1/explain?source={source}"));
    assert!(
        of_api.contains(r#""state":"removed""#) && of_api.contains(r#""reason":"contract ended""#),
        "{of_api}"
    );

    filter.leave_by(Signal::SIGKILL).unwrap();
    let alone = scene.op25b(&["explain", "--src", source]);
    let notes = alone.stdout.lines().filter(|line| line.starts_with("  note"));
    assert!(notes.eq(lines), "{alone:?}");
    let document = explained(&scene, source, &[]);
    assert_eq!(document["not_in_force"][0]["state"], "removed");
    assert_eq!(document["not_in_force"][0]["by"]["name"], "root");
    assert_eq!(document["not_in_force"][2]["state"], "other_destinations");
    // To where it reaches, it is what lets the connection pass.
    let reached = explained(&scene, source, &["--dst", "192.0.2.9"]);
    assert_eq!(reached["rule"]["name"], "Example KK");
    assert_eq!(reached.get("not_in_force"), None);
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}

#[test]
fn a_date_ahead_is_shown_with_the_pool_that_waits_for_it_with_a_daemon_and_without() {
    let scene = Scene::new();
    let dated = SMALL.replace(
        "/40] }]",
        "/40], enforce_from: 2099-12-01T00:00:00Z },
         { name: phased, prefixes: [203.0.113.0/25],
           phases: [{ only_to: [192.0.2.0/24] }, { from: 2099-12-01T00:00:00Z }] }]",
    );
    let policy = scene.policy(&dated);
    let filter = scene.filter(&policy);
    let check = || {
        let waiting = explained(&scene, "198.51.100.10", &[]);
        assert_eq!(
            (&waiting["verdict"], &waiting["reason"]),
            (&"pass".into(), &"monitored".into())
        );
        assert_eq!(waiting["until"], "2099-12-01T00:00:00Z");
        let text = scene.op25b(&["explain", "--src", "198.51.100.10"]).stdout;
        assert!(text.contains("  mode     monitor until 2099-1"), "{text}");
        let [first, last] = ["192.0.2.80", "198.18.0.25"].map(|to| ["--dst", to]);
        let phased = explained(&scene, "203.0.113.9", &first);
        assert_eq!(
            (&phased["verdict"], &phased["phase"]),
            (&"drop".into(), &json!({ "number": 1, "of": 2, "from": null }))
        );
        let phased = explained(&scene, "203.0.113.9", &last);
        assert_eq!(
            (&phased["reason"], &phased["until"], &phased["phase"]["number"]),
            (&"monitored".into(), &"2099-12-01T00:00:00Z".into(), &2.into())
        );
        let args = ["explain", "--src", "203.0.113.9", "--dst"];
        let text = |to| scene.op25b(&[&args[..], &[to]].concat()).stdout;
        assert!(text("192.0.2.80").contains("  mode     enforce: phase 1 of 2\n"));
        let ahead = text("198.18.0.25");
        assert!(
            ahead.contains(":00: phase 2 of 2\n") || ahead.contains("Z: phase 2 of 2\n"),
            "{ahead}"
        );
        let pool = &scene.op25b(&["status", "--json"]).json()["pools"][1];
        let partial = json!({ "mode": "partial", "until": "2099-12-01T00:00:00Z" });
        assert_eq!((&pool["wanted"], &pool["actual"]), (&partial, &partial), "{pool}");
        assert_eq!(
            pool["phases"][0],
            json!({ "from": null, "only_to": 1, "has_begun": true })
        );
    };
    check();
    filter.leave_by(Signal::SIGKILL).unwrap();
    check();
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}
