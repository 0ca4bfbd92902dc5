//! Interfaces that appear, disappear and return, and other processes that detach or replace the filter.

use std::{collections::BTreeSet, fs, path::PathBuf};

use nix::sys::signal::Signal;
use op25b_testlab::{filter::Filter, lab::Servers};

use crate::support::{
    foreign_program::{self, ForeignProgram},
    scene::{SMALL, Scene, eventually},
};

/// A policy for sub0 and another interface.
fn with(interface: &str, rest: &str) -> String {
    SMALL.replace("name: corp0", &format!("name: {interface}{rest}"))
}

fn pin(scene: &Scene, interface: &str) -> PathBuf {
    let [(_, pins), ..] = scene.router().places();
    pins.join("links").join(interface)
}

/// Waits until the filter runs on an interface, by the program that runs on sub0.
fn await_filter(scene: &Scene, interface: &str) {
    eventually("the filter runs", || {
        let program = scene.program_on(interface);
        program.is_some() && program == scene.program_on("sub0")
    });
}

fn logged(filter: &Filter, what: &str) -> usize {
    filter.log().matches(what).count()
}

#[test]
fn an_interface_that_is_waited_for_is_enforced_on_as_soon_as_it_is_there() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(&with("late0", ", wait: true")));
    scene.assert_blocked(&servers, &filter);
    eventually("it is logged", || logged(&filter, "waiting for it") == 1);
    assert_eq!(scene.interface_report("late0")["state"], "missing");
    scene.ip(&["link add late0 type veth peer name late1"]);
    await_filter(&scene, "late0");
    eventually("it is reported", || {
        scene.interface_report("late0")["state"] == "enforced"
    });
    assert!(pin(&scene, "late0").exists());
    assert_eq!(scene.interface_report("late0")["interferences"], 0);

    // A reload takes it along, and what is missing then is waited for again.
    scene.ip(&["link delete late0"]);
    eventually("it is logged again", || logged(&filter, "waiting for it") == 2);
    filter.reload().unwrap();
    scene.ip(&["link add late0 type veth peer name late1"]);
    await_filter(&scene, "late0");
}

#[test]
fn an_interface_that_returns_is_enforced_on_again_and_again_with_its_tunnels() {
    let scene = Scene::new();
    let add = ["link add back0 type veth peer name back1"];
    scene.ip(&add);
    let filter = scene.filter(&scene.policy(&with("back0", ", tunnels: [gre]")));
    let mut indices = BTreeSet::new();
    for time in 0..3 {
        scene.ip(&["link delete back0"]);
        eventually("it is gone", || scene.program_on("back0").is_none());
        scene.ip(&add);
        await_filter(&scene, "back0");
        indices.insert(scene.interface_report("back0")["ifindex"].as_u64().unwrap());
        eventually("it is logged", || logged(&filter, "reattached") == time + 1);
    }
    assert_eq!(indices.len(), 3, "each is another interface: {indices:?}");
    assert_eq!(scene.interface_report("back0")["interferences"], 0);
    assert_eq!(logged(&filter, "\"ERROR\""), 0, "{}", filter.log());
    let links = fs::read_dir(pin(&scene, "")).unwrap().count();
    assert_eq!(links, 2);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_filter_that_another_process_detaches_is_put_back_at_once_with_an_error_in_the_log() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    foreign_program::detach(&pin(&scene, "sub0"));
    eventually("it is noticed", || {
        logged(&filter, "THE FILTER WAS DETACHED") == 1
    });
    eventually("it is put back", || scene.program_on("sub0").is_some());
    assert_eq!(logged(&filter, "cannot reattach"), 0, "{}", filter.log());
    scene.assert_blocked(&servers, &filter);
    let report = scene.interface_report("sub0");
    assert_eq!(
        (&report["interferences"], &report["state"]),
        (&1.into(), &"enforced".into())
    );

    // The second time it backs off first.
    foreign_program::detach(&pin(&scene, "sub0"));
    eventually("it is noticed", || {
        logged(&filter, "THE FILTER WAS DETACHED") == 2
    });
    assert_eq!(scene.program_on("sub0"), None);
    eventually("it is put back later", || scene.program_on("sub0").is_some());
}

#[test]
fn another_program_in_its_place_is_named_and_left_until_it_goes() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let foreign = ForeignProgram::instead_of(&filter, scene.router(), "sub0");
    let id = scene.program_on("sub0").unwrap();
    // Its name is known at the start only: reading it takes a privilege that is given up.
    let refusal = format!(
        "interface sub0 already runs another XDP program (id {id}, native), `bpftool prog show id {id}` names it; "
    );
    eventually("it is named", || logged(&filter, &refusal) == 1);
    assert_eq!(scene.interface_report("sub0")["state"], "lost");
    assert_eq!(scene.program_on("sub0"), Some(id));
    drop(foreign);
    eventually("the filter is back", || scene.program_on("sub0").is_some());
    assert_eq!(scene.program_on("sub0"), scene.program_on("corp0"));
}

#[test]
fn another_program_on_its_own_link_is_replaced_and_a_pin_that_is_removed_pinned_again() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    let program = scene.program_on("sub0");
    foreign_program::replace(&pin(&scene, "sub0"));
    eventually("it is noticed", || {
        logged(&filter, "THE FILTER WAS REPLACED") == 1
    });
    eventually("it is put back", || scene.program_on("sub0") == program);
    scene.assert_blocked(&servers, &filter);

    fs::remove_file(pin(&scene, "corp0")).unwrap();
    eventually("it is pinned again", || pin(&scene, "corp0").exists());
    filter.leave_by(Signal::SIGKILL).unwrap();
    assert_eq!(scene.program_on("corp0"), program);
}
