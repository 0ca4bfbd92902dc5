//! Records that a filter of another version of op25b left, or one with another number of them, are taken over.

use std::net::Ipv6Addr;

use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData, MapType, PerCpuArray, PerCpuValues},
};
use op25b::datapath::Misses;
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::{Cold, Hot, Subscriber},
};
use serde_json::{Value, json};

use crate::support::{
    generations::{FIRST, ONE, OTHER, Place, SIX, WIDE, assert_nothing_is_reset, blocked, pools},
    kernel::create_map,
};

/// More IPv6 records than one CPU's part of the map has, where two are possible.
const SUBSCRIBERS_SIX: u32 = 150_000;

/// `BPF_F_MMAPABLE` of `enum` in `linux/bpf.h`.
const MAPPED: u32 = 1 << 10;

/// A record as version 2 had it.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct SubscriberV2 {
    hot: Hot,
    cold: Cold,
}

// SAFETY: `repr(C)` of integers, without padding; any bit pattern is valid.
unsafe impl Pod for SubscriberV2 {}

/// The records of 256 IPv4 addresses as version 2 had them.
#[derive(Clone, Copy)]
#[repr(C)]
struct BlockV2 {
    hot: [Hot; 256],
    cold: [Cold; 256],
}

// SAFETY: as above.
unsafe impl Pod for BlockV2 {}

/// A record that is like no other.
fn record(number: u32) -> SubscriberV2 {
    SubscriberV2 {
        hot: Hot {
            destinations: 1 << (number % 64),
            blocked_syns: number,
            last_seen: number + 20,
        },
        cold: Cold {
            first_seen: number + 10,
            blocked_others: number + 1,
            monitored_syns: number + 2,
            monitored_others: number + 3,
        },
    }
}

fn now(SubscriberV2 { hot, cold }: SubscriberV2, hidden: u32) -> Subscriber {
    Subscriber {
        hot,
        cold,
        hidden,
        unused: 0,
    }
}

/// Changes what a generation's description says of its records.
fn describe(place: &Place, change: impl FnOnce(&mut Value)) {
    place.describe(|described| change(&mut described["records"]));
}

/// A map of IPv6 records. Its list of records is common to all CPUs, so that this thread can fill it alone.
fn map_v6<R: Pod>(entries: u32, records: impl IntoIterator<Item = (u64, R)>) -> Map {
    let size = size_of::<R>().try_into().unwrap();
    let mut map = Map::LruHashMap(create_map(MapType::LruHash, 8, size, entries, 0));
    let mut hash = HashMap::<&mut MapData, u64, R>::try_from(&mut map).unwrap();
    for (prefix, record) in records {
        hash.insert(prefix, record, 0).unwrap();
    }
    map
}

/// The first 64 bits of the IPv6 subscriber of this number.
fn prefix(number: u32) -> u64 {
    0x2001_0d80_0000_0000 | u64::from(number) << 8
}

/// The names of the maps in versions 2 and 3.
const OLD_ARRAY: &str = "SUBSCRIBERS_V4";
const OLD_LRU: &str = "SUBSCRIBERS_V6";

#[test]
fn the_records_of_version_2_are_taken_over_with_the_misses_and_counting_goes_on() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(WIDE));
    drop(process);
    // As version 2 leaves it: 272 addresses in blocks of 256.
    let six = (SIX.to_bits() >> 64) as u64;
    let mut v4 = Map::Array(create_map(MapType::Array, 4, 8192, 2, MAPPED));
    let mut blocks = Array::<&mut MapData, BlockV2>::try_from(&mut v4).unwrap();
    for (block, place, number) in [(0, 7, 100), (1, 5, 200)] {
        let mut value = blocks.get(&block, 0).unwrap();
        (value.hot[place], value.cold[place]) = (record(number).hot, record(number).cold);
        blocks.set(block, value, 0).unwrap();
    }
    for name in [SUBSCRIBERS, SUBSCRIBERS_LRU] {
        place.remove(name);
    }
    place.put(OLD_ARRAY, &v4);
    let records = (0..SUBSCRIBERS_SIX).map(|number| (prefix(number), record(number)));
    place.put(OLD_LRU, &map_v6(1 << 18, records.chain([(six, record(300))])));
    let mut misses = Map::PerCpuArray(create_map(MapType::PerCpuArray, 4, 8, 2, 0));
    let mut slots = PerCpuArray::<&mut MapData, u64>::try_from(&mut misses).unwrap();
    for (slot, packets) in [(0, 11), (1, 7)] {
        let mut values: Vec<u64> = slots.get(&slot, 0).unwrap().iter().copied().collect();
        values[0] = packets;
        slots
            .set(slot, PerCpuValues::try_from(values).unwrap(), 0)
            .unwrap();
    }
    place.put(MISSES_V6, &misses);
    describe(&place, |records| {
        *records = json!({
            "version": 2,
            "ipv6_prefix": 56,
            "ipv4": [["198.51.100.0", "198.51.100.255"], ["203.0.113.0", "203.0.113.15"]],
        });
    });

    let mut process = place.process();
    let migrated = process.replace(&pools(WIDE));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 2 + u64::from(SUBSCRIBERS_SIX) + 1);
    let v4 = [(ONE, now(record(100), 0)), (OTHER, now(record(200), 0))];
    assert_eq!(process.v4(), v4);
    let mut v6 = process.v6();
    v6.sort_unstable_by_key(|(prefix, _)| *prefix);
    let mut expected: Vec<_> = (0..SUBSCRIBERS_SIX)
        .map(|number| (prefix(number), now(record(number), 0)))
        .chain([(six, now(record(300), 0))])
        .collect();
    expected.sort_unstable_by_key(|(prefix, _)| *prefix);
    assert!(v6 == expected, "{} of {} records", v6.len(), expected.len());
    let misses = process.enforced.filter().unwrap().misses_v6().unwrap();
    assert_eq!(misses, Misses { begun: 11, lost: 7 });

    process.send(ONE, 3);
    process.send(SIX, 1);
    process.send("2001:dff::1".parse::<Ipv6Addr>().unwrap(), 1);
    drop(process);
    let mut process = place.process();
    let migrated = process.replace(&pools(WIDE));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 0);
    assert_eq!(blocked(&process.v4()), [(ONE, 103), (OTHER, 200)]);
    let v6 = process.v6();
    let (_, record) = v6.iter().find(|(prefix, _)| *prefix == six).unwrap();
    assert_eq!((record.hot.blocked_syns, record.cold.first_seen), (301, 310));
    let misses = process.enforced.filter().unwrap().misses_v6().unwrap();
    assert_eq!(misses, Misses { begun: 12, lost: 7 });
}

