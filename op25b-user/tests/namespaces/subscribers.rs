//! `op25b subscribers`: the subscribers that are blocked; their records survive restarts and reloads.

use nix::sys::signal::Signal;
use op25b::schema::Schema;
use op25b_testlab::lab::Servers;
use serde_json::{Value, json};

use crate::support::{
    json::assert_documented,
    scene::{OP25B, SMALL, Scene},
};

/// The lab's subscriber, in both families.
const V4: &str = "198.51.100.10";
const V6: &str = "2001:db8:100::/56";

fn rows(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let words = [&["subscribers", "--json"], arguments].concat();
    let answer = scene.op25b(&words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let answer = answer.json();
    let filters = answer["filters"].as_array().unwrap();
    assert_eq!(filters.len(), 1, "{answer}");
    filters[0]["subscribers"].as_array().unwrap().clone()
}

/// The subscriber's records, IPv4 first.
fn both(scene: &Scene) -> [Value; 2] {
    let mut rows = rows(scene, &[]);
    rows.sort_by_key(|row| row["subscriber"].to_string());
    <[Value; 2]>::try_from(rows).unwrap()
}

fn packets(row: &Value) -> u64 {
    row["packets"].as_u64().unwrap()
}

#[test]
fn records_outlive_reloads_other_pools_and_a_killed_daemon() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.assert_blocked(&servers, &filter);
    let before = both(&scene);
    assert_eq!([&before[0]["subscriber"], &before[1]["subscriber"]], [V4, V6]);
    assert!(before.iter().all(|row| packets(row) > 0), "{before:?}");

    let exempt = "exemptions: [{ customer: Example KK, prefixes: [198.51.100.200] }]\n";
    scene.policy(&format!("{SMALL}{exempt}"));
    filter.reload().unwrap();
    assert_eq!(both(&scene), before);
    let log = filter.log();
    assert!(!log.contains("subscriber records"), "{log}");

    // The record is at another place of another map from now on.
    let moved = SMALL.replace("198.51.100.0/24", "192.0.2.0/24, 198.51.100.0/25");
    scene.policy(&moved);
    filter.reload().unwrap();
    assert_eq!(both(&scene), before);
    let log = filter.log();
    assert!(log.contains("subscriber records were migrated"), "{log}");

    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(both(&scene), before);
    scene
        .filter(&scene.policy(SMALL))
        .leave_by(Signal::SIGKILL)
        .unwrap();
    assert_eq!(both(&scene), before);
    let filter = scene.filter(&scene.policy(&moved));
    assert_eq!(both(&scene), before);
    scene.assert_blocked(&servers, &filter);
    for (after, before) in both(&scene).iter().zip(&before) {
        assert!(packets(after) > packets(before), "{before} {after}");
        assert_eq!(after["first_seen"], before["first_seen"]);
    }
}

#[test]
fn options_select_and_order_the_subscribers() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let pools = "pools:\n- { name: v4, prefixes: [198.51.100.0/24] }\n\
                 - { name: v6, mode: monitor, prefixes: [2001:db8:100::/40] }\n";
    let policy = SMALL.lines().filter(|line| !line.starts_with("pools:"));
    let policy = format!("{}\n{pools}", policy.collect::<Vec<_>>().join("\n"));
    let _filter = scene.filter(&scene.policy(&policy));
    for family in op25b_testlab::lab::Family::BOTH {
        let way = op25b_testlab::traffic::Path::DIRECT;
        way.attempt(&scene.lab, &servers, family, crate::support::scene::SILENCE)
            .unwrap();
    }
    let [v4, v6] = both(&scene);
    assert_eq!((&v4["pool"], &v6["pool"]), (&json!("v4"), &json!("v6")));
    assert_eq!(
        (&v4["monitored_syns"], &v6["blocked_syns"]),
        (&json!(0), &json!(0))
    );
    assert!(v4["blocked_syns"].as_u64() > Some(0) && v6["monitored_syns"].as_u64() > Some(0));
    assert!(
        v6["monitored_others"].as_u64() > Some(0),
        "the session goes on: {v6}"
    );
    assert_eq!((&v4["destinations"], &v6["destinations"]), (&json!(1), &json!(1)));

    for (words, expected) in [
        (&["--pool", "v4"][..], &[&v4][..]),
        (&["--pool", "v6"], &[&v6]),
        (&["--in", "198.51.100.0/28"], &[&v4]),
        (&["--in", "198.51.100.11"], &[]),
        // Any address of the subscriber's.
        (&["--in", "2001:db8:100::77"], &[&v6]),
        (&["--since", "1d", "--in", "::/0"], &[&v6]),
        (&["--top", "1"], &[&v6]),
        (&["--top", "0"], &[&v6, &v4]),
        (&["--sort", "packets"], &[&v6, &v4]),
    ] {
        assert_eq!(
            rows(&scene, words).iter().collect::<Vec<_>>(),
            expected,
            "{words:?}"
        );
    }

    assert_documented(
        Schema::Subscribers,
        &scene.op25b(&["subscribers", "--json"]).stdout,
    );
    let text = scene.op25b(&["subscribers", "--pool", "v4"]);
    assert_eq!(text.code, Some(0));
    let lines: Vec<_> = text.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{text:?}");
    assert!(
        lines[0].starts_with("1 of 1 subscribers (2 remembered) on "),
        "{text:?}"
    );
    let words: Vec<_> = lines[2].split_whitespace().collect();
    let count = v4["packets"].to_string();
    assert_eq!(
        words[..6],
        [V4, "v4", &count, &count, "0", &v4["blocked_syns"].to_string()]
    );

    let refusal = scene.op25b(&["subscribers", "--pool", "v5"]);
    assert_eq!(
        refusal.refusal(),
        "op25b: no filter here has a pool \"v5\"; there is v4, v6"
    );
}

#[test]
fn without_a_filter_or_a_privilege_it_fails_with_the_reason() {
    let scene = Scene::new();
    let answer = scene.op25b(&["subscribers"]);
    assert_eq!(answer.code, Some(3));
    assert_eq!(
        answer.stdout,
        "no op25b filter is running on the interfaces of this network namespace\n"
    );
    assert_eq!(
        scene.op25b(&["subscribers", "--json"]).json(),
        json!({ "schema": "op25b.subscribers/1", "counts_since": "first_seen", "filters": [] })
    );

    let _filter = scene.filter(&scene.policy(SMALL));
    let answer = scene.op25b(&["subscribers"]);
    assert_eq!(answer.code, Some(0));
    assert!(
        answer.stdout.starts_with("0 of 0 subscribers (0 remembered) on ")
            && answer.stdout.ends_with("; counts since first seen\n"),
        "{answer:?}"
    );
    let unprivileged = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        OP25B,
        "subscribers",
    ];
    let refusal = scene.on_router("setpriv", &unprivileged);
    assert!(refusal.refusal().contains("not permitted: "), "{refusal:?}");
}
