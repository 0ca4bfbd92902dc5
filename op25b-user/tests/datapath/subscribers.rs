//! The records of single subscribers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aya::maps::MapInfo;
use op25b::{
    datapath::{Filter, LoadOptions, Misses, destinations},
    policy::{RecordIndex, Role},
};
use op25b_common::{
    names::{COUNTERS, DESCRIPTION, MISSES_V6, SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::Subscriber,
};

use crate::support::{
    packet::{between, syn_header},
    parse, prepared,
    world::{V4, V6, WORLDS, bare, policy},
};

fn loaded(sections: &str) -> (Filter, RecordIndex) {
    let (compiled, description) = prepared(&parse(sections));
    let filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    (filter, compiled.record_index)
}

/// A SYN to port 25, or a segment of a connection.
fn frame(source: IpAddr, destination: IpAddr, is_syn: bool) -> Vec<u8> {
    let mut header = syn_header(25);
    header.syn = is_syn;
    header.ack = !is_syn;
    bare(&between(source, destination).tcp(header))
}

/// What counts, without times.
fn counts(subscriber: &Subscriber) -> [u32; 4] {
    [
        subscriber.hot.blocked_syns,
        subscriber.cold.blocked_others,
        subscriber.cold.monitored_syns,
        subscriber.cold.monitored_others,
    ]
}

fn prefix(address: IpAddr) -> u64 {
    match address {
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        IpAddr::V4(_) => panic!("{address} is IPv4"),
    }
}

#[test]
fn records_are_found_through_the_program_of_any_interface() {
    let (mut filter, _) = loaded(&policy(""));
    for role in [Role::Subscriber, Role::Uplink] {
        let maps = filter.program_info(role).unwrap().map_ids().unwrap().unwrap();
        let names: Vec<_> = maps
            .into_iter()
            .map(|id| MapInfo::from_id(id).unwrap().name_as_str().unwrap().to_owned())
            .collect();
        for name in [DESCRIPTION, COUNTERS, SUBSCRIBERS, SUBSCRIBERS_LRU, MISSES_V6] {
            assert!(
                names.iter().any(|found| found == name),
                "{role:?}: {name} is not in {names:?}"
            );
        }
    }
}

#[test]
fn blocked_packets_are_remembered_by_subscriber_and_no_others() {
    let (mut filter, record_index) = loaded(&policy(""));
    for world in WORLDS {
        for (source, destination) in [
            (world.exempt, world.server),
            (world.stranger, world.server),
            (world.subscriber, world.relay),
        ] {
            filter
                .run(Role::Subscriber, &frame(source, destination, true))
                .unwrap();
        }
        // An answer to the subscriber, which is blocked too, but is nothing that the subscriber did.
        let answer = between(world.server, world.subscriber);
        let mut header = syn_header(40_000);
        header.source_port = 25;
        filter.run(Role::Uplink, &bare(&answer.tcp(header))).unwrap();
    }
    assert!(filter.subscribers_v4(&record_index).unwrap().is_empty());
    assert!(filter.subscribers_v6().unwrap().is_empty());

    for world in WORLDS {
        for is_syn in [true, true, true, false, false] {
            filter
                .run(Role::Subscriber, &frame(world.subscriber, world.server, is_syn))
                .unwrap();
        }
    }
    let neighbour = Ipv4Addr::new(198, 51, 101, 6);
    filter
        .run(Role::Subscriber, &frame(neighbour.into(), V4.server, true))
        .unwrap();

    let v4 = filter.subscribers_v4(&record_index).unwrap();
    let v4: Vec<_> = v4
        .iter()
        .map(|(address, subscriber)| (IpAddr::V4(*address), counts(subscriber)))
        .collect();
    assert_eq!(
        v4,
        [(neighbour.into(), [1, 0, 0, 0]), (V4.subscriber, [3, 2, 0, 0])]
    );
    let v6 = filter.subscribers_v6().unwrap();
    assert_eq!(v6.len(), 1);
    assert_eq!((v6[0].0, counts(&v6[0].1)), (prefix(V6.subscriber), [3, 2, 0, 0]));
    // Those of this pool are in the array.
    assert_eq!(filter.misses_v6().unwrap(), Misses { begun: 0, lost: 0 });
}

#[test]
fn what_would_have_been_blocked_is_remembered_apart() {
    let monitored = "pools: [{ name: p, mode: monitor, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]\n";
    let (mut filter, record_index) = loaded(monitored);
    for world in WORLDS {
        for is_syn in [true, false] {
            filter
                .run(Role::Subscriber, &frame(world.subscriber, world.server, is_syn))
                .unwrap();
        }
    }
    let v4 = filter.subscribers_v4(&record_index).unwrap();
    assert_eq!(counts(&v4[0].1), [0, 0, 1, 1]);
    assert_eq!(counts(&filter.subscribers_v6().unwrap()[0].1), [0, 0, 1, 1]);
}

#[test]
fn addresses_of_one_ipv6_subscriber_share_a_record() {
    let (mut filter, _) = loaded(&policy(""));
    for interface in 0..20_u16 {
        let source = Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, interface, 0, 0, 7);
        filter
            .run(Role::Subscriber, &frame(source.into(), V6.server, true))
            .unwrap();
    }
    let v6 = filter.subscribers_v6().unwrap();
    assert_eq!(v6.len(), 1);
    assert_eq!(v6[0].1.hot.blocked_syns, 20);
}

