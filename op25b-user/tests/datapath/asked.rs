//! What `explain` relies on: a program is recognized by its tag, and each kind of tunnel is made as it is parsed.

use std::net::IpAddr;

use op25b::{
    datapath::{LoadOptions, LogLevel, TestRunner, probe::Packet},
    policy::{self, Role},
};
use op25b_common::{Reason, Tunnel, Verdict};

use crate::support::{filter, prepared, world::POOLS};

/// Different constants, one of which records decisions: the kernel takes other instructions out of each.
#[test]
fn the_tag_of_a_program_depends_on_its_instructions_and_not_on_its_constants_and_maps() {
    let tags = |sections: &str, options| {
        let mut filter = filter(sections, options);
        [Role::Subscriber, Role::Uplink].map(|role| filter.program_info(role).unwrap().tag())
    };
    let tracing = LoadOptions {
        log: LogLevel::Off,
        trace: true,
    };
    let usual = tags(POOLS, LoadOptions::default());
    assert_ne!(usual[0], usual[1]);
    let all = [
        tags(POOLS, LoadOptions::default()),
        tags(POOLS, LoadOptions::default()),
        tags(POOLS, tracing),
        tags(
            &format!("block: {{ ports: [25, 2525], action: reset }}\n{POOLS}"),
            tracing,
        ),
    ];
    assert_eq!(all, [usual; 4]);
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A SYN in these tunnels, with a source at each level.
fn packet(tunnels: &[Tunnel], sources: &[&str]) -> Packet {
    let sources: Vec<IpAddr> = sources.iter().map(|source| address(source)).collect();
    let destination = if sources[sources.len() - 1].is_ipv4() {
        "203.0.113.25"
    } else {
        "2001:db8:f::25"
    };
    Packet {
        sources,
        destination: address(destination),
        port: 25,
        vlan: Vec::new(),
        tunnels: tunnels.to_vec(),
    }
}

#[test]
fn a_syn_is_found_in_each_kind_of_tunnel_that_explain_makes() {
    const V4: &str = "198.51.100.20";
    const V6: &str = "2001:db8:100::20";
    let text = "version: 1\n\
        interfaces: [{ name: eth1, role: subscriber, tunnels: [4in6, 6in4, 4in4, 6in6, gre, eogre, l2tp] }]\n\
        pools: [{ name: homes, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }]\n";
    let policy = policy::parse("test.yaml", text).unwrap().policy;
    let (compiled, description) = prepared(&policy);
    let mut runner = TestRunner::load(&compiled, &description).unwrap();
    let mut kinds = Vec::new();
    for (tunnels, sources) in [
        (&[][..], &[V4][..]),
        (&[Tunnel::V4InV6], &[V6, "192.0.0.2"]),
        (&[Tunnel::V6InV4], &["192.0.2.9", V6]),
        (&[Tunnel::V4InV4], &["192.0.2.9", V4]),
        (&[Tunnel::V6InV6], &["3fff::9", V6]),
        (&[Tunnel::Gre], &["192.0.2.9", V4]),
        (&[Tunnel::Gre], &["192.0.2.9", V6]),
        (&[Tunnel::Gre], &["3fff::9", V4]),
        (&[Tunnel::EthernetInGre], &["192.0.2.9", V4]),
        (&[Tunnel::EthernetInGre], &["3fff::9", V6]),
        (&[Tunnel::L2tp], &["192.0.2.9", V4]),
        (&[Tunnel::L2tp], &["3fff::9", V6]),
        (&[Tunnel::V4InV6, Tunnel::Gre], &["3fff::9", "192.0.0.2", V4]),
        (&[Tunnel::L2tp, Tunnel::V4InV4], &["192.0.2.9", "192.0.2.10", V4]),
    ] {
        for vlan in [vec![], vec![100], vec![4095, 7]] {
            let packet = Packet {
                vlan,
                ..packet(tunnels, sources)
            };
            let decision = runner.run(&packet.frame().unwrap()).unwrap();
            assert_eq!(
                (decision.verdict, decision.reason, decision.rule),
                (Verdict::Drop, Reason::Blocked, Some(0)),
                "{packet:?}"
            );
            // To another port it would have been another row.
            let other = Packet { port: 587, ..packet };
            let decision = runner.run(&other.frame().unwrap()).unwrap();
            assert_eq!(decision.reason, Reason::OtherPort, "{other:?}");
        }
        kinds.extend(tunnels);
    }
    assert!(Tunnel::ALL.iter().all(|kind| kinds.contains(kind)));
}
