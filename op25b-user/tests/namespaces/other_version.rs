//! What another version left pinned is taken over, also if this version cannot use its maps.

use std::{fs, path::PathBuf};

use aya::maps::{Array, Map, MapData, MapInfo};
use nix::sys::signal::Signal;
use op25b_common::RECORD_VERSION;
use op25b_testlab::lab::Servers;
use serde_json::json;

use crate::support::scene::{SMALL, Scene};

/// The only generation's directory.
fn generation(scene: &Scene) -> PathBuf {
    let [(_, pins), ..] = scene.router().places();
    let mut generations = fs::read_dir(pins.join("generations")).unwrap();
    let path = generations.next().unwrap().unwrap().path();
    assert!(generations.next().is_none());
    path
}

/// Changes a generation's description, as if another version had loaded it.
fn rewrite(scene: &Scene, change: impl Fn(&str) -> String) {
    let map = MapData::from_pin(generation(scene).join("DESCRIPTION")).unwrap();
    let mut chunks = Array::<_, [u8; 256]>::try_from(Map::Array(map)).unwrap();
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.unwrap()).collect();
    let text = String::from_utf8(bytes).unwrap();
    let mut changed = change(text.trim_end_matches('\0')).into_bytes();
    changed.resize(text.len(), 0);
    for (index, chunk) in (0..).zip(changed.chunks(256)) {
        chunks
            .set(index, <[u8; 256]>::try_from(chunk).unwrap(), 0)
            .unwrap();
    }
}

fn map_id(scene: &Scene, name: &str) -> u32 {
    MapInfo::from_pin(generation(scene).join(name)).unwrap().id()
}

#[test]
fn the_same_layout_goes_on_with_the_same_maps() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    scene.filter(&policy).leave_by(Signal::SIGKILL).unwrap();
    let before = map_id(&scene, "COUNTERS");
    let filter = scene.filter(&policy);
    assert_eq!(map_id(&scene, "COUNTERS"), before);
    assert!(
        !filter.log().contains("another counter layout"),
        "{}",
        filter.log()
    );
}

#[test]
fn records_of_another_version_begin_anew_and_the_counters_go_on() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    scene.filter(&policy).leave_by(Signal::SIGKILL).unwrap();
    let counters = map_id(&scene, "COUNTERS");
    let records = ["SUBSCRIBERS", "SUBSCRIBERS_LRU", "MISSES_V6"];
    let ids = |scene: &Scene| records.map(|map| map_id(scene, map));
    let before = ids(&scene);
    scene.filter(&policy).leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(ids(&scene), before);
    rewrite(&scene, |text| {
        let [ours, theirs] = [RECORD_VERSION, RECORD_VERSION + 1]
            .map(|version| format!("\"records\":{{\"version\":{version},"));
        assert!(text.contains(&ours), "{text}");
        text.replace(&ours, &theirs)
    });
    let filter = scene.filter(&policy);
    let log = filter.log();
    assert_eq!(log.matches("subscriber records start empty").count(), 2, "{log}");
    assert_eq!(map_id(&scene, "COUNTERS"), counters);
    let after = ids(&scene);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
}

#[test]
fn from_another_layout_the_counters_are_carried_over_by_their_names() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    filter.leave_by(Signal::SIGTERM).unwrap();
    let counted = |scene: &Scene| {
        let status = scene.op25b(&["status", "--json"]).json();
        status["filters"][0]["counters"].clone()
    };
    let before = counted(&scene);
    let blocked = before["blocked"].as_u64().unwrap();
    assert!(blocked > 0);
    let map = map_id(&scene, "COUNTERS");
    rewrite(&scene, |text| {
        // A version that calls the same slots by other names.
        let text = text.replace("\"relay\",\"exempt\"", "\"exempt\",\"relay\"");
        assert!(text.contains("\"layout\":{\"version\":1,"), "{text}");
        text.replace("\"layout\":{\"version\":1,", "\"layout\":{\"version\":7,")
    });
    assert_eq!(counted(&scene)["blocked"], blocked, "status reads it too");

    let filter = scene.filter(&policy);
    let log = filter.log();
    let migrated = log
        .lines()
        .find(|line| line.contains("another counter layout: the counters were migrated"));
    assert!(migrated.is_some_and(|line| line.contains("INFO")), "{log}");
    assert!(log.contains("7-"), "{log}");
    assert_ne!(map_id(&scene, "COUNTERS"), map);
    assert_eq!(counted(&scene), before);
    scene.assert_blocked(&servers, &filter);
    let more = filter.count("blocked").unwrap();
    assert!(more > blocked);

    // What was migrated stays with the map from now on.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let filter = scene.filter(&policy);
    assert_eq!(filter.count("blocked").unwrap(), more);
    assert!(
        !filter.log().contains("another counter layout"),
        "{}",
        filter.log()
    );
}

#[test]
fn from_what_is_not_understood_at_all_the_interfaces_are_taken_over_and_the_counters_begin_anew() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    filter.leave_by(Signal::SIGKILL).unwrap();
    let before = scene.attached();
    rewrite(&scene, |_| "not JSON".into());
    // What does not depend on the description is still reported.
    let status = scene.op25b(&["status"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let text = &status.stdout;
    assert!(
        text.contains("description not readable by this version: map DESCRIPTION"),
        "{text}"
    );
    for (name, mode, program) in &before {
        assert!(
            text.contains(&format!("{name} (subscriber, {mode}, program {program})")),
            "{text}"
        );
    }
    let status = scene.op25b(&["status", "--json"]).json();
    assert_eq!(status["state"], "enforced");
    assert_eq!(status["unreadable"][0]["state"], "enforcing_alone");
    assert_eq!(status["filters"], json!([]));
    assert_eq!(status["unreadable"][0]["interfaces"].as_array().unwrap().len(), 2);
    let explain = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert!(
        explain.refusal().contains("loaded by another version of op25b"),
        "{explain:?}"
    );

    let filter = scene.filter(&policy);
    let log = filter.log();
    assert!(
        log.contains("another counter layout: the counters start at zero"),
        "{log}"
    );
    assert_eq!(log.matches("subscriber records start empty").count(), 2, "{log}");
    assert_eq!(filter.count("blocked").unwrap(), 0);
    let after = scene.attached();
    assert_eq!(before.len(), after.len());
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before.2 != after.2)
    );
    scene.assert_blocked(&servers, &filter);
    generation(&scene);
}
