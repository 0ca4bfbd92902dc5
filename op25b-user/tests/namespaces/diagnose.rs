//! `op25b diagnose`: by address, prefix, customer, ticket and id, with a daemon and without one.

use nix::sys::signal::Signal;
use op25b::schema::Schema;
use op25b_testlab::{frames::pppoe_syn, packet_socket::PacketSocket};
use serde_json::{Value, json};

use crate::{
    exempt::{add, exempt},
    support::{
        foreign_program::ForeignProgram,
        json::assert_documented,
        scene::{Answer, Scene, eventually},
    },
};

/// Two subscriber interfaces of which one carries DS-Lite, one that does not exist, and a pool that is only monitored.
const POLICY: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber, tunnels: [4in6] }
  - { name: corp0, role: subscriber }
  - { name: later0, role: subscriber, wait: true }
pools:
  - { name: residential, prefixes: [198.51.100.0/25, 2001:db8:100::/40] }
  - { name: trial, prefixes: [198.51.100.128/25], enforce_from: 2099-04-01 }
exemptions:
  - { customer: Filed KK, prefixes: [198.51.100.64/29], ticket: OPS-7, expires: 2026-01-31 }
  - { customer: Narrow KK, prefixes: [198.51.100.80/29], destinations: [192.0.2.0/24] }
";

fn diagnose(scene: &Scene, words: &[&str]) -> Answer {
    let answer = scene.op25b(&[&["diagnose"][..], words].concat());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer
}

/// The line that answers.
fn answered(scene: &Scene, what: &str) -> String {
    diagnose(scene, &[what]).stdout.lines().next().unwrap().to_owned()
}

fn document(scene: &Scene, what: &str) -> Value {
    let document = diagnose(scene, &["--json", what]).json();
    assert_eq!(document["schema"], Schema::Diagnose.name());
    document
}

/// The places with their states and reasons, of the only part.
fn places(document: &Value) -> Vec<(String, String)> {
    let parts = document["targets"][0]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 1, "{document:#}");
    let verdicts = parts[0]["verdicts"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    verdicts
        .map(|one| {
            let place = match &one["tunnel"] {
                Value::Null => text(&one["interface"]),
                tunnel => format!("{} in {}", text(tunnel), text(&one["interface"])),
            };
            let what = match one["state"].as_str() {
                Some("decided") => text(&one["explained"]["reason"]),
                _ => text(&one["state"]),
            };
            (place, what)
        })
        .collect()
}

/// The explanation of the part with a prefix, on the first interface.
fn explained<'d>(document: &'d Value, prefix: &str) -> &'d Value {
    let parts = document["targets"][0]["parts"].as_array().unwrap();
    let has = |part: &&Value| {
        part["prefixes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|net| net == prefix)
    };
    let part = parts.iter().find(has);
    &part.unwrap_or_else(|| panic!("{prefix} in {document:#}"))["verdicts"][0]["explained"]
}

fn actions(document: &Value) -> Vec<&str> {
    let actions = document["actions"].as_array().unwrap().iter();
    actions.map(|action| action.as_str().unwrap()).collect()
}

/// Asserts what is answered with and without a daemon. Returns whether one answered.
fn check(scene: &Scene, gone: &str) -> bool {
    let line = answered(scene, "198.51.100.10");
    let removed = format!(
        "198.51.100.10 is BLOCKED on corp0 and sub0: exemption {gone} of Example KK (ticket OPS-1043) was removed "
    );
    assert!(line.starts_with(&removed), "{line}");
    assert!(
        line.ends_with("; it cannot arrive on later0: there is no such interface"),
        "{line}"
    );
    let blocked = document(scene, &gone[..20]);
    assert_eq!(blocked["targets"][0]["prefix"], "198.51.100.8/29");
    let row = &blocked["attempts"]["subscribers"][0];
    assert_eq!(
        (&row["subscriber"], &row["blocked_syns"]),
        (&json!("198.51.100.10"), &json!(3))
    );
    let found = &blocked["exemptions"][0];
    assert_eq!(
        (&found["id"], &found["removal"]["reason"]),
        (&json!(gone), &json!("contract ended"))
    );
    let restore = format!("`op25b exempt restore {gone} --reason '...'`");
    assert_eq!(actions(&blocked).last(), Some(&restore.as_str()));
    assert_eq!(blocked["operations"][0]["what"], "start", "{blocked:#}");
    let customer = document(scene, "Example KK");
    let prefixes = customer["targets"].as_array().unwrap().iter();
    let prefixes: Vec<_> = prefixes
        .map(|target| target["prefix"].as_str().unwrap())
        .collect();
    assert_eq!(prefixes, ["198.51.100.16/29", "198.51.100.8/29"]);
    let v6 = document(scene, "2001:db8:100::10");
    let blocked = |place: &str| (place.to_owned(), "blocked".to_owned());
    let missing = ("later0".to_owned(), "missing".to_owned());
    let expected = [
        blocked("corp0"),
        missing,
        blocked("sub0"),
        blocked("4in6 in sub0"),
    ];
    assert_eq!(places(&v6), expected);
    customer["daemon"].as_bool().unwrap()
}