#[test]
fn ipv6_records_move_where_their_number_changes() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(WIDE));
    process.send(ONE, 3);
    drop(process);
    let records = (0..300).map(|number| (prefix(number), now(record(number), number)));
    let old = map_v6(1000, records.clone());
    place.put(SUBSCRIBERS_LRU, &old);
    let mut process = place.process();
    let migrated = process.replace(&pools(WIDE));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 300);
    let mut v6 = process.v6();
    v6.sort_unstable_by_key(|(prefix, _)| *prefix);
    assert_eq!(v6, records.collect::<Vec<_>>());
    assert_eq!(blocked(&process.v4()), [(ONE, 3)]);
    // A process that repeats this after a crash does not count them twice.
    let old = HashMap::<&MapData, u64, Subscriber>::try_from(&old).unwrap();
    assert_eq!(old.keys().count(), 0);
}

#[test]
fn the_ipv6_records_of_version_3_move_into_the_array_where_they_have_a_place_there() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(SIX, 1);
    let six = process.v6();
    drop(process);
    // As version 3 leaves it: IPv4's array alone, and all of IPv6 in the LRU map.
    let subscriber = |number: u32| 0x2001_0db8_0180_0000 | u64::from(number) << 8;
    let records = (0..300).map(|number| (subscriber(number), now(record(number), number)));
    let old = map_v6(1 << 10, six.iter().copied().chain(records.clone()));
    let array = Map::Array(create_map(MapType::Array, 4, 36_864, 1, MAPPED));
    for (name, old_name, map) in [(SUBSCRIBERS, OLD_ARRAY, &array), (SUBSCRIBERS_LRU, OLD_LRU, &old)] {
        place.remove(name);
        place.put(old_name, map);
    }
    describe(&place, |records| {
        *records = json!({
            "version": 3,
            "ipv6_prefix": 56,
            "ipv4": [["198.51.100.0", "198.51.100.255", 0], ["203.0.113.0", "203.0.113.15", 256]],
            "ipv6": [["2001:db8:100::", "2001:db8:1ff::"]],
        });
    });

    let mut process = place.process();
    let migrated = process.replace(&pools(FIRST));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 301);
    let expected: Vec<_> = six.iter().copied().chain(records).collect();
    assert_eq!(process.v6(), expected, "in ascending order");
    // A process that repeats this after a crash does not count them twice.
    let old = HashMap::<&MapData, u64, Subscriber>::try_from(&old).unwrap();
    assert_eq!(old.keys().count(), 0);
    process.send(SIX, 2);
    assert_eq!(process.v6()[0].1.hot.blocked_syns, 3);
    assert_eq!(process.v6()[0].1.cold.first_seen, six[0].1.cold.first_seen);
}

#[test]
fn records_of_a_version_that_is_not_known_begin_anew() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(SIX, 1);
    drop(process);
    describe(&place, |records| records["version"] = json!(1));
    let mut process = place.process();
    let why = "the filter before kept them in another layout".to_owned();
    let migrated = process.replace(&pools(FIRST));
    assert_eq!(migrated.reset, [("IPv4", why.clone()), ("IPv6", why)]);
    assert_eq!((process.v4(), process.v6()), (vec![], vec![]));
}
