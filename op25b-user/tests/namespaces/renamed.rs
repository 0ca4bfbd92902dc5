//! Interfaces that are renamed or moved to another network namespace: the filter follows the policy's names, and what is reported
//! follows the kernel.

use std::fs;

use op25b_testlab::{filter::Filter, lab::Host};
use serde_json::Value;

use crate::support::scene::{SMALL, Scene, eventually};

/// The index of an interface of the router.
fn index(scene: &Scene, interface: &str) -> u64 {
    let shown = scene.on_router("ip", &["-json", "link", "show", "dev", interface]);
    shown.json()[0]["ifindex"].as_u64().unwrap()
}

fn metric(scene: &Scene, series: &str) -> bool {
    let page = scene.op25b(&["metrics"]).stdout;
    page.lines().any(|line| line == series)
}

fn logged(filter: &Filter, what: &str) -> usize {
    filter.log().matches(what).count()
}

/// Waits until the filter runs on sub0, and asserts that every reader reports the facts.
fn await_sub0(scene: &Scene, filter: &Filter) {
    eventually("the filter runs on sub0", || {
        scene.program_on("sub0").is_some() && scene.program_on("sub0") == scene.program_on("corp0")
    });
    let sub0 = scene.interface_report("sub0");
    assert_eq!(sub0["state"], "enforced", "{}", filter.log());
    assert_eq!(sub0["ifindex"], index(scene, "sub0"));
    assert_eq!(
        sub0["program_id"].as_u64(),
        scene.program_on("sub0").map(u64::from)
    );
    assert_eq!(scene.daemon_report()["state"], "enforced");
    assert!(metric(scene, "op25b_state{state=\"enforced\"} 1"));
    assert!(metric(scene, "op25b_interface_enforced{interface=\"sub0\"} 1"));
}

/// The pins of links.
fn pins(scene: &Scene) -> Vec<String> {
    let [(_, pins), ..] = scene.router().places();
    let entries = fs::read_dir(pins.join("links")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn an_interface_that_takes_the_name_of_a_renamed_one_is_filtered_and_the_other_released() {
    let scene = Scene::new();
    scene.ip(&["link add next0 type veth peer name next1"]);
    let filter = scene.filter(&scene.policy(SMALL));
    scene.ip(&["link set sub0 down", "link set sub0 name old0"]);
    eventually("it is noticed", || {
        scene.interface_report("sub0")["state"] == "missing"
    });
    assert_eq!(scene.interface_report("sub0")["program_id"], Value::Null);
    assert_eq!(scene.daemon_report()["state"], "degraded");
    assert!(metric(&scene, "op25b_state{state=\"degraded\"} 1"));
    assert!(metric(&scene, "op25b_interface_enforced{interface=\"sub0\"} 0"));
    eventually("it is logged", || {
        logged(&filter, "the interface is named old0 now") == 1
    });
    // Until another interface has the name, the filter stays: the policy may be about to get the new name.
    assert_eq!(scene.program_on("old0"), scene.program_on("corp0"));
    let running = scene.op25b(&["status", "--json"]).json()["filters"][0]["interfaces"].clone();
    let mut running = running.as_array().unwrap().iter();
    assert!(
        running.any(|interface| interface["name"] == "old0"),
        "{running:?}"
    );

    scene.ip(&["link set next0 name sub0"]);
    await_sub0(&scene, &filter);
    assert_eq!(scene.program_on("old0"), None);
    assert_eq!(logged(&filter, "another interface bears the name"), 1);
    assert_eq!(pins(&scene), ["corp0", "sub0"]);
    assert_eq!(scene.interface_report("sub0")["interferences"], 0);
}

#[test]
fn while_no_interface_bears_its_name_a_renamed_one_gets_each_generation() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    scene.ip(&["link set sub0 down", "link set sub0 name old0"]);
    eventually("it is noticed", || {
        scene.interface_report("sub0")["state"] == "missing"
    });
    let before = scene.program_on("old0").unwrap();
    filter.reload().unwrap();
    let after = scene.program_on("old0").unwrap();
    assert_ne!(before, after);
    assert_eq!(Some(after), scene.program_on("corp0"));
    assert_eq!(scene.daemon_report()["state"], "degraded");
    assert_eq!(logged(&filter, "\"detached"), 0, "{}", filter.log());
    assert_eq!(pins(&scene), ["corp0", "sub0"]);
    // The same by a restart.
    filter.leave_by(nix::sys::signal::Signal::SIGKILL).unwrap();
    let filter = scene.filter(&scene.policy(SMALL));
    assert_eq!(scene.program_on("old0"), scene.program_on("corp0"));
    scene.ip(&["link set old0 name sub0"]);
    eventually("it is enforced", || {
        scene.interface_report("sub0")["state"] == "enforced"
    });
    assert_eq!(logged(&filter, "\"attached\""), 0, "{}", filter.log());
}

#[test]
fn an_interface_that_takes_the_name_of_one_in_another_namespace_is_filtered() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let was = index(&scene, "sub0");
    let elsewhere = scene.lab.host(Host::Internet).name().to_owned();
    scene.ip(&[&format!("link set sub0 netns {elsewhere}")]);
    eventually("it is noticed", || {
        scene.interface_report("sub0")["state"] == "missing"
    });
    eventually("it is logged", || {
        logged(&filter, "the interface is in another network namespace") == 1
    });
    // One of the same index shows that the index alone identifies no interface.
    scene.ip(&[&format!("link add sub0 index {was} type veth peer name sub1")]);
    await_sub0(&scene, &filter);
    assert_eq!(pins(&scene), ["corp0", "sub0"]);
}

