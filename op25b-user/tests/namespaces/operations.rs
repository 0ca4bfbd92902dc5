//! What was done to the filter is recorded in the store, with who did it.

use std::fs;

use nix::sys::signal::Signal;
use op25b::store::{Operation, OperationKind, OperationQuery, Records as _, sqlite};

use crate::support::scene::{SMALL, Scene, eventually};

/// The operations in the store of the scene's op25b, the oldest first.
fn recorded(scene: &Scene) -> Vec<Operation> {
    let [.., (_, state)] = scene.router().places();
    let store = sqlite::open_read_only(&state).unwrap().unwrap();
    let everything = OperationQuery {
        reads: false,
        since: None,
        limit: usize::MAX,
    };
    let mut operations = store.operations(everything).unwrap();
    operations.reverse();
    operations
}

#[test]
fn each_start_reload_and_stop_is_recorded_with_who_asked_for_it() {
    use OperationKind::{Reload, ReloadRefused, Start, Stop};

    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let filter = scene.filter_with(&policy, &["--watch"], &[]);
    eventually("the start is recorded", || recorded(&scene).len() == 1);
    filter.reload().unwrap();
    fs::write(&policy, format!("{SMALL}# changed\n")).unwrap();
    eventually("a watched change is recorded", || recorded(&scene).len() == 3);
    fs::write(&policy, "version: 2\n").unwrap();
    eventually("its refusal is, too", || recorded(&scene).len() == 4);
    filter.signal(Signal::SIGHUP).unwrap();
    eventually("and that of a signal", || recorded(&scene).len() == 5);
    filter.signal(Signal::SIGTERM).unwrap();
    eventually("the daemon has ended", || recorded(&scene).len() == 6);

    let recorded = recorded(&scene);
    let kinds: Vec<_> = recorded.iter().map(|one| one.what).collect();
    assert_eq!(kinds, [Start, Reload, Reload, ReloadRefused, ReloadRefused, Stop]);
    let users = ["op25b", "root", "op25b", "op25b", "op25b", "op25b"];
    for (one, user) in recorded.iter().zip(users) {
        assert_eq!((one.by.uid, one.by.name.as_str()), (0, user), "{one:?}");
    }
    let details = [
        "policy.yaml",
        "by reload; ",
        "by watch; ",
        "by watch; ",
        "by SIGHUP; ",
        "SIGTERM",
    ];
    for (one, detail) in recorded.iter().zip(details) {
        assert!(one.detail.as_ref().unwrap().contains(detail), "{one:?}");
    }
    assert!(
        recorded[3].detail.as_ref().unwrap().contains("version"),
        "{recorded:?}"
    );
}
