//! What a policy does not remember is in no record, and every report says so.

use serde_json::{Value, json};

use super::{FOUR, SIX, line, syn};
use crate::support::scene::{SMALL, Scene, eventually};

/// A pool for each family.
fn policy(remember: &str) -> String {
    let pools = "pools:\n- { name: homes, prefixes: [198.51.100.0/24] }\n\
                 - { name: flats, prefixes: [2001:db8:100::/40] }\n";
    let rest = SMALL.lines().filter(|line| !line.starts_with("pools:"));
    let rest = rest.collect::<Vec<_>>().join("\n");
    format!("{rest}\nsubscribers: {{ remember: {remember} }}\n{pools}")
}

/// The pools that have records, and those that are not remembered.
fn listed(scene: &Scene) -> (Vec<Value>, Value) {
    let answer = scene.op25b(&["subscribers", "--json"]).json();
    let filter = &answer["filters"][0];
    let rows = filter["subscribers"].as_array().unwrap();
    let mut pools: Vec<_> = rows.iter().map(|row| row["pool"].clone()).collect();
    pools.sort_by_key(Value::to_string);
    (pools, filter["pools_not_remembered"].clone())
}

#[test]
fn records_that_the_policy_does_not_remember_any_more_are_discarded_and_every_report_says_so() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(&policy("true")));
    let line = line(&scene);
    let send = || {
        let before = filter.count("blocked").unwrap();
        for frame in [syn(FOUR), syn(SIX)] {
            line.send(&frame).unwrap();
        }
        eventually("both are blocked", || {
            filter.count("blocked").unwrap() == before + 2
        });
    };
    send();
    assert_eq!(listed(&scene), (vec![json!("flats"), json!("homes")], json!([])));

    scene.policy(&policy("[homes]"));
    let preview = scene.op25b(&["reload", "--dry-run"]);
    assert!(preview.stdout.contains("remember true -> homes"), "{preview:?}");
    filter.reload().unwrap();
    let log = filter.log();
    assert!(log.contains("were discarded") && log.contains("IPv6"), "{log}");
    assert!(!log.contains("IPv4"), "{log}");
    send();
    assert_eq!(listed(&scene), (vec![json!("homes")], json!(["flats"])));
    let text = scene.op25b(&["subscribers"]).stdout;
    assert!(
        text.contains("not remembered, by `subscribers: { remember: … }` of the policy: flats\n"),
        "{text}"
    );
    let status = scene.op25b(&["status"]).stdout;
    assert!(status.contains("  homes  enforce  enforce  1\n"), "{status}");
    assert!(
        status.contains("  no records  of subscribers of flats\n"),
        "{status}"
    );

    scene.policy(&policy("false"));
    filter.reload().unwrap();
    send();
    assert_eq!(listed(&scene), (vec![], json!(["homes", "flats"])));

    // Nothing returns with the policy from before.
    scene.policy(&policy("true"));
    filter.reload().unwrap();
    assert_eq!(listed(&scene), (vec![], json!([])));
}
