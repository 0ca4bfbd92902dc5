//! Segments of exempt subscribers that open a connection are counted by subscriber, where there is a threshold for them.

use std::net::IpAddr;

use etherparse::TcpHeader;
use ipnet::IpNet;
use op25b::{
    datapath::{Filter, LoadOptions},
    policy::Role,
};
use op25b_common::names::EXEMPT_SYNS;

use crate::support::{
    filter,
    kernel::{instructions_used, maps_used},
    packet::{Packet, between, syn_header},
    world::{POOLS, V4, V6, WORLDS, bare, policy},
};

const ALERTS: &str = "alerts: { exempt_syns_per_minute: 100 }\n";

fn run(filter: &mut Filter, role: Role, packet: &Packet) {
    filter.run(role, &bare(packet)).unwrap();
}

/// What is counted, in ascending order.
fn counted(filter: &Filter) -> Vec<(String, u32)> {
    let mut counted = filter.exempt_syns().unwrap();
    counted.sort_unstable();
    let text = |(net, syns): (IpNet, u32)| (net.to_string(), syns);
    counted.into_iter().map(text).collect()
}

/// A segment of a connection that is open.
fn established() -> TcpHeader {
    let mut header = syn_header(25);
    (header.syn, header.ack) = (false, true);
    header
}

#[test]
fn what_an_exempt_subscriber_opens_is_counted_and_nothing_else() {
    let mut filter = filter(&policy(ALERTS), LoadOptions::default());
    for world in WORLDS {
        let exempt = || between(world.exempt, world.server);
        for _ in 0..3 {
            run(&mut filter, Role::Subscriber, &exempt().syn(25));
        }
        for packet in [
            exempt().tcp(established()),
            exempt().syn(587),
            exempt().udp(25),
            between(world.exempt, world.relay).syn(25),
            world.outbound().syn(25),
            world.foreign().syn(25),
        ] {
            run(&mut filter, Role::Subscriber, &packet);
        }
        // A server's answer, and a connection to the customer's own server.
        let mut answer = syn_header(40_000);
        (answer.ack, answer.source_port) = (true, 25);
        for packet in [
            between(world.server, world.exempt).tcp(answer),
            between(world.server, world.exempt).syn(25),
        ] {
            run(&mut filter, Role::Uplink, &packet);
        }
    }
    assert_eq!(
        counted(&filter),
        [
            (format!("{}/32", V4.exempt), 3),
            ("2001:db8:108::/56".to_owned(), 3)
        ]
    );
}

#[test]
fn subscribers_are_told_apart_also_outside_of_pools() {
    let exemptions = "exemptions: [{ customer: Example KK, prefixes: [198.51.100.8/29, 192.0.2.200, '2001:db8:108::/48'] }]\n";
    let mut filter = filter(&[ALERTS, POOLS, exemptions].concat(), LoadOptions::default());
    let mut from = |source: &str, packets: usize| {
        let source: IpAddr = source.parse().unwrap();
        let server = if source.is_ipv4() { V4.server } else { V6.server };
        for _ in 0..packets {
            run(&mut filter, Role::Subscriber, &between(source, server).syn(25));
        }
    };
    from("198.51.100.8", 1);
    from("198.51.100.9", 2);
    from("192.0.2.200", 3);
    // Two networks of one subscriber, and another one's.
    from("2001:db8:108:1::1", 4);
    from("2001:db8:108:ff::1", 5);
    from("2001:db8:108:100::1", 6);
    let expected = [
        ("192.0.2.200/32", 3),
        ("198.51.100.8/32", 1),
        ("198.51.100.9/32", 2),
        ("2001:db8:108::/56", 9),
        ("2001:db8:108:100::/56", 6),
    ];
    assert_eq!(
        counted(&filter),
        expected.map(|(net, syns)| (net.to_owned(), syns))
    );
}

#[test]
fn without_a_threshold_the_loaded_program_has_no_trace_of_it() {
    for role in [Role::Subscriber, Role::Uplink] {
        let sizes = ["alerts: { syns_per_minute: 100 }\n", ALERTS].map(|alerts| {
            let mut filter = filter(&policy(alerts), LoadOptions::default());
            let info = filter.program_info(role).unwrap();
            let is_counted = alerts == ALERTS && role == Role::Subscriber;
            assert_eq!(maps_used(&info).contains(EXEMPT_SYNS), is_counted);
            instructions_used(&info).len()
        });
        println!("{role:?}: {sizes:?} instructions");
        assert_eq!(sizes[0] < sizes[1], role == Role::Subscriber, "{sizes:?}");
    }
}
