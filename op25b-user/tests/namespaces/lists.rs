//! Lists that the policy names: on a router they are one policy with its file.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};
use serde_json::Value;

use crate::support::scene::{Scene, eventually};

const POLICY: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber }
pools: [{ name: residential, prefixes_from: [lists/homes.txt] }]
exemptions_from: [customers.csv]
";
const HOMES: &str = "# exported\n198.51.100.0-198.51.100.255\n2001:db8:100::/40\n";
const CUSTOMERS: &str = "customer,prefixes\nSomebody,198.51.100.200\n";
/// An exemption of the subscriber that the lab's mail comes from.
const MORE_CUSTOMERS: &str = "customer,prefixes,ticket\nSomebody,198.51.100.200,\n\
    Example KK,198.51.100.10;2001:db8:100::10,OPS-1042\n";

/// Writes the policy and its lists.
fn written(scene: &Scene) -> PathBuf {
    fs::create_dir_all(scene.path("lists")).unwrap();
    replace(scene, "lists/homes.txt", HOMES);
    replace(scene, "customers.csv", CUSTOMERS);
    scene.policy(POLICY)
}

/// Replaces a list in one step.
fn replace(scene: &Scene, name: &str, text: &str) {
    let draft = scene.path("draft");
    fs::write(&draft, text).unwrap();
    fs::rename(&draft, scene.path(name)).unwrap();
}

/// Why the last reload was refused.
fn refused(scene: &Scene) -> Option<String> {
    let report = scene.daemon_report();
    report["last_reload"]["refused"].as_str().map(str::to_owned)
}

fn exemptions(scene: &Scene) -> Value {
    scene.daemon_report()["exemptions"]["in_file"].clone()
}

/// Where the lists of the last good policy are.
fn last_good_lists(scene: &Scene) -> PathBuf {
    let [.., (_, state)] = scene.router().places();
    state.join("policy.last-good.lists")
}

fn are_kept(scene: &Scene) -> bool {
    let lists = last_good_lists(scene);
    // Written after its lists.
    lists.with_file_name("policy.last-good.yaml").exists()
        && fs::read_dir(lists).is_ok_and(|lists| lists.count() == 2)
}

/// What a reboot leaves: the state directory, and no filter.
fn reboot(scene: &Scene, filter: Filter) {
    eventually("the lists are kept", || are_kept(scene));
    filter.stop().unwrap();
    assert_eq!(scene.attached(), []);
}

#[test]
fn with_watch_a_changed_list_is_enforced_and_a_broken_or_missing_one_changes_nothing() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = written(&scene);
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    scene.assert_blocked(&servers, &filter);

    replace(&scene, "customers.csv", MORE_CUSTOMERS);
    eventually("the exemption is enforced", || exemptions(&scene) == 2);
    scene.assert_open(&servers);

    // Written in place.
    fs::write(scene.path("lists/homes.txt"), "198.51.100.1/24\n").unwrap();
    eventually("the list is refused", || refused(&scene).is_some());
    let why = refused(&scene).unwrap();
    assert!(
        why.contains("lists/homes.txt: line 1, column 1: ") && why.contains("host bits"),
        "{why}"
    );
    assert!(filter.log().contains("lists/homes.txt:1:1: "), "{}", filter.log());
    scene.assert_open(&servers);

    replace(&scene, "lists/homes.txt", HOMES);
    eventually("the mended list is read", || refused(&scene).is_none());

    // A list that the policy names only now is watched as well.
    scene.policy(&POLICY.replace("customers.csv", "others.csv"));
    replace(&scene, "others.csv", MORE_CUSTOMERS);
    eventually("the other list is enforced", || {
        refused(&scene).is_none() && exemptions(&scene) == 2
    });
    replace(&scene, "others.csv", CUSTOMERS);
    eventually("its change is enforced", || exemptions(&scene) == 1);
    scene.assert_blocked(&servers, &filter);

    // It may be about to be replaced; if it is not, the policy is refused.
    fs::remove_file(scene.path("others.csv")).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while refused(&scene).is_none() {
        assert!(Instant::now() < deadline, "a missing list is not refused");
        thread::sleep(Duration::from_millis(100));
    }
    let why = refused(&scene).unwrap();
    assert!(
        why.contains("cannot read the list `others.csv`: No such file"),
        "{why}"
    );
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn a_dry_run_shows_what_a_changed_list_would_change() {
    let scene = Scene::new();
    let policy = written(&scene);
    let _filter = scene.filter(&policy);
    let nothing = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!(
        (nothing.code, nothing.stdout.contains("nothing changes")),
        (Some(0), true),
        "{nothing:?}"
    );

    replace(
        &scene,
        "lists/homes.txt",
        &HOMES.replace("2001:db8:100::/40", "2001:db8:200::/40"),
    );
    replace(&scene, "customers.csv", MORE_CUSTOMERS);
    let dry = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    for change in [
        "residential: prefixes + 2001:db8:200::/40, - 2001:db8:100::/40",
        "+ Example KK: prefixes 198.51.100.10/32, 2001:db8:100::10/128; ticket OPS-1042",
    ] {
        assert!(dry.stdout.contains(change), "{dry:?}");
    }
    assert!(dry.stderr.contains("customers.csv:3:26"), "{dry:?}");
    assert_eq!(exemptions(&scene), 1);

    fs::write(scene.path("customers.csv"), "customer\n").unwrap();
    let refused = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("the column `prefixes` is missing"),
        "{refused:?}"
    );
}

