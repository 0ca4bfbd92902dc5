//! Kinds of interfaces that this machine's kernel may not have, in a list that no kernel gave.

use super::*;
use crate::{
    datapath::{Need, sys::interfaces::XdpAttachment},
    policy::Role,
};

fn interface(name: &str, index: u32, kind: Option<&str>) -> Interface {
    Interface {
        name: name.into(),
        index,
        is_ethernet: true,
        kind: kind.map(Into::into),
        ..Interface::default()
    }
}

fn port(name: &str, index: u32, master: u32) -> Interface {
    Interface {
        master: Some(master),
        ..interface(name, index, None)
    }
}

fn running(mut interface: Interface, mode: &'static str) -> Interface {
    interface.xdp.push(XdpAttachment { mode, program_id: 7 });
    interface
}

fn targets(names: &[&str]) -> Vec<Target> {
    let target = |name: &&str| Target {
        interface: (*name).into(),
        role: Role::Subscriber,
        xdp: XdpMode::Auto,
        need: Need::Required,
    };
    names.iter().map(target).collect()
}

/// The refusal of an interface by its kind.
fn refusal(interfaces: &Interfaces, name: &str, mode: XdpMode) -> Option<String> {
    let interface = interfaces.named(name).unwrap();
    let error = check_kind(interfaces, interface, mode).err()?;
    Some(error.to_string())
}

#[test]
fn an_interface_whose_packets_a_program_would_not_see_is_refused_with_its_ports_named() {
    let refused = [
        (
            "bridge",
            "interface top0 is a bridge, and an XDP program on it does not see the packets that it forwards between its \
             ports; name those of its ports that the packets enter instead: eth1, eth2",
        ),
        (
            "team",
            "interface top0 is a team, whose driver takes no XDP program; name those of its ports that the packets enter \
             instead: eth1, eth2",
        ),
        (
            "vrf",
            "interface top0 is a VRF, and an XDP program on it does not see the packets that enter through its ports; \
             name those of its ports that the packets enter instead: eth1, eth2",
        ),
    ];
    for (kind, expected) in refused {
        let all: Interfaces = [
            interface("top0", 1, Some(kind)),
            port("eth2", 2, 1),
            port("eth1", 3, 1),
            port("eth3", 4, 9),
        ]
        .into_iter()
        .collect();
        for mode in [XdpMode::Auto, XdpMode::Native, XdpMode::Generic] {
            assert_eq!(refusal(&all, "top0", mode).as_deref(), Some(expected));
        }
        assert_eq!(refusal(&all, "eth1", XdpMode::Native), None);
    }
}

#[test]
fn an_open_vswitch_bridge_names_the_ports_of_all_such_bridges() {
    let all: Interfaces = [
        interface("ovs-system", 1, Some("openvswitch")),
        interface("br0", 2, Some("openvswitch")),
        port("eth1", 3, 1),
        port("eth2", 4, 1),
        port("eth3", 5, 6),
        interface("lag0", 6, Some("bond")),
    ]
    .into_iter()
    .collect();
    let refusal = refusal(&all, "br0", XdpMode::Auto).unwrap();
    assert!(refusal.ends_with("instead: eth1, eth2"), "{refusal}");
}

#[test]
fn a_device_without_a_native_mode_names_its_parent() {
    for (kind, shown) in [("vlan", "VLAN"), ("macvlan", "macvlan")] {
        let upper = Interface {
            linked_to: Some(1),
            ..interface("eth1.100", 2, Some(kind))
        };
        let all: Interfaces = [interface("eth1", 1, None), upper].into_iter().collect();
        assert_eq!(
            refusal(&all, "eth1.100", XdpMode::Native).unwrap(),
            format!(
                "interface eth1.100 is a {shown} device, which has no native mode; name eth1, the interface below it, to \
                 filter all that eth1 carries in native mode, or set `xdp: generic`, which is several times slower"
            )
        );
        for mode in [XdpMode::Auto, XdpMode::Generic] {
            assert_eq!(refusal(&all, "eth1.100", mode), None);
        }
    }
    // A parent in another network namespace has no name here.
    let all: Interfaces = [interface("eth1.100", 2, Some("vlan"))].into_iter().collect();
    let refusal = refusal(&all, "eth1.100", XdpMode::Native).unwrap();
    assert!(refusal.ends_with("no native mode; set `xdp: generic`, which is several times slower"));
}

