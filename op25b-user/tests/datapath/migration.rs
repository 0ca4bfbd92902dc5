//! Subscriber records are kept when one filter follows another, in the same process or in another one.

use std::{net::Ipv6Addr, path::Path, time::Duration};

use aya::maps::{Array, Map, MapData};
use op25b::datapath::destinations;
use op25b_common::values::SubscriberBlock;

use crate::support::generations::{
    FIRST, ONE, OTHER, Place, Process, SIX, WIDE, assert_nothing_is_reset, blocked, pools,
};

#[test]
fn records_go_on_while_the_pools_are_the_same() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(SIX, 2);
    let (v4, v6) = (process.v4(), process.v6());
    // The same addresses, cut otherwise, under other names, and with an exemption.
    let recut = "pools:\n- { name: b, prefixes: [198.51.100.128/25, 203.0.113.0/28, 2001:db8:100::/40] }\n\
                 - { name: a, prefixes: [198.51.100.0/25, 198.51.100.0/26] }\n\
                 exemptions: [{ customer: c, prefixes: [198.51.100.9] }]\n";
    let migrated = process.replace(recut);
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 0);
    assert_eq!((process.v4(), process.v6()), (v4, v6));
    process.send(ONE, 1);
    assert_eq!(blocked(&process.v4()), [(ONE, 4)]);
}

#[test]
fn records_follow_their_addresses_when_the_pools_change() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(OTHER, 5);
    process.send(SIX, 2);
    let (before, v6) = (process.v4(), process.v6());
    // Everything moves up, one pool has become smaller and another one larger.
    let next = "192.0.2.0/24, 198.51.100.0/28, 203.0.112.0/22, 2001:db8:100::/40, 2001:db8:200::/40";
    let migrated = process.replace(&pools(next));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 3);
    assert_eq!((process.v4(), process.v6()), (before, v6));

    // Who is in no pool any more is forgotten.
    process.send(ONE, 1);
    let migrated = process.replace(&pools("203.0.113.4/30"));
    assert_eq!(migrated.moved, 1);
    assert_eq!(blocked(&process.v4()), [(OTHER, 5)]);
    process.replace(&pools(FIRST));
    assert_eq!(blocked(&process.v4()), [(OTHER, 5)]);
}

#[test]
fn another_process_goes_on_with_the_records_whether_or_not_the_pools_have_changed() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(OTHER, 40);
    process.send(SIX, 2);
    let (v4, v6) = (process.v4(), process.v6());
    let first_seen = v4[0].1.cold.first_seen;
    drop(process);
    let mut process = place.process();
    assert_nothing_is_reset(&process.replace(&pools(FIRST)));
    assert_eq!((process.v4(), process.v6()), (v4, v6));
    drop(process);
    // So that times differ.
    std::thread::sleep(Duration::from_millis(1100));
    let mut process = place.process();
    let migrated = process.replace(&pools("192.0.2.0/24, 203.0.113.0/24"));
    assert_nothing_is_reset(&migrated);
    process.send(OTHER, 2);
    let (address, record) = process.v4()[0];
    assert_eq!((address, record.hot.blocked_syns), (OTHER, 42));
    assert_eq!(record.cold.first_seen, first_seen);
    assert!(record.hot.last_seen > first_seen);
    assert!(
        (20..80).contains(&destinations(record.hot.destinations)),
        "{record:?}"
    );
}

#[test]
fn ipv6_records_begin_anew_when_the_prefixes_get_another_length() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(SIX, 2);
    for (length, prefixes, why) in [
        (60, FIRST, "they were of /56 prefixes, and are of /60"),
        (56, WIDE, "they were of /60 prefixes, and are of /56"),
        (48, FIRST, "they were of /56 prefixes, and are of /48"),
    ] {
        let policy = format!("subscribers: {{ ipv6_prefix: {length} }}\n{}", pools(prefixes));
        let migrated = process.replace(&policy);
        assert_eq!(migrated.reset, [("IPv6", why.to_owned())]);
        assert_eq!(blocked(&process.v4()), [(ONE, 3)]);
        assert_eq!(process.v6(), []);
        process.send(SIX, 2);
    }
}

/// The blocked SYNs of each IPv6 subscriber.
fn blocked_v6(process: &mut Process) -> Vec<(u64, u32)> {
    let records = process.v6().into_iter();
    let mut blocked: Vec<_> = records
        .map(|(prefix, record)| (prefix, record.hot.blocked_syns))
        .collect();
    blocked.sort_unstable();
    blocked
}

