//! A store that cannot be read, and later can be: the daemon needs no restart and no reload.

use std::{
    fs,
    path::{Path, PathBuf},
};

use op25b_testlab::lab::Servers;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::scene::{Answer, SMALL, Scene, eventually};

const FILE: &str = "exemptions.db";

fn add(scene: &Scene, prefixes: &[&str]) -> Answer {
    scene.op25b(&[&["exempt", "add", "--customer", "Example KK"], prefixes].concat())
}

fn listed(scene: &Scene) -> Vec<Value> {
    let answer = scene.op25b(&["exempt", "list", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()["exemptions"].as_array().unwrap().clone()
}

fn move_store(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name.to_str().unwrap().starts_with(FILE) {
            fs::rename(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

/// Has a directory in the store's place, which also root cannot read as a file; where the store is meanwhile.
fn hide_store(scene: &Scene) -> [PathBuf; 2] {
    let [.., (_, state)] = scene.router().places();
    let aside = state.with_file_name("aside");
    fs::create_dir(&aside).unwrap();
    move_store(&state, &aside);
    fs::create_dir(state.join(FILE)).unwrap();
    [state, aside]
}

fn put_back([state, aside]: &[PathBuf; 2]) {
    fs::remove_dir(state.join(FILE)).unwrap();
    move_store(aside, state);
}

#[test]
fn what_could_not_be_read_at_the_start_is_enforced_without_a_request() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    assert_eq!(add(&scene, &["198.51.100.10"]).code, Some(0));
    filter.stop().unwrap();
    let hidden = hide_store(&scene);

    let filter = scene.filter(&policy);
    eventually("it is reported", || {
        scene.daemon_report()["exemptions"]["kernel_is_behind"] == true
    });
    put_back(&hidden);
    eventually("it is enforced", || {
        let exemptions = &scene.daemon_report()["exemptions"];
        exemptions["stored"] == 1 && exemptions["kernel_is_behind"] == false
    });
    let log = filter.log();
    assert!(
        log.contains("the kernel has caught up with the exemption store"),
        "{log}"
    );
    let explained = scene.op25b(&["explain", "--src", "198.51.100.10"]);
    assert!(explained.stdout.contains("exempt"), "{explained:?}");
}

#[test]
fn what_could_not_be_read_at_the_start_is_enforced_before_the_next_change() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let added = add(&scene, &["198.51.100.10", "2001:db8:100::10"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let id = added.stdout.lines().next().unwrap();
    filter.stop().unwrap();
    let hidden = hide_store(&scene);

    let filter = scene.filter(&policy);
    let log = filter.log();
    assert!(log.contains("ENFORCING WITHOUT THE STORED EXEMPTIONS"), "{log}");
    scene.assert_blocked(&servers, &filter);
    let refused = add(&scene, &["198.51.100.77"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("nothing was changed") && refused.stderr.contains(FILE),
        "{refused:?}"
    );

    put_back(&hidden);
    assert_eq!(add(&scene, &["198.51.100.77"]).code, Some(0));
    scene.assert_open(&servers);
    let all = listed(&scene);
    assert_eq!((all.len(), all[0]["id"].as_str().unwrap()), (2, id));
}

#[test]
fn a_start_with_a_store_of_a_newer_format_enforces_the_policy_and_leaves_the_store_alone() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    assert_eq!(add(&scene, &["198.51.100.10", "2001:db8:100::10"]).code, Some(0));
    filter.stop().unwrap();
    let [.., (_, state)] = scene.router().places();
    let set_format = |format: u32| {
        let store = Connection::open(state.join(FILE)).unwrap();
        store.pragma_update(None, "user_version", format).unwrap();
    };
    set_format(4);
    let bytes = fs::read(state.join(FILE)).unwrap();

    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    assert_eq!(scene.daemon_report()["exemptions"]["kernel_is_behind"], true);
    let refused = add(&scene, &["198.51.100.77"]);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("has format 4"),
        "{refused:?}"
    );
    assert!(fs::read(state.join(FILE)).unwrap() == bytes);
    set_format(3);
    eventually("it is enforced", || {
        scene.daemon_report()["exemptions"]["kernel_is_behind"] == false
    });
    scene.assert_open(&servers);
    assert_eq!(listed(&scene).len(), 1);
}
