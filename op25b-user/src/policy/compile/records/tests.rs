//! Which subscribers get which records.
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of subscribers have 56 bits, and what is added to them is modulo 2^32"
)]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

/// The records of these pools, whose prefixes are in ascending order; true for one that is remembered. IPv6 subscribers have a /56.
fn recorded(pools: &[(&str, bool)]) -> (Recorded, Vec<Pooled>) {
    let mut recorded = Recorded::default();
    let pooled = assigned(&mut recorded, pools);
    (recorded, pooled)
}

fn assigned(recorded: &mut Recorded, pools: &[(&str, bool)]) -> Vec<Pooled> {
    let prefixes: Vec<PoolPrefix> = (0..)
        .zip(pools)
        .map(|(pool, (prefix, is_remembered))| PoolPrefix {
            bits: Bits::new(prefix.parse().unwrap()).1,
            pool,
            enforce_from: NEVER,
            phases: NO_PHASES,
            is_remembered: *is_remembered,
        })
        .collect();
    let family = Bits::new(pools[0].0.parse().unwrap()).0;
    let pooled = recorded.assign(family, 56, &prefixes);
    pooled.into_iter().map(|(_, pooled)| pooled).collect()
}

fn v4(address: &str) -> u64 {
    address.parse::<Ipv4Addr>().unwrap().to_bits().into()
}

/// The number of an address's /56.
fn v6(address: &str) -> u64 {
    u64::try_from(address.parse::<Ipv6Addr>().unwrap().to_bits() >> 72).unwrap()
}

/// The record of a number by what is in its class.
fn record(pooled: &Pooled, number: u64) -> Option<u32> {
    match pooled.place? {
        Place::Array(offset) => Some((number as u32).wrapping_add(offset)),
        Place::Lru => None,
    }
}

/// Checks that each prefix's first and last subscribers have the record of the index, by their classes as well.
fn assert_classes_agree(index: &RecordIndex, pooled: &[Pooled], pools: &[(&str, bool)]) {
    for (pooled, (prefix, _)) in pooled.iter().zip(pools) {
        let bits = Bits::new(prefix.parse().unwrap()).1;
        for address in [bits.first(), bits.last()] {
            let number = (address >> 72) as u64;
            let expected = record(pooled, number);
            if expected.is_some() {
                assert_eq!(index.record_of(number), expected, "{prefix}");
            }
        }
    }
}

#[test]
fn only_addresses_whose_pool_is_remembered_have_a_record() {
    let (found, pooled) = recorded(&[
        ("10.0.0.0/8", false),
        ("10.1.0.0/16", true),
        ("10.1.2.0/24", false),
        ("10.1.2.128/25", true),
        ("10.2.0.0/16", true),
        ("192.0.2.0/24", true),
        ("192.0.2.128/25", false),
    ]);
    assert_eq!(
        found.v4.ranges,
        [
            (v4("10.1.0.0"), v4("10.1.1.255"), 0),
            (v4("10.1.2.128"), v4("10.2.255.255"), 0x280),
            (v4("192.0.2.0"), v4("192.0.2.127"), 0x2_0000),
        ]
    );
    // The end of the last prefix is not remembered, and takes no memory.
    assert_eq!(found.v4.end, 0x2_0080);
    let counted: Vec<_> = pooled.iter().map(|pooled| pooled.place.is_some()).collect();
    assert_eq!(counted, [false, true, false, true, true, true, false]);
    for (pooled, address, record) in [
        (&pooled[1], "10.1.0.0", 0),
        (&pooled[3], "10.1.2.128", 0x280),
        (&pooled[4], "10.2.0.1", 0x1_0001),
        (&pooled[5], "192.0.2.127", 0x2_007f),
    ] {
        assert_eq!(self::record(pooled, v4(address)), Some(record), "{address}");
        assert_eq!(found.v4.record_of(v4(address)), Some(record), "{address}");
    }
    let text = serde_json::to_string(&found.v4).unwrap();
    assert_eq!(serde_json::from_str::<RecordIndex>(&text).unwrap(), found.v4);
}

