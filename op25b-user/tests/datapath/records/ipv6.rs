//! Each IPv6 subscriber has one record, which no neighbour shares, in the array or, where there are too many, in the LRU map.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use op25b::{
    datapath::{Filter, LoadOptions, Misses},
    policy::Role,
};

use crate::support::{
    packet::{between, syn_header},
    parse, prepared,
    world::{V4, V6, bare},
};

/// Pools of both families: with several prefixes, with one inside another, with parts of one subscriber, left out of what is
/// remembered, and with more subscribers than the array has records.
const POOLS: &str = "\
subscribers: { remember: [homes, flats, wide, inner] }
pools:
- name: homes
  prefixes: [198.51.100.0/24, '2001:db8:100::/48', '2001:db8:103::/48', '2001:db8:200:710::/60', '2001:db8:204::/57']
- name: flats
  prefixes: [203.0.113.0/28, '2001:db8:100:8000::/50', '2001:db8:200:720::/60', '2001:db8:200:73f::7/128']
- name: unseen
  prefixes: [192.0.2.0/28, '2001:db8:101::/48', '2001:db8:200:730::/60', '2001:db8:100:1000::/52', '2001:e00::/28']
- name: wide
  prefixes: ['2001:dc0::/28']
- name: inner
  prefixes: ['2001:dc0:1::/48', '2001:dc0:2:700::/64']
";

/// Sources, and whether they are in a pool that is remembered: the first and the last subscriber of each prefix, and their neighbours.
const SOURCES: [(&str, bool); 39] = [
    ("2001:db8:ff:ff00::1", false),
    ("2001:db8:100::1", true),
    ("2001:db8:100:ff:ffff:ffff:ffff:ffff", true),
    ("2001:db8:100:100::1", true),
    ("2001:db8:100:f00::1", true),
    ("2001:db8:100:1000::1", false),
    ("2001:db8:100:1f00::1", false),
    ("2001:db8:100:2000::1", true),
    ("2001:db8:100:7fff::1", true),
    ("2001:db8:100:8000::1", true),
    ("2001:db8:100:bf00::1", true),
    ("2001:db8:100:c000::1", true),
    ("2001:db8:100:ff00::1", true),
    ("2001:db8:101::1", false),
    ("2001:db8:101:ff00::1", false),
    ("2001:db8:102:ff00::1", false),
    ("2001:db8:103::1", true),
    ("2001:db8:103:ff00::1", true),
    ("2001:db8:104::1", false),
    ("2001:db8:200:6ff::1", false),
    ("2001:db8:200:70f::1", false),
    ("2001:db8:200:710::1", true),
    ("2001:db8:200:71f::1", true),
    ("2001:db8:200:720::1", true),
    ("2001:db8:200:730::1", false),
    ("2001:db8:200:73f::7", true),
    ("2001:db8:200:800::1", false),
    ("2001:db8:204::1", true),
    ("2001:db8:204:7f::1", true),
    ("2001:db8:204:80::1", false),
    ("2001:dbf:ffff:ff00::1", false),
    ("2001:dc0::1", true),
    ("2001:dc0:1::1", true),
    ("2001:dc0:1:ff00::1", true),
    ("2001:dc0:2::1", true),
    ("2001:dc0:2:700::1", true),
    ("2001:dc0:2:701::1", true),
    ("2001:dcf:ffff:ff00::1", true),
    ("2001:dd0::1", false),
];

/// The first 64 bits of the /56 of an address.
fn subscriber(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64 & !0xff
}

fn syns(filter: &mut Filter, source: IpAddr, count: u32) {
    let server = if source.is_ipv4() { V4.server } else { V6.server };
    for _ in 0..count {
        let frame = bare(&between(source, server).tcp(syn_header(25)));
        filter.run(Role::Subscriber, &frame).unwrap();
    }
}