#[test]
fn the_policy_sets_the_length_of_an_ipv6_subscribers_prefix() {
    for (length, records) in [(32, 1), (48, 2), (56, 3), (60, 4), (64, 5)] {
        let sections = policy(&format!("subscribers: {{ ipv6_prefix: {length} }}\n"));
        let (mut filter, _) = loaded(&sections);
        // Each differs from the first a bit earlier than the one before it.
        for high in [0_u64, 1, 0x10, 0x100, 0x1_0000].map(|differs| 0x2001_0db8_0101_0000 ^ differs) {
            let source = Ipv6Addr::from_bits(u128::from(high) << 64 | 7);
            filter
                .run(Role::Subscriber, &frame(source.into(), V6.server, true))
                .unwrap();
        }
        let v6 = filter.subscribers_v6().unwrap();
        assert_eq!(v6.len(), records, "/{length}: {v6:x?}");
        let packets: u32 = v6.iter().map(|(_, subscriber)| subscriber.hot.blocked_syns).sum();
        assert_eq!(packets, 5, "/{length}");
        assert!(
            v6.iter().all(|(prefix, _)| length == 64 || prefix << length == 0),
            "{v6:x?}"
        );
    }
}

#[test]
fn destinations_are_counted_about_right() {
    let (mut filter, record_index) = loaded(&policy(""));
    for count in [1_u8, 10, 100] {
        let source = Ipv4Addr::new(198, 51, 102, count);
        for host in 0..count {
            let destination = Ipv4Addr::from_bits(0xcb00_7100 + u32::from(host));
            for _ in 0..3 {
                filter
                    .run(Role::Subscriber, &frame(source.into(), destination.into(), true))
                    .unwrap();
            }
        }
        let found = filter.subscribers_v4(&record_index).unwrap();
        let (_, subscriber) = found.iter().find(|(address, _)| *address == source).unwrap();
        let estimate = destinations(subscriber.hot.destinations);
        assert!(
            estimate * 2 >= count.into() && estimate <= u32::from(count) * 2,
            "{estimate} for {count}"
        );
    }
}

#[test]
fn every_address_of_the_pools_has_its_own_record() {
    let pools = "pools:\n- { name: outer, prefixes: [198.51.100.0/24, 203.0.113.0/28] }\n\
                 - { name: inner, prefixes: [198.51.100.64/26] }\n";
    let (mut filter, record_index) = loaded(pools);
    let addresses: Vec<Ipv4Addr> = (0..=255)
        .map(|host| Ipv4Addr::new(198, 51, 100, host))
        .chain((0..16).map(|host| Ipv4Addr::new(203, 0, 113, host)))
        .collect();
    for (times, address) in addresses.iter().enumerate() {
        for _ in 0..=times % 3 {
            filter
                .run(Role::Subscriber, &frame((*address).into(), V4.server, true))
                .unwrap();
        }
    }
    let found = filter.subscribers_v4(&record_index).unwrap();
    assert_eq!(found.len(), addresses.len());
    for ((times, address), (found, subscriber)) in addresses.iter().enumerate().zip(&found) {
        assert_eq!(
            (address, times % 3 + 1),
            (found, subscriber.hot.blocked_syns as usize)
        );
    }
}