#[test]
fn nothing_takes_memory_where_nothing_is_remembered() {
    for prefix in ["0.0.0.0/0", "::/0"] {
        let (found, pooled) = recorded(&[(prefix, false)]);
        assert_eq!(found, Recorded::default());
        assert_eq!(pooled[0].place, None);
    }
}

#[test]
fn ranges_reach_to_the_last_address_there_is() {
    let (found, _) = recorded(&[("::/0", true), ("ffff::/16", false), ("ffff:ffff::/32", true)]);
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
    let last = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let before = (address("::"), address("fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_eq!(found.lru, LruAddresses(vec![before]));
    // A /32 has as many /56 as there are records.
    let all = (v6("ffff:ffff::"), v6("ffff:ffff:ffff:ffff::"), 0);
    assert_eq!(found.v6.ranges, [all]);
    assert_eq!(found.v6.end, MOST_IN_ARRAY);
    let (found, _) = recorded(&[("::/0", true), ("ffff::/16", true)]);
    assert_eq!(found.lru, LruAddresses(vec![(address("::"), last)]));
}

#[test]
fn every_ipv6_subscriber_has_a_record_of_its_own_after_those_of_ipv4() {
    let mut found = Recorded::default();
    assigned(&mut found, &[("192.0.2.0/24", true), ("192.0.2.128/25", false)]);
    let pools = [
        ("2001:db8:100::/40", true),
        ("2001:db8:101::/48", true),
        ("2001:db8:102::/48", false),
        ("2001:db8:210::/55", true),
        ("2001:db8:210:300::/56", true),
    ];
    let pooled = assigned(&mut found, &pools);
    // Those of IPv4 that are used end with record 127.
    let inner = v6("2001:db8:102::");
    assert_eq!(
        found.v6.ranges,
        [
            (v6("2001:db8:100::"), inner - 1, 128),
            (inner + 256, v6("2001:db8:1ff:ff00::"), 128 + 0x300),
            (v6("2001:db8:210::"), v6("2001:db8:210:100::"), 128 + 0x1_0000),
            (v6("2001:db8:210:300::"), v6("2001:db8:210:300::"), 128 + 0x1_0002),
        ]
    );
    assert_eq!(found.v6.end, 128 + 0x1_0003);
    assert!(found.lru.is_empty());
    assert_classes_agree(&found.v6, &pooled, &pools);
    for (address, record) in [
        ("2001:db8:ff:ff00::", None),
        ("2001:db8:100::", Some(128)),
        ("2001:db8:101:ff::1", Some(128 + 256)),
        ("2001:db8:102:7::", None),
        ("2001:db8:1ff:ff00::", Some(128 + 0xffff)),
        ("2001:db8:210:200::", None),
        ("2001:db8:210:400::", None),
    ] {
        assert_eq!(found.v6.record_of(v6(address)), record, "{address}");
    }
}

#[test]
fn the_parts_of_one_subscriber_share_its_record_in_whatever_pools_they_are() {
    for outer in [None, Some(("2001:db8::/32", false))] {
        let parts = [
            ("2001:db8:100:700::/60", true),
            ("2001:db8:100:702::/64", true),
            ("2001:db8:100:710::/60", true),
            ("2001:db8:100:720::/60", false),
            ("2001:db8:100:720::1/128", true),
            ("2001:db8:100:800::/57", true),
        ];
        let pools: Vec<_> = outer.into_iter().chain(parts).collect();
        let (found, pooled) = recorded(&pools);
        let (one, next) = (v6("2001:db8:100:700::"), v6("2001:db8:100:800::"));
        assert_eq!(found.v6.ranges, [(one, next, 0)], "{outer:?}");
        assert_eq!(found.v6.end, 2);
        assert_classes_agree(&found.v6, &pooled, &pools);
        let places: Vec<_> = pooled[pools.len() - parts.len()..]
            .iter()
            .map(|pooled| record(pooled, one))
            .collect();
        assert_eq!(places[..5], [Some(0), Some(0), Some(0), None, Some(0)]);
        assert_eq!(record(&pooled[pools.len() - 1], next), Some(1));
    }
}

#[test]
fn what_does_not_fit_into_the_array_is_in_the_lru_map_with_the_parts_of_its_subscribers() {
    let pools = [
        ("2001:db0::/28", true),
        ("2001:db0:1::/48", true),
        ("2001:db0:1:7::/64", true),
        ("2001:db0:2:7::/64", true),
        ("2001:db0:3::/48", false),
        ("2001:dc0::/33", true),
        ("2001:dc0:8000::/33", true),
        ("2001:dd0::/56", true),
    ];
    let (found, pooled) = recorded(&pools);
    let places: Vec<_> = pooled.iter().map(|pooled| pooled.place).collect();
    assert_eq!(places[0], Some(Place::Lru), "2^28 subscribers");
    assert!(matches!(places[1], Some(Place::Array(_))), "an inner prefix fits");
    assert_eq!(places[2], places[1]);
    assert_eq!(
        places[3],
        Some(Place::Lru),
        "a part of a subscriber of the LRU map"
    );
    assert_eq!(places[4], None);
    assert!(matches!(places[5], Some(Place::Array(_))));
    // 2^23 fitted once.
    assert_eq!(places[6], Some(Place::Lru));
    assert!(
        matches!(places[7], Some(Place::Array(_))),
        "a later one that is smaller fits"
    );
    assert_classes_agree(&found.v6, &pooled, &pools);
    assert_eq!(found.v6.end, 256 + (1 << 23) + 1);
    // No subscriber is in both.
    for (first, last, _) in &found.v6.ranges {
        let address = |number: u64| Ipv6Addr::from_bits(u128::from(number) << 72);
        assert!(!found.lru.overlap(
            address(*first),
            Ipv6Addr::from_bits(address(*last).to_bits() | u128::MAX >> 56)
        ));
    }
}

#[test]
fn as_many_ipv6_subscribers_as_there_are_records_are_in_the_array_whatever_ipv4_has() {
    let mut found = Recorded::default();
    assigned(&mut found, &[("10.0.0.0/8", true), ("11.0.0.0/32", true)]);
    assert_eq!(found.v4.end, MOST_IN_ARRAY, "the last one has no record");
    let all = [("2001:db8::/32", true)];
    let pooled = assigned(&mut found, &all);
    assert_classes_agree(&found.v6, &pooled, &all);
    assert!(found.lru.is_empty());
    assert_eq!(found.v6.end, 2 * MOST_IN_ARRAY);
    let one_more = [("2001:db8::/32", true), ("2001:db9::/56", true)];
    let pooled = assigned(&mut found, &one_more);
    assert_eq!(pooled[1].place, Some(Place::Lru));
    let text = serde_json::to_string(&found.v6).unwrap();
    assert_eq!(serde_json::from_str::<RecordIndex>(&text).unwrap(), found.v6);
}

#[test]
fn addresses_of_the_lru_map_are_found_by_those_that_they_have_in_common() {
    let lru = |pools: &[(&str, bool)]| recorded(pools).0.lru;
    let one = lru(&[("2001:db0::/28", true), ("2001:db8:5::/48", false)]);
    let other = lru(&[("2001:db0::/28", true), ("2001:db8:4::/46", false)]);
    let none = LruAddresses::default();
    for (whole, part, covers) in [
        (&one, &other, true),
        (&other, &one, false),
        (&one, &one, true),
        (&one, &none, true),
        (&none, &one, false),
    ] {
        assert_eq!(whole.covers(part), covers, "{whole:?} {part:?}");
    }
    for (first, last, overlap) in [
        ("2001:daf:ffff::", "2001:daf:ffff::ffff", false),
        ("2001:daf::", "2001:db0::", true),
        ("2001:db8:5::", "2001:db8:5:ffff::", false),
        ("2001:db8:5::", "2001:db8:6::", true),
        ("2001:dc0::", "2001:dc0::1", false),
    ] {
        let found = one.overlap(first.parse().unwrap(), last.parse().unwrap());
        assert_eq!(found, overlap, "{first} {last}");
    }
}
