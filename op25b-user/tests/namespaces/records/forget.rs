//! Records that are forgotten are nowhere any more, and what is counted later is.

use std::{fs, net::Ipv6Addr, path::PathBuf};

use serde_json::Value;

use super::{
    FOUR, SIX,
    customers::{Customers, SHARED, SYNS},
    has_begun, line, syn,
};
use crate::support::scene::{SMALL, Scene, eventually};

/// A subscriber who is not forgotten.
const OTHER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0x100, 0, 0, 0, 0x77);

/// The subscribers with a record, each with its packets, but for the address that customers share.
fn listed(scene: &Scene) -> Vec<(String, u64)> {
    let answer = scene
        .op25b(&["subscribers", "--json", "--sort", "+subscriber"])
        .json();
    let rows = answer["filters"][0]["subscribers"].as_array().unwrap();
    let listed = rows.iter().map(|row| {
        let subscriber = row["subscriber"].as_str().unwrap().to_owned();
        (subscriber, row["packets"].as_u64().unwrap())
    });
    listed
        .filter(|(subscriber, _)| *subscriber != SHARED.to_string())
        .collect()
}

#[test]
fn no_byte_of_a_forgotten_subscriber_is_left_and_a_later_packet_begins_a_record() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let [.., (_, state)] = scene.router().places();
    let detached = |subscriber: &str| {
        serde_json::json!({
            "filters": [{ "subscribers": { "subscribers": [
                { "subscriber": subscriber, "last_seen": "2026-11-01T00:00:00Z" },
                { "subscriber": "198.51.100.99", "last_seen": "2026-11-01T00:00:00Z" },
            ]}}],
        })
    };
    let kept = state.join("detached-20261101T000000.000Z.json");
    fs::write(&kept, detached(&FOUR.to_string()).to_string()).unwrap();
    let line = line(&scene);
    has_begun(&scene);
    let customers = Customers::begin(&scene, &filter, &line);
    for frame in [syn(FOUR), syn(FOUR), syn(SIX), syn(OTHER)] {
        line.send(&frame).unwrap();
    }
    eventually("all are counted", || {
        filter.count("blocked").unwrap() == 4 + SYNS[0]
    });

    // A time that none of them is as old as.
    let four = FOUR.to_string();
    let forget = |words: &[&str]| {
        let words = [&["subscribers", "forget"], words, &["--reason", "OPS-1207"]].concat();
        scene.op25b(&words)
    };
    let none = forget(&[&four, "--older", "1d"]);
    assert!(
        none.stdout
            .starts_with("removed 1 row from what was kept of detached filters\nrecorded with "),
        "{none:?}"
    );
    assert_eq!(listed(&scene).len(), 3);

    let answer = forget(&[&four]);
    assert!(
        answer
            .stdout
            .starts_with("removed 1 record from the kernel\nremoved 1 row from the history\n"),
        "{answer:?}"
    );
    assert_eq!(forget(&["2001:db8:100::77"]).code, Some(0));
    assert_eq!(listed(&scene), [("2001:db8:100:100::/56".to_owned(), 1)]);
    let wrong = forget(&["198.51.100.300"]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");

    // Who, when and why is recorded, and no address.
    let recorded = || -> Vec<Value> {
        let answer = scene.ask_daemon("GET /v1/operations");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let items = body["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .filter(|item| item["what"] == "forget")
            .collect()
    };
    eventually("all are recorded", || recorded().len() == 3);
    let last = &recorded()[0];
    assert_eq!(
        (&last["by"]["name"], &last["reason"]),
        (&Value::from("root"), &Value::from("OPS-1207"))
    );
    assert!(
        last["detail"]
            .as_str()
            .unwrap()
            .contains("the digest of the prefix is "),
        "{last}"
    );
    let files: Vec<PathBuf> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(
        files.iter().any(|file| file.ends_with("exemptions.db")),
        "{files:?}"
    );
    for file in files.iter().filter(|file| file.is_file()) {
        let bytes = fs::read(file).unwrap();
        // As text, and as addresses are in databases.
        for text in [
            four.as_bytes(),
            b"2001:db8:100::77",
            b"2001:db8:100::/56",
            &FOUR.octets(),
            &SIX.octets()[..8],
        ] {
            let found = bytes.windows(text.len()).any(|part| part == text);
            assert!(!found, "{text:?} in {}", file.display());
        }
    }
    assert!(fs::read_to_string(&kept).unwrap().contains("198.51.100.99"));

    line.send(&syn(FOUR)).unwrap();
    line.send(&syn(SIX)).unwrap();
    eventually("they are counted again", || listed(&scene).len() == 3);
    assert!(
        listed(&scene).iter().all(|(_, packets)| *packets == 1),
        "{:?}",
        listed(&scene)
    );
    customers.change(&scene, &filter, &line);
    Customers::forget(&scene, &state);
}
