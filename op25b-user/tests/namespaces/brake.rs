//! The brake: a pause is in force in the filter that runs before the next generation is loaded, and whatever becomes of that.

use std::{collections::HashSet, fs};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};
use serde_json::Value;

use crate::support::scene::{SMALL, Scene};

/// How many file descriptors a daemon can still open: for a connection to its control socket and a file, but not for the maps of a
/// generation.
const FEW: usize = 8;

/// Leaves the daemon no room for another generation.
fn deny_loading(scene: &Scene, filter: &Filter) {
    let pid = filter.pid().to_string();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let numbers = open.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let open: HashSet<usize> = numbers.map(|number| number.parse().unwrap()).collect();
    let free = (0..).filter(|number| !open.contains(number)).nth(FEW).unwrap();
    let limit = format!("--nofile={free}:{free}");
    let answer = scene.on_router("prlimit", &["--pid", &pid, &limit]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
}

fn words(scene: &Scene, words: &[&str]) -> String {
    let answer = scene.op25b(words);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    format!("{}{}", answer.stderr, answer.stdout)
}

#[test]
fn a_pause_is_in_force_before_the_next_generation_is_loaded_and_survives_the_daemon_without_it() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let [.., (_, state)] = scene.router().places();
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    let generation = scene.program_on("sub0");

    // No generation can be loaded any more.
    deny_loading(&scene, &filter);
    let paused = words(&scene, &["pause", "--pool", "residential", "--reason", "OPS-812"]);
    assert!(
        paused.contains("a generation with it cannot be loaded")
            && paused.contains("PAUSED pool residential until it is resumed, since 20"),
        "{paused}"
    );
    assert_eq!(scene.program_on("sub0"), generation, "the same program runs");
    scene.assert_open(&servers);
    let status: Value = serde_json::from_str(&words(&scene, &["status", "--json"])).unwrap();
    let pool = &status["pools"][0];
    assert_eq!(pool["actual"]["mode"], "monitor", "{pool}");
    assert_eq!(pool["wanted"], pool["actual"], "{pool}");
    assert_eq!(status["pauses"][0]["until"], Value::Null);

    // It is kept before it is in force.
    let kept = fs::read_to_string(state.join("pauses.json")).unwrap();
    assert!(kept.contains("OPS-812"), "{kept}");
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(scene.program_on("sub0"), generation);
    scene.assert_open(&servers);
    let filter = scene.filter(&policy);
    assert_ne!(scene.program_on("sub0"), generation, "a generation of its own");
    scene.assert_open(&servers);
    told_loudly(&scene, &filter);
    assert_eq!(
        words(&scene, &["resume", "--pool", "residential"]),
        "resumed pool residential: enforced as the policy says\n"
    );
    scene.assert_blocked(&servers, &filter);
}

/// Each start and each reload says what is paused, as every report does.
fn told_loudly(scene: &Scene, filter: &Filter) {
    let line = "PAUSED pool residential until it is resumed, since 20";
    assert_eq!(filter.log().matches(line).count(), 1, "{}", filter.log());
    let reloaded = words(scene, &["reload"]);
    assert!(
        reloaded.contains(line) && reloaded.contains("`op25b resume` ends it\n"),
        "{reloaded}"
    );
    assert_eq!(filter.log().matches(line).count(), 2, "{}", filter.log());
    let explained = words(scene, &["explain", "--src", "198.51.100.10"]);
    assert!(
        explained.contains("\n  mode     monitor (paused until it is resumed, since 20"),
        "{explained}"
    );
    let diagnosis = words(scene, &["diagnose", "198.51.100.10"]);
    assert!(
        diagnosis.contains("pool residential is paused until it is resumed")
            && diagnosis.contains("`op25b resume --pool residential`"),
        "{diagnosis}"
    );
    let rollout: Value = serde_json::from_str(&words(scene, &["rollout", "--json"])).unwrap();
    let pool = &rollout["pools"][0];
    assert_eq!(
        (&pool["mode"], &pool["step"]),
        (&"monitor".into(), &"resume".into()),
        "{pool}"
    );
    assert_eq!(pool["paused"]["reason"], "OPS-812");
    assert!(pool["now"].as_u64().unwrap() >= 1, "{pool}");
    let metrics = words(scene, &["metrics"]);
    for series in [
        "op25b_pauses 1\n",
        "op25b_pool_paused{pool=\"residential\"} 1\n",
        "op25b_pool_pause_start_timestamp_seconds{pool=\"residential\"} 1",
    ] {
        assert!(metrics.contains(series), "{series}: {metrics}");
    }
    assert!(
        !metrics.contains("op25b_pool_pause_end_timestamp_seconds{"),
        "{metrics}"
    );
}
