//! Settings of interfaces that disagree with the policy are warned of, by a start, a reload, the status and `op25b check --here`.

use op25b_testlab::ethtool;

use crate::support::scene::{SMALL, Scene, eventually};

/// What is said about sub0, which is a veth device: like a NIC it takes tags off.
const WARNING: &str = "sub0 takes the VLAN tag off received frames (rxvlan is on), so in native mode replies to tagged \
     subscribers leave without their tag and do not reach them: `ethtool -K sub0 rxvlan off`";

fn with_resets() -> String {
    format!("{SMALL}block: {{ action: reset }}\n")
}

fn turn_rxvlan_off(scene: &Scene, interface: &'static str) {
    let turn = move || ethtool::turn_vlan_receive_offload_off(interface);
    scene.router().run(turn).unwrap();
}

/// The warnings of the daemon about an interface by its number in the policy.
fn warnings(scene: &Scene, interface: usize) -> Vec<String> {
    let report = scene.daemon_report();
    let warnings = report["interfaces"][interface]["warnings"]
        .as_array()
        .unwrap()
        .iter();
    warnings
        .map(|warning| warning.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn tags_that_the_nic_takes_off_are_warned_of_where_replies_would_lose_them() {
    let scene = Scene::new();
    // Drop replies to nobody, and needs no tag.
    let filter = scene.filter(&scene.policy(SMALL));
    assert!(
        !filter.log().contains("takes the VLAN tag off"),
        "{}",
        filter.log()
    );
    assert_eq!(warnings(&scene, 0), [""; 0]);

    // A reload with replies warns, of each interface in native mode.
    turn_rxvlan_off(&scene, "corp0");
    scene.policy(&with_resets());
    let reload = scene.op25b(&["reload", "--json"]);
    let printed = reload.json()["warnings"].to_string();
    assert!(printed.contains(WARNING), "{reload:?}");
    assert!(
        !printed.contains("corp0 takes the VLAN tag off received frames (rxvlan"),
        "{reload:?}"
    );
    assert!(filter.log().contains(WARNING), "{}", filter.log());
    assert!(
        warnings(&scene, 0)[0].starts_with(WARNING),
        "{:?}",
        warnings(&scene, 0)
    );
    let status = scene.op25b(&["status"]).stdout;
    assert!(status.contains(&format!("WARNING sub0: {WARNING}")), "{status}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));

    // So does a start, and not of an interface in generic mode.
    let generic = with_resets().replace("corp0, role: subscriber", "corp0, role: subscriber, xdp: generic");
    let filter = scene.filter(&scene.policy(&generic));
    assert!(filter.log().contains(WARNING), "{}", filter.log());
    assert_eq!(warnings(&scene, 1), [""; 0]);

    // The warning goes when the setting is changed, though nothing reports that.
    turn_rxvlan_off(&scene, "sub0");
    scene.policy(&with_resets());
    assert_eq!(scene.op25b(&["reload"]).code, Some(0));
    eventually("it is gone", || {
        let of_customer_tags = |warning: &String| warning.contains("(rxvlan is on)");
        !warnings(&scene, 0).iter().any(of_customer_tags)
    });
}

#[test]
fn a_check_here_examines_the_interfaces_of_this_machine_and_changes_nothing() {
    let scene = Scene::new();
    scene.ip(&[
        "link add br9 type bridge",
        "link add vx0 type vxlan id 5 dstport 4789",
    ]);
    let more = "  - { name: br9, role: subscriber }\n  - { name: vx0, role: subscriber, xdp: native }\n  \
         - { name: eth9, role: subscriber }\n  - { name: eth8, role: subscriber, wait: true }\npools";
    let policy = scene.policy(&with_resets().replace("pools", more));
    let policy = policy.to_str().unwrap();

    // Without the option a policy is checked for any machine.
    let elsewhere = scene.op25b(&["check", "--strict", policy]);
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:?}");

    let here = scene.op25b(&["check", "--here", "--json", policy]);
    assert_eq!(here.code, Some(0), "{here:?}");
    let findings = here.json()["here"].clone();
    let about = |interface: &str| {
        let findings = findings.as_array().unwrap().iter();
        let about = findings.filter(|finding| finding["interface"] == interface);
        about
            .map(|finding| finding["message"].to_string())
            .collect::<String>()
    };
    assert!(about("sub0").contains(WARNING), "{findings}");
    assert!(about("br9").contains("is a bridge"), "{findings}");
    assert!(
        about("vx0").contains("the driver vxlan runs no XDP programs as the interface is configured now")
            && about("vx0").contains("so `xdp: native` is refused"),
        "{findings}"
    );
    assert!(about("eth9").contains("there is no interface eth9"), "{findings}");
    assert_eq!(about("eth8"), "");
    assert_eq!(scene.attached(), []);

    let text = scene.op25b(&["check", "--here", "--strict", policy]);
    assert_eq!(text.code, Some(1), "{text:?}");
    assert!(
        text.stderr.contains(&format!("warning: sub0: {WARNING}")),
        "{text:?}"
    );
}
