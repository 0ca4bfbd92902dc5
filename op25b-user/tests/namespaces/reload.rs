//! A new policy replaces the old one on all interfaces or on none, and an invalid one changes nothing.

use std::fs;

use nix::sys::signal::Signal;
use op25b_testlab::{
    filter::Filter,
    lab::{Family, Servers},
    mail::Outcome,
    traffic::Path,
};

use crate::support::scene::{SMALL, Scene, eventually};

const EXEMPTION: &str =
    "exemptions: [{ customer: Example KK, prefixes: [198.51.100.10, '2001:db8:100::10'] }]\n";

/// Sends a SIGHUP and waits until the log has this once more.
fn hang_up(filter: &Filter, message: &str) {
    let times = |filter: &Filter| filter.log().matches(message).count();
    let before = times(filter);
    filter.signal(Signal::SIGHUP).unwrap();
    eventually(message, || times(filter) > before);
}

#[test]
fn a_sighup_enforces_the_policy_as_it_is_now_and_goes_on_counting() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    scene.assert_blocked(&servers, &filter);
    let blocked = filter.count("blocked").unwrap();
    let before = scene.attached();

    scene.policy(&format!("{SMALL}{EXEMPTION}"));
    hang_up(&filter, "\"reloaded\"");
    let after = scene.attached();
    assert_eq!(after.len(), before.len());
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before.2 != after.2)
    );
    scene.assert_open(&servers);
    assert!(filter.count("blocked").unwrap() >= blocked);
    assert!(filter.count("exempt").unwrap() > 0);

    scene.policy(SMALL);
    hang_up(&filter, "\"reloaded\"");
    scene.assert_blocked(&servers, &filter);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn a_policy_that_cannot_be_enforced_is_refused_and_the_one_before_goes_on() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    let policy = scene.policy(SMALL);
    let filter = scene.filter(&policy);
    let before = scene.attached();
    let vxlan = SMALL.replace(
        "pools:",
        "  - { name: vx0, role: subscriber, xdp: native }\npools:",
    );
    for (bad, why) in [
        ("version: 2\n", "the policy has errors"),
        (
            SMALL.replace("corp0", "corp9").as_str(),
            "there is no interface corp9",
        ),
        // Known only when it is tried: the others are attached by then.
        (vxlan.as_str(), "cannot attach to interface vx0 in native mode"),
    ] {
        scene.policy(bad);
        hang_up(&filter, "the policy was not reloaded");
        assert!(filter.log().contains(why), "{}", filter.log());
        assert_eq!(scene.attached(), before, "{why}");
        scene.assert_blocked(&servers, &filter);
    }
    fs::remove_file(&policy).unwrap();
    hang_up(&filter, "the policy was not reloaded");
    assert_eq!(scene.attached(), before);

    // Nothing of the refused ones stays.
    let [(_, pins), ..] = scene.router().places();
    assert_eq!(fs::read_dir(pins.join("generations")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(pins.join("links")).unwrap().count(), 2);
    scene.policy(SMALL);
    hang_up(&filter, "\"reloaded\"");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn interfaces_come_and_go_with_the_policy_and_change_their_mode() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let only = |interface: &str, xdp: &str| {
        format!(
            "version: 1\ninterfaces: [{{ name: {interface}, role: subscriber, xdp: {xdp} }}]\n\
             pools: [{{ name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }}]\n"
        )
    };
    let filter = scene.filter(&scene.policy(&only("sub0", "native")));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
    scene.policy(&only("sub0", "auto"));
    let dry = scene.op25b(&["reload", "--dry-run", "--json"]);
    assert_eq!(dry.json()["warnings"], serde_json::json!([]), "it stays native");
    scene.policy(&only("sub0", "generic"));
    let warning = "interface sub0 changes its XDP mode: the kernel leaves it without a filter for a moment";
    let dry = scene.op25b(&["reload", "--dry-run"]);
    assert_eq!((dry.code, dry.stderr), (Some(0), format!("op25b: {warning}\n")));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
    let done = scene.op25b(&["reload", "--json"]);
    assert_eq!(done.json()["warnings"], serde_json::json!([warning]), "{done:?}");
    assert!(filter.log().contains(warning), "{}", filter.log());
    assert_eq!(scene.modes(), [("sub0".to_owned(), "generic")]);
    assert!(
        filter.log().contains("without a filter for a moment"),
        "{}",
        filter.log()
    );
    scene.assert_blocked(&servers, &filter);

    // What runs stays as it is where the policy leaves that open.
    scene.policy(SMALL);
    hang_up(&filter, "\"reloaded\"");
    let mut modes = scene.modes();
    modes.sort_unstable();
    assert_eq!(
        modes,
        [("corp0".to_owned(), "native"), ("sub0".to_owned(), "generic")]
    );

    scene.policy(&only("corp0", "auto"));
    hang_up(&filter, "\"reloaded\"");
    assert_eq!(scene.modes(), [("corp0".to_owned(), "native")]);
    let outcome = scene.attempt(&servers, Path::DIRECT, Family::V4);
    assert_eq!(outcome, Outcome::Works);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_start_that_fails_leaves_what_an_earlier_run_left_as_it_is() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    scene.ip(&["link add vx0 type vxlan id 5 dstport 4789"]);
    scene
        .filter(&scene.policy(SMALL))
        .leave_by(Signal::SIGKILL)
        .unwrap();
    let before = scene.attached();
    let policy =
        scene.policy(&SMALL.replace("corp0, role: subscriber", "vx0, role: subscriber, xdp: native"));
    let answer = scene.op25b(&["run", "--policy", policy.to_str().unwrap()]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert_eq!(scene.attached(), before);
    scene.assert_blocked_by_someone(&servers);

    // And the next that does not fail enforces its own policy, on its own interfaces only.
    let text = SMALL.replace("  - { name: corp0, role: subscriber }\n", "");
    let filter = scene.filter(&scene.policy(&text));
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
    scene.assert_blocked(&servers, &filter);
}
