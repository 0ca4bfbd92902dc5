//! A start over a pinned filter whose store is in another directory.

use std::{fs, path::Path};

use nix::sys::signal::Signal;
use op25b_testlab::filter::Filter;

use crate::support::{
    description,
    scene::{SMALL, Scene},
};

const CUSTOMER: &str = "198.51.100.64";

/// Starts the daemon with a state directory.
fn filter(scene: &Scene, policy: &Path, state: &Path, arguments: &[&str]) -> Filter {
    scene.filter_with(
        policy,
        &[&["--log-format", "json"], arguments].concat(),
        &[("OP25B_STATE_DIR", word(state))],
    )
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether the program in the kernel lets the customer pass.
fn is_exempt(scene: &Scene, state: &Path) -> bool {
    let answer = scene.op25b(&["explain", "--src", CUSTOMER, "--json", "--state-dir", word(state)]);
    answer.json()["reason"] == "exempt"
}

/// Asserts that nothing was taken for damage.
fn assert_intact(scene: &Scene, state: &Path) {
    let report = scene.daemon_report();
    assert_eq!(report["faults"], serde_json::json!([]), "{report}");
    let mut names = fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(names.all(|name| !name.to_string_lossy().contains("damaged")));
}

#[test]
fn a_start_with_another_state_directory_is_refused_and_costs_no_customer_its_exemption() {
    let scene = Scene::new();
    let policy = scene.policy(SMALL);
    let [(_, pins), _, (_, state)] = scene.router().places();
    let daemon = scene.filter(&policy);
    for (address, customer) in [(CUSTOMER, "Example KK"), ("198.51.100.65", "Other KK")] {
        let added = scene.op25b(&["exempt", "add", address, "--customer", customer]);
        assert_eq!(added.code, Some(0), "{added:?}");
    }
    assert_eq!(daemon.leave_by(Signal::SIGTERM).unwrap().code(), Some(0));
    let before = scene.attached();

    let wrong = scene.path("wrong");
    let answer = scene.op25b(&["run", "--policy", word(&policy), "--state-dir", word(&wrong)]);
    let refusal = answer.refusal();
    let (right, given) = (state.display(), wrong.display());
    for part in [
        format!("a store in {right} (revision 2), and {given} has no store:"),
        "Nothing was changed, and the filter goes on.".to_owned(),
        format!("Start with --state-dir {right}"),
        format!("add --previous-state-dir {right}"),
    ] {
        assert!(refusal.contains(&part), "{refusal}");
    }
    assert!(!wrong.exists() && scene.attached() == before);
    assert!(is_exempt(&scene, &state));

    // The right one is intact, as is one that was moved.
    let daemon = scene.filter(&policy);
    assert_intact(&scene, &state);
    assert_eq!(daemon.leave_by(Signal::SIGTERM).unwrap().code(), Some(0));
    let moved = state.with_file_name("moved");
    fs::rename(&state, &moved).unwrap();
    let daemon = filter(&scene, &policy, &moved, &[]);
    assert_intact(&scene, &moved);
    assert!(
        daemon.log().contains("the store of the pinned filter was moved"),
        "{}",
        daemon.log()
    );
    assert!(is_exempt(&scene, &moved));
    assert_eq!(daemon.leave_by(Signal::SIGTERM).unwrap().code(), Some(0));

    // Another one on purpose, and back.
    let daemon = filter(&scene, &policy, &wrong, &["--previous-state-dir", word(&moved)]);
    assert_intact(&scene, &wrong);
    assert!(!is_exempt(&scene, &wrong));
    let added = scene.op25b(&[
        "exempt",
        "add",
        CUSTOMER,
        "--customer",
        "A",
        "--state-dir",
        word(&wrong),
    ]);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(daemon.leave_by(Signal::SIGTERM).unwrap().code(), Some(0));
    let back = ["run", "--policy", word(&policy), "--state-dir", word(&moved)];
    let answer = scene.op25b(&back);
    assert!(
        answer.refusal().contains("has another store (revision 2)"),
        "{answer:?}"
    );
    let daemon = filter(&scene, &policy, &moved, &["--previous-state-dir", word(&wrong)]);
    assert_intact(&scene, &moved);
    assert!(is_exempt(&scene, &moved));

    // An earlier version has recorded no directories.
    description::forget(&pins, "directories");
    assert_eq!(daemon.leave_by(Signal::SIGTERM).unwrap().code(), Some(0));
    let _daemon = filter(&scene, &policy, &moved, &[]);
    assert_intact(&scene, &moved);
    assert!(is_exempt(&scene, &moved));
}
