//! Packets that hide their ports are counted in their subscriber's record.

use std::net::Ipv4Addr;

use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions},
    policy::{RecordIndex, Role},
};
use op25b_common::values::Subscriber;

use crate::support::{
    packet::{Ends, Extension, Packet, between, syn_header},
    parse, prepared,
    world::{V4, V6, WORLDS, World, bare, policy},
};

fn loaded(sections: &str) -> (Filter, RecordIndex) {
    let (compiled, description) = prepared(&parse(sections));
    let filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    (filter, compiled.record_index)
}

/// TCP whose ports cannot be read: cut off before them, in a fragment at offset 1, or after nine extension headers.
fn hidden(ends: Ends, world: World) -> Vec<Packet> {
    let segment = ends.segment(syn_header(25), &[]);
    if world.name == "IPv4" {
        vec![
            ends.v4_fragment(IpNumber::TCP, &segment[8..], 1, false),
            ends.carrying(IpNumber::TCP, &segment[..3]),
        ]
    } else {
        vec![
            ends.v6(&[Extension::DESTINATION_OPTIONS; 9], IpNumber::TCP, &segment),
            ends.carrying(IpNumber::TCP, &segment[..3]),
        ]
    }
}

/// The records of both families, IPv4 first.
fn records(filter: &Filter, record_index: &RecordIndex) -> Vec<Subscriber> {
    let v4 = filter.subscribers_v4(record_index).unwrap();
    let v6 = filter.subscribers_v6().unwrap();
    let v4 = v4.into_iter().map(|(_, record)| record);
    v4.chain(v6.into_iter().map(|(_, record)| record)).collect()
}

#[test]
fn packets_that_hide_their_ports_are_counted_in_their_subscribers_record_whatever_becomes_of_them() {
    let monitored =
        "pools: [{ name: p, mode: monitor, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]\n".to_owned();
    for sections in [policy(""), policy("block: { uninspectable: pass }\n"), monitored] {
        let (mut filter, record_index) = loaded(&sections);
        for world in WORLDS {
            for packet in hidden(world.outbound(), world) {
                filter.run(Role::Subscriber, &bare(&packet)).unwrap();
            }
        }
        let found = records(&filter, &record_index);
        assert_eq!(found.len(), 2, "{found:?} {sections}");
        for record in found {
            let Subscriber {
                hot, cold, hidden, ..
            } = record;
            assert_eq!(hidden, 2, "{record:?} {sections}");
            assert_eq!((hot.destinations, hot.blocked_syns), (0, 0), "{record:?}");
            let others = (cold.blocked_others, cold.monitored_syns, cold.monitored_others);
            assert_eq!(others, (0, 0, 0), "{record:?}");
            assert!(
                hot.last_seen >= cold.first_seen && cold.first_seen != 0,
                "{record:?}"
            );
        }
    }
}

#[test]
fn hidden_and_blocked_packets_share_a_record_and_are_counted_apart() {
    let (mut filter, record_index) = loaded(&policy(""));
    for world in WORLDS {
        let mut packets = hidden(world.outbound(), world);
        packets.extend([
            world.outbound().syn(25),
            world.outbound().syn(25),
            world.outbound().syn(25),
        ]);
        for packet in packets {
            filter.run(Role::Subscriber, &bare(&packet)).unwrap();
        }
    }
    let found = records(&filter, &record_index);
    let counts: Vec<_> = found
        .iter()
        .map(|record| (record.hot.blocked_syns, record.hidden))
        .collect();
    assert_eq!(counts, [(3, 2), (3, 2)]);
}

#[test]
fn neighbours_have_their_own_hidden_packets() {
    /// Of a pool of 4096 addresses: the first and the last of a block of records are among them.
    const HOSTS: [u32; 6] = [0, 1, 255, 1023, 1024, 4095];
    let (mut filter, record_index) = loaded("pools: [{ name: p, prefixes: [198.51.96.0/20] }]\n");
    let first = Ipv4Addr::new(198, 51, 96, 0).to_bits();
    for host in HOSTS {
        let source = Ipv4Addr::from_bits(first + host);
        for packet in hidden(between(source, V4.server), V4) {
            filter.run(Role::Subscriber, &bare(&packet)).unwrap();
        }
    }
    let found = filter.subscribers_v4(&record_index).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(address, record)| (address.to_bits() - first, record.hidden))
        .collect();
    assert_eq!(found, HOSTS.map(|host| (host, 2)));
}

#[test]
fn strangers_uplinks_and_fragments_of_tunnels_are_in_nobodys_record() {
    let (mut filter, record_index) = loaded(&policy(""));
    for world in WORLDS {
        for packet in hidden(world.foreign(), world) {
            filter.run(Role::Subscriber, &bare(&packet)).unwrap();
        }
        // From the Internet, whose sources anybody can forge, to a subscriber.
        for packet in hidden(between(world.server, world.subscriber), world) {
            filter.run(Role::Uplink, &bare(&packet)).unwrap();
        }
    }
    // The inner source is in another fragment.
    let (compiled, description) = prepared(
        &op25b::policy::parse(
            "test.yaml",
            &format!(
                "version: 1\ninterfaces: [{{ name: eth1, role: subscriber, tunnels: [6in4] }}]\n{}",
                policy("")
            ),
        )
        .unwrap()
        .policy,
    );
    let mut tunnelled = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let inner = V6.outbound().syn(25);
    let fragment = V4
        .foreign()
        .v4_fragment(IpNumber(41), &inner.bytes[..16], 0, true);
    tunnelled.run(Role::Subscriber, &bare(&fragment)).unwrap();
    for (filter, record_index) in [(&filter, &record_index), (&tunnelled, &compiled.record_index)] {
        assert_eq!(records(filter, record_index), []);
    }
}