#[test]
fn an_interface_that_returns_from_another_namespace_is_enforced_again() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let internet = scene.lab.host(Host::Internet);
    let [there, here] = [internet.name(), scene.router().name()].map(str::to_owned);
    scene.ip(&[&format!("link set sub0 netns {there}")]);
    eventually("it is noticed", || {
        scene.interface_report("sub0")["state"] == "missing"
    });
    let mut back = std::process::Command::new("ip");
    back.args(["link", "set", "sub0", "netns", &here]);
    let moved = internet.run(move || Ok(back.status()?)).unwrap();
    assert!(moved.success());
    await_sub0(&scene, &filter);
    assert_eq!(scene.interface_report("sub0")["interferences"], 0);
}

#[test]
fn interfaces_that_swap_their_names_are_both_filtered_with_the_programs_of_their_new_roles() {
    let scene = Scene::new();
    scene.ip(&[
        "link add a0 type veth peer name a1",
        "link add b0 type veth peer name b1",
    ]);
    let policy = SMALL
        .replace("sub0, role: subscriber", "a0, role: subscriber")
        .replace("corp0, role: subscriber", "b0, role: uplink");
    let filter = scene.filter(&scene.policy(&policy));
    let before = (scene.program_on("a0"), scene.program_on("b0"));
    assert_ne!(before.0, before.1);
    scene.ip(&[
        "link set a0 name c0",
        "link set b0 name a0",
        "link set c0 name b0",
    ]);
    eventually("each runs its program", || {
        (scene.program_on("a0"), scene.program_on("b0")) == before
    });
    for interface in ["a0", "b0"] {
        assert_eq!(
            scene.interface_report(interface)["state"],
            "enforced",
            "{}",
            filter.log()
        );
        assert_eq!(
            scene.interface_report(interface)["ifindex"],
            index(&scene, interface)
        );
    }
    assert_eq!(pins(&scene), ["a0", "b0"]);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn a_policy_that_follows_a_renamed_interface_is_loaded_and_taken_over_without_a_gap() {
    let scene = Scene::new();
    let filter = scene.filter(&scene.policy(SMALL));
    let was = index(&scene, "sub0");
    scene.ip(&["link set sub0 down", "link set sub0 name new0"]);
    scene.policy(&SMALL.replace("sub0", "new0"));
    let before = scene.program_on("new0").unwrap();
    filter.reload().unwrap();
    let after = scene.program_on("new0").unwrap();
    assert_ne!(before, after);
    assert_eq!(index(&scene, "new0"), was);
    assert_eq!(scene.daemon_report()["state"], "enforced");
    assert_eq!(pins(&scene), ["corp0", "new0"]);
    // Replaced on its link, not detached and attached.
    assert_eq!(logged(&filter, "\"attached\""), 2, "{}", filter.log());

    // The same by a restart, and what a killed daemon left.
    filter.leave_by(nix::sys::signal::Signal::SIGKILL).unwrap();
    scene.ip(&["link set new0 name newer0"]);
    let filter = scene.filter(&scene.policy(&SMALL.replace("sub0", "newer0")));
    assert_eq!(scene.daemon_report()["state"], "enforced");
    assert_eq!(logged(&filter, "\"attached\""), 0, "{}", filter.log());
    assert_eq!(pins(&scene), ["corp0", "newer0"]);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}