#[test]
fn every_ipv6_subscriber_has_one_record_and_no_neighbour_shares_it() {
    let (compiled, description) = prepared(&parse(POOLS));
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let mut expected: BTreeMap<u64, u32> = BTreeMap::new();
    for (count, (source, is_remembered)) in (1..).zip(SOURCES) {
        let source: Ipv6Addr = source.parse().unwrap();
        syns(&mut filter, source.into(), count);
        if is_remembered {
            *expected.entry(subscriber(source)).or_default() += count;
        }
    }
    let fours = [
        Ipv4Addr::new(198, 51, 100, 0),
        Ipv4Addr::new(198, 51, 100, 255),
        Ipv4Addr::new(203, 0, 113, 0),
        Ipv4Addr::new(203, 0, 113, 15),
    ];
    for four in fours {
        syns(&mut filter, four.into(), 2);
    }
    let found: Vec<_> = filter
        .subscribers_v6()
        .unwrap()
        .into_iter()
        .map(|(prefix, record)| (prefix, record.hot.blocked_syns))
        .collect();
    let by_prefix: BTreeMap<u64, u32> = found.iter().copied().collect();
    assert_eq!(by_prefix.len(), found.len(), "none has two: {found:x?}");
    assert_eq!(by_prefix, expected, "{by_prefix:x?} {expected:x?}");
    let v4 = filter.subscribers_v4(&compiled.record_index).unwrap();
    let v4: Vec<_> = v4
        .iter()
        .map(|(address, record)| (*address, record.hot.blocked_syns))
        .collect();
    assert_eq!(v4, fours.map(|four| (four, 2)));
    // The first and the last of `wide`, and the /56 in which `inner` has a part.
    let in_lru = [
        "2001:dc0::",
        "2001:dc0:2::",
        "2001:dc0:2:700::",
        "2001:dcf:ffff:ff00::",
    ];
    let begun = in_lru.len() as u64;
    assert_eq!(filter.misses_v6().unwrap(), Misses { begun, lost: 0 });
    for prefix in in_lru {
        let prefix = subscriber(prefix.parse().unwrap());
        assert!(
            found[found.len() - in_lru.len()..]
                .iter()
                .any(|(found, _)| *found == prefix),
            "{prefix:x}"
        );
    }
}

#[test]
fn addresses_of_one_subscriber_of_the_lru_map_share_a_record() {
    let (compiled, description) = prepared(&parse("pools: [{ name: wide, prefixes: ['2001:dc0::/28'] }]\n"));
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    for part in 0..20 {
        syns(
            &mut filter,
            Ipv6Addr::new(0x2001, 0xdc0, 1, 0x700 + part, part, 0, 0, 7).into(),
            1,
        );
    }
    syns(
        &mut filter,
        Ipv6Addr::new(0x2001, 0xdc0, 1, 0x800, 0, 0, 0, 7).into(),
        1,
    );
    let mut found = filter.subscribers_v6().unwrap();
    found.sort_unstable_by_key(|(prefix, _)| *prefix);
    let found: Vec<_> = found
        .iter()
        .map(|(prefix, record)| (*prefix, record.hot.blocked_syns))
        .collect();
    assert_eq!(found, [(0x2001_0dc0_0001_0700, 20), (0x2001_0dc0_0001_0800, 1)]);
    assert_eq!(filter.misses_v6().unwrap(), Misses { begun: 2, lost: 0 });
}

/// More subscribers than the LRU map has records at least.
#[test]
fn a_flood_from_every_subscriber_of_a_pool_evicts_nobody() {
    /// Of an IPv6 header after that of Ethernet.
    const SOURCE: usize = 14 + 8;
    let (compiled, description) = prepared(&parse("pools: [{ name: homes, prefixes: ['2001:db8::/37'] }]\n"));
    let mut filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    let number = 1_u64 << (56 - 37);
    let mut frame = bare(&between(V6.subscriber, V6.server).tcp(syn_header(25)));
    for subscriber in (0..number).map(|number| 0x2001_0db8_0000_0000 | number << 8) {
        frame[SOURCE..SOURCE + 8].copy_from_slice(&subscriber.to_be_bytes());
        filter.run(Role::Subscriber, &frame).unwrap();
    }
    let found = filter.subscribers_v6().unwrap();
    assert_eq!(found.len() as u64, number);
    assert!(found.iter().all(|(_, record)| record.hot.blocked_syns == 1));
    assert_eq!(filter.misses_v6().unwrap(), Misses { begun: 0, lost: 0 });
}
