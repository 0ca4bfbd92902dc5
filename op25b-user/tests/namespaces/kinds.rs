//! Kinds of interfaces: those on which an XDP program sees no packets are refused with what to name instead, and each name of
//! an interface names it.

use op25b_testlab::lab::Servers;

use crate::support::{
    foreign_program,
    scene::{SMALL, Scene, eventually},
};

/// The subscriber's and the Internet's port in a bridge, which has the router's addresses.
const BRIDGE: [&str; 8] = [
    "link add br0 type bridge",
    "link set sub0 master br0",
    "link set up0 master br0",
    "link set br0 up",
    "addr flush dev sub0",
    "addr add 198.51.100.1/25 dev br0",
    "addr add 2001:db8:100::1/64 dev br0 nodad",
    "-6 route flush dev sub0",
];

const BRIDGE_REFUSED: &str = "interface br0 is a bridge, and an XDP program on it does not see the packets that it \
    forwards between its ports; name those of its ports that the packets enter instead: sub0, up0";

/// A policy for this interface instead of sub0.
fn on(interface: &str, xdp: &str) -> String {
    let entry = format!("name: {interface}, role: subscriber, xdp: {xdp}");
    SMALL.replace("name: sub0, role: subscriber", &entry)
}

#[test]
fn a_bridge_is_refused_with_its_ports_named_at_a_start_and_at_a_reload() {
    let scene = Scene::new();
    scene.ip(&BRIDGE);
    for xdp in ["auto", "native", "generic"] {
        let policy = scene.policy(&on("br0", xdp));
        let filter = scene.filter(&policy);
        let report = scene.daemon_report();
        assert_eq!(report["state"], "degraded");
        assert_eq!(report["interfaces"][0]["why"], BRIDGE_REFUSED);
        assert_eq!(scene.modes().len(), 1, "{}", filter.log());
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }

    let filter = scene.filter(&scene.policy(SMALL));
    let before = scene.attached();
    scene.policy(&on("br0", "auto"));
    for words in [&["reload", "--dry-run", "--json"][..], &["reload", "--json"]] {
        let answer = scene.op25b(words);
        assert_eq!(answer.json()["refused"], BRIDGE_REFUSED, "{answer:?}");
        assert_eq!(scene.attached(), before);
    }
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}

#[test]
fn what_enters_a_port_of_a_bridge_is_blocked_on_the_port() {
    let scene = Scene::new();
    scene.ip(&["link add br0 type bridge", "link set sub0 master br0"]);
    scene.ip(&BRIDGE[3..]);
    let servers = Servers::start(&scene.lab).unwrap();
    scene.assert_open(&servers);
    let filter = scene.filter(&scene.policy(SMALL));
    assert!(scene.modes().contains(&("sub0".to_owned(), "native")));
    scene.assert_blocked(&servers, &filter);
}

#[test]
fn an_interface_that_appears_as_a_bridge_is_not_called_enforced() {
    let scene = Scene::new();
    let policy = SMALL.replace("name: corp0", "name: late0, wait: true");
    let filter = scene.filter(&scene.policy(&policy));
    scene.ip(&["link add late0 type bridge"]);
    eventually("it is refused", || {
        filter.log().contains("interface late0 is a bridge")
    });
    let report = scene.daemon_report();
    assert_ne!(report["interfaces"][1]["state"], "enforced", "{report}");
    assert_eq!(scene.modes(), [("sub0".to_owned(), "native")]);
}

#[test]
fn an_interface_is_found_by_another_of_its_names_and_kept_under_it() {
    let scene = Scene::new();
    let servers = Servers::start(&scene.lab).unwrap();
    scene.ip(&["link property add dev sub0 altname customers-of-the-east"]);
    let filter = scene.filter(&scene.policy(&on("customers-of-the-east", "auto")));
    let state = |scene: &Scene| scene.daemon_report()["interfaces"][0].clone();
    assert_eq!(state(&scene)["name"], "customers-of-the-east");
    assert_eq!(state(&scene)["state"], "enforced");
    scene.assert_blocked(&servers, &filter);

    let before = scene.attached();
    let reload = scene.op25b(&["reload"]);
    assert_eq!(reload.code, Some(0), "{reload:?}");
    let after = scene.attached();
    assert!(after.iter().all(|after| !before.contains(after)), "{after:?}");
    assert_eq!(after.len(), before.len());
    scene.assert_blocked(&servers, &filter);

    // It is found again under that name, too.
    let [(_, pins), ..] = scene.router().places();
    foreign_program::detach(&pins.join("links").join("customers-of-the-east"));
    eventually("it is put back", || scene.attached().len() == 2);
    assert_eq!(state(&scene)["state"], "enforced");
    scene.assert_blocked(&servers, &filter);
    assert_eq!(
        filter.log().matches("\"reattached\"").count(),
        1,
        "{}",
        filter.log()
    );
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_eq!(scene.attached(), []);
}

#[test]
fn an_interface_that_the_policy_names_twice_is_refused() {
    let scene = Scene::new();
    scene.ip(&["link property add dev corp0 altname customers-of-the-east"]);
    let filter = scene.filter(&scene.policy(&on("customers-of-the-east", "auto")));
    let refusal = "customers-of-the-east and corp0 are names of one interface (corp0); name it once";
    assert!(filter.log().contains(refusal), "{}", filter.log());
    assert_eq!(scene.attached().len(), 1);

    scene.policy(SMALL);
    filter.reload().unwrap();
    scene.policy(&on("customers-of-the-east", "auto"));
    let answer = scene.op25b(&["reload", "--json"]);
    assert_eq!(answer.json()["refused"], refusal, "{answer:?}");
}

#[test]
fn the_filter_runs_on_a_device_and_below_it_and_below_is_refused_while_it_runs_above() {
    let scene = Scene::new();
    scene.ip(&["link add mac0 link sub0 type macvlan"]);
    let both = SMALL.replace(
        "  - { name: sub0",
        "  - { name: mac0, role: subscriber }\n  - { name: sub0",
    );
    let filter = scene.filter(&scene.policy(&both));
    assert_eq!(scene.modes().len(), 3);

    scene.policy(&on("mac0", "auto"));
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    let before = scene.attached();
    let (.., id) = before.iter().find(|(name, ..)| name == "mac0").unwrap();
    scene.policy(&both);
    let answer = scene.op25b(&["reload", "--json"]);
    assert_eq!(
        answer.json()["refused"],
        format!(
            "interface sub0 is below mac0, which runs an XDP program (id {id}), and the kernel attaches none below then; \
             remove that one first, if it is op25b's by a reload of a policy without mac0"
        )
    );
    assert_eq!(scene.attached(), before);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