#[test]
fn two_names_of_one_interface_are_refused() {
    let mut eth1 = interface("eth1", 1, None);
    eth1.alternative_names.push("enp3s0".into());
    let all: Interfaces = [eth1, interface("eth2", 2, None)].into_iter().collect();
    let error = check_together(&all, &targets(&["eth1", "eth2", "enp3s0"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "eth1 and enp3s0 are names of one interface (eth1); name it once"
    );
    // An interface that is missing is another matter.
    assert_eq!(
        check_together(&all, &targets(&["enp3s0", "eth2", "eth9"])),
        Ok(())
    );
}

#[test]
fn an_interface_and_a_port_of_it_are_refused_together() {
    let mut inner = port("lag1", 2, 1);
    inner.kind = Some("bond".into());
    let all: Interfaces = [interface("lag0", 1, Some("bond")), inner, port("eth1", 3, 2)]
        .into_iter()
        .collect();
    for names in [["lag0", "eth1"], ["eth1", "lag0"]] {
        let error = check_together(&all, &targets(&names)).unwrap_err();
        let expected = KindError::PortOfAnother {
            port: "eth1".into(),
            master: "lag0".into(),
        };
        assert_eq!(error, expected);
    }
    assert_eq!(check_together(&all, &targets(&["eth1"])), Ok(()));
}

#[test]
fn a_port_of_a_bond_that_runs_a_program_and_a_bond_with_such_ports_are_refused() {
    let bond = || interface("lag0", 1, Some("bond"));
    let all: Interfaces = [running(bond(), "native"), port("eth1", 2, 1)]
        .into_iter()
        .collect();
    let eth1 = all.named("eth1").unwrap();
    for mode in [XdpMode::Native, XdpMode::Generic] {
        let error = check_neighbours(&all, eth1, mode).unwrap_err();
        assert!(matches!(error, KindError::UpperRuns { id: 7, .. }), "{error}");
    }

    let all: Interfaces = [
        bond(),
        running(port("eth1", 2, 1), "native"),
        port("eth2", 3, 1),
        running(port("eth3", 4, 1), "generic"),
    ]
    .into_iter()
    .collect();
    let lag0 = all.named("lag0").unwrap();
    let error = check_neighbours(&all, lag0, XdpMode::Auto).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ports of lag0 run XDP programs (eth1, eth3), and the kernel runs none on lag0 in native mode then; \
         remove them first, or name the ports instead"
    );
    assert_eq!(check_neighbours(&all, lag0, XdpMode::Generic), Ok(()));
}

#[test]
fn an_interface_below_another_that_runs_a_program_is_refused_and_the_peer_of_a_veth_device_is_not() {
    for (kind, is_refused) in [("vlan", true), ("macvlan", true), ("veth", false)] {
        let upper = Interface {
            linked_to: Some(1),
            ..running(interface("up", 2, Some(kind)), "generic")
        };
        let all: Interfaces = [interface("eth1", 1, None), upper].into_iter().collect();
        let checked = check_neighbours(&all, all.named("eth1").unwrap(), XdpMode::Auto);
        assert_eq!(checked.is_err(), is_refused, "{kind}");
    }
}

#[test]
fn the_conduit_of_a_switch_is_refused_with_the_ports_of_the_switch() {
    let port = |name, index| Interface {
        linked_to: Some(1),
        ..interface(name, index, Some("dsa"))
    };
    let all: Interfaces = [interface("eth0", 1, None), port("lan2", 2), port("lan1", 3)]
        .into_iter()
        .collect();
    let text = refusal(&all, "eth0", XdpMode::Native).unwrap();
    assert!(
        text.starts_with("interface eth0 is the conduit of a DSA switch, ")
            && text.ends_with("instead: lan1, lan2"),
        "{text}"
    );
    assert_eq!(refusal(&all, "lan1", XdpMode::Auto), None);
}