#[test]
fn after_a_reboot_the_last_good_policy_is_enforced_with_its_lists_if_one_is_missing() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = written(&scene);
    let filter = scene.filter(&policy);
    reboot(&scene, filter);

    fs::remove_file(scene.path("lists/homes.txt")).unwrap();
    replace(&scene, "customers.csv", MORE_CUSTOMERS);
    let filter = scene.filter(&policy);
    // Neither the list that is there nor a part of the policy: all of the policy before.
    scene.assert_blocked(&servers, &filter);
    assert_eq!(exemptions(&scene), 1);
    let faults = scene.daemon_report()["faults"].to_string();
    assert!(
        faults.contains("policy_refused") && faults.contains("cannot read the list `lists/homes.txt`"),
        "{faults}"
    );

    replace(&scene, "lists/homes.txt", HOMES);
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    assert_eq!(scene.daemon_report()["faults"].as_array().unwrap().len(), 0);
    scene.assert_open(&servers);
}

#[test]
fn a_list_of_the_last_good_policy_that_another_process_removes_is_written_again() {
    let scene = Scene::new();
    let policy = written(&scene);
    let _filter = scene.filter(&policy);
    eventually("the lists are kept", || are_kept(&scene));
    fs::remove_dir_all(last_good_lists(&scene)).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !are_kept(&scene) {
        assert!(Instant::now() < deadline, "the lists are not written again");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_is_enforced_is_explained_by_the_line_of_a_list_and_never_from_a_list_that_was_changed() {
    let scene = Scene::new();
    let policy = written(&scene);
    replace(&scene, "customers.csv", MORE_CUSTOMERS);
    let filter = scene.filter(&policy);
    let explain = ["explain", "--src", "198.51.100.10"];
    let customers = scene.path("customers.csv");
    let customers = customers.to_str().unwrap();
    let by_daemon = scene.op25b(&explain);
    assert!(
        by_daemon
            .stdout
            .contains(&format!("ticket OPS-1042, {customers}:3:12\n")),
        "{by_daemon:?}"
    );
    let homes = scene.path("lists/homes.txt");
    let blocked = scene
        .op25b(&["explain", "--src", "198.51.100.11", "--json"])
        .json();
    assert_eq!(blocked["rule"]["file"], homes.to_str().unwrap(), "{blocked}");
    assert_eq!(blocked["rule"]["line"], 2, "{blocked}");

    let listed = scene.op25b(&["exempt", "list", "--json"]).json();
    assert_eq!(listed["exemptions"][1]["id"], "customers.csv:3", "{listed}");
    let shown = scene.op25b(&["exempt", "show", "customers.csv:3"]);
    assert!(shown.stdout.contains("Example KK"), "{shown:?}");
    let removed = scene.op25b(&["exempt", "remove", "customers.csv:3", "--reason", "x"]);
    assert_eq!(removed.code, Some(1), "{removed:?}");
    assert!(
        removed.stderr.contains(&format!("edit {customers}:3")),
        "{removed:?}"
    );

    // Alone, the filter is named from its files, as long as they are those that it was loaded from.
    filter.leave_by(Signal::SIGKILL).unwrap();
    let alone = scene.op25b(&explain);
    assert!(
        alone.stdout.contains(&format!("{customers}:3:12\n"))
            && alone.stdout.contains("the enforced program"),
        "{alone:?}"
    );
    replace(&scene, "customers.csv", CUSTOMERS);
    // What is enforced has not changed with them; a line of a list that has would mislead.
    let changed = scene.op25b(&explain);
    assert!(
        changed
            .stdout
            .contains("  rule     exemption Example KK (198.51.100.10/32), ticket OPS-1042\n"),
        "{changed:?}"
    );
    replace(&scene, "customers.csv", MORE_CUSTOMERS);
    assert_eq!(scene.op25b(&explain).code, Some(0));
    assert_eq!(scene.op25b(&["stop", "--detach"]).code, Some(0));
}