fn prefix(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

#[test]
fn ipv6_records_move_between_the_array_and_the_lru_map_as_their_pools_grow_and_shrink() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    process.send(SIX, 2);
    let before = process.v6();
    for (count, prefixes) in [(2, WIDE), (3, FIRST), (4, WIDE)] {
        let migrated = process.replace(&pools(prefixes));
        assert_nothing_is_reset(&migrated);
        assert!(migrated.discarded.is_empty(), "{migrated:?}");
        // IPv4's are where they were: they come first.
        assert_eq!(blocked_v6(&mut process), [(prefix(SIX), count)], "{prefixes}");
        let record = process.v6()[0].1;
        assert_eq!(record.cold.first_seen, before[0].1.cold.first_seen);
        assert_eq!(record.hot.destinations, before[0].1.hot.destinations);
        process.send(SIX, 1);
    }
    assert_eq!(blocked(&process.v4()), [(ONE, 3)]);
    // Another process, after a change that moves nothing.
    drop(process);
    let mut process = place.process();
    let migrated = process.replace(&pools(WIDE));
    assert_nothing_is_reset(&migrated);
    assert_eq!(
        (migrated.moved, blocked_v6(&mut process)),
        (0, vec![(prefix(SIX), 5)])
    );
}

#[test]
fn what_the_array_has_room_for_leaves_an_lru_map_that_both_filters_share() {
    let [stays, goes] = ["2001:e01::1", "2001:d01::1"].map(|address| address.parse::<Ipv6Addr>().unwrap());
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools("2001:d00::/24, 2001:e00::/24"));
    for (address, servers) in [(SIX, 2), (stays, 3), (goes, 4)] {
        process.send(address, servers);
    }
    let migrated = process.replace(&pools("2001:db8:100::/40, 2001:e00::/24"));
    assert_nothing_is_reset(&migrated);
    assert_eq!((migrated.moved, &migrated.discarded[..]), (1, &["IPv6"][..]));
    process.send(SIX, 1);
    let expected = [(prefix(SIX), 3), (prefix(stays), 3)];
    assert_eq!(blocked_v6(&mut process), expected);
    // It is not in both maps.
    let misses = process.enforced.filter().unwrap().misses_v6().unwrap();
    assert_eq!((misses.begun, misses.lost), (3, 0));
}

#[test]
fn ipv6_records_follow_their_subscribers_when_ipv4_takes_their_places() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools("203.0.113.0/28, 2001:db8:100::/40, 2001:db8:300::/48"));
    let other = "2001:db8:300:ff00::1".parse::<Ipv6Addr>().unwrap();
    process.send(OTHER, 1);
    process.send(SIX, 2);
    process.send(other, 3);
    let migrated = process.replace(&pools(
        "192.0.2.0/24, 203.0.113.0/28, 2001:db8:100::/40, 2001:db8:300::/48",
    ));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.moved, 3);
    assert_eq!(blocked_v6(&mut process), [(prefix(SIX), 2), (prefix(other), 3)]);
    let migrated = process.replace(&pools("2001:db8:300:ff00::/56"));
    assert_eq!(
        (migrated.moved, &migrated.discarded[..]),
        (1, &["IPv4", "IPv6"][..])
    );
    assert_eq!(blocked_v6(&mut process), [(prefix(other), 3)]);
}

/// As if a process had died after it had switched and before it had brought all records over.
#[test]
fn what_a_process_died_over_is_brought_over_by_the_next_and_counted_once() {
    let place = Place::new();
    let mut process = place.process();
    process.replace(&pools(FIRST));
    process.send(ONE, 3);
    drop(process);
    let kept = place.pins().join("kept");
    keep(&place.pins(), &kept);
    let mut process = place.process();
    let next = pools("192.0.2.0/24, 198.51.100.0/24");
    process.replace(&next);
    process.send(ONE, 2);
    assert_eq!(blocked(&process.v4()), [(ONE, 5)]);
    drop(process);
    // The generation before is there again, emptied but for one record.
    std::fs::rename(&kept, place.pins().join("generations/1")).unwrap();
    let map = MapData::from_pin(place.pins().join("generations/1/SUBSCRIBERS")).unwrap();
    let mut map = Array::<_, SubscriberBlock>::try_from(Map::Array(map)).unwrap();
    let mut block = map.get(&0, 0).unwrap();
    assert_eq!(block.hot[7].blocked_syns, 0, "{:?}", block.hot[7]);
    block.hot[7].blocked_syns = 4;
    map.set(0, block, 0).unwrap();
    let mut process = place.process();
    for _ in 0..2 {
        assert_nothing_is_reset(&process.replace(&next));
        assert_eq!(blocked(&process.v4()), [(ONE, 9)]);
    }
}

/// Pins what the only generation has at another place, too.
fn keep(pins: &Path, kept: &Path) {
    let generations = pins.join("generations");
    let generation = std::fs::read_dir(generations).unwrap().next().unwrap();
    std::fs::create_dir(kept).unwrap();
    for entry in std::fs::read_dir(generation.unwrap().path()).unwrap() {
        let entry = entry.unwrap();
        let Ok(map) = MapData::from_pin(entry.path()) else {
            continue;
        };
        map.pin(kept.join(entry.file_name())).unwrap();
    }
}