/// Asserts that every part of a prefix has its own verdict.
fn check_parts(scene: &Scene) {
    let parts = document(scene, "198.51.100.0/24");
    for (prefix, reason, cause) in [
        ("198.51.100.8/29", "blocked", json!("removed")),
        ("198.51.100.16/29", "exempt", json!(null)),
        ("198.51.100.64/29", "blocked", json!("expired")),
        ("198.51.100.80/29", "blocked", json!("other_destinations")),
        ("198.51.100.96/27", "blocked", json!(null)),
        ("198.51.100.128/25", "monitored", json!(null)),
    ] {
        let explained = explained(&parts, prefix);
        assert_eq!(explained["reason"], reason, "{prefix} {explained:#}");
        assert_eq!(
            explained["not_in_force"][0]["state"], cause,
            "{prefix} {explained:#}"
        );
        assert_eq!(
            explained["until"].is_null(),
            reason != "monitored",
            "{prefix} {explained:#}"
        );
    }
}

#[test]
fn the_first_line_is_the_kernels_verdict_and_its_cause_with_a_daemon_and_without() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(POLICY));
    add(&scene, &["198.51.100.16/29"], &["--ticket", "OPS-1042"]);
    let gone = add(&scene, &["198.51.100.8/29"], &["--ticket", "OPS-1043"]);
    let removed = exempt(&scene, &["remove", &gone, "--reason", "contract ended"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let sent = scene.lab.host(op25b_testlab::lab::Host::Subscriber).run(|| {
        let socket = PacketSocket::open("eth0")?;
        for number in 0..3 {
            socket.send(&pppoe_syn("198.51.100.10".parse()?, "203.0.113.25".parse()?, 25, number)?.frame)?;
        }
        Ok(())
    });
    sent.unwrap();

    assert!(check(&scene, &gone));
    assert_documented(Schema::Diagnose, &diagnose(&scene, &["--json", &gone]).stdout);
    check_parts(&scene);
    let of_ticket = document(&scene, "ops-1043");
    assert_eq!(
        (&of_ticket["kind"], &of_ticket["targets"][0]["prefix"]),
        (&json!("ticket"), &json!("198.51.100.8/29"))
    );
    let added = exempt(&scene, &["add", "198.51.100.136/29", "--customer", "Trial KK"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let on_trial = document(&scene, "Trial KK");
    let remove = format!(
        "to block it: `op25b exempt remove {} --reason '...'`, and `mode: enforce` and no later `enforce_from` for pool \
         trial, then `op25b reload`",
        on_trial["exemptions"][0]["id"].as_str().unwrap()
    );
    assert_eq!(actions(&on_trial), [remove.as_str()]);
    let foreign = ForeignProgram::instead_of(&filter, scene.router(), "corp0");
    let line = answered(&scene, "198.51.100.30");
    assert!(
        line.starts_with(
            "198.51.100.30 is BLOCKED on sub0: pool residential, and no exemption; it PASSES on corp0: no filter runs there; "
        ),
        "{line}"
    );
    drop(foreign);
    eventually("the filter is back, and pinned", || {
        filter.log().contains("reattached")
    });

    filter.leave_by(Signal::SIGKILL).unwrap();
    assert!(!check(&scene, &gone));
    let alone = document(&scene, "198.51.100.10");
    assert_eq!((&alone["daemon"], &alone["faults"]), (&json!(false), &json!([])));
    assert_eq!(
        actions(&alone)[0],
        "first start the daemon: `systemctl start op25b`"
    );
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));

    let none = scene.op25b(&["diagnose", "198.51.100.10"]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stdout.starts_with("198.51.100.10 PASSES"), "{none:?}");
    let unknown = scene.op25b(&["diagnose", "Nobody"]);
    assert_eq!(
        (unknown.code, unknown.stdout.as_str()),
        (Some(1), ""),
        "{unknown:?}"
    );
    let mistyped = scene.op25b(&["diagnose", "198.51.100.300"]);
    assert_eq!(mistyped.code, Some(2), "{mistyped:?}");
}
