//! Subscriber records are kept when one filter follows another, in the same process or in another one.

use std::{path::Path, time::Duration};

use aya::maps::{Array, Map, MapData};
use op25b::datapath::destinations;
use op25b_common::values::SubscriberBlock;

use crate::support::generations::{FIRST, ONE, OTHER, Place, SIX, assert_nothing_is_reset, blocked, pools};

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
    assert_eq!(migrated.moved, 2);
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
    let migrated = process.replace(&format!("subscribers: {{ ipv6_prefix: 56 }}\n{}", pools(FIRST)));
    let why = "they were of /64 prefixes, and are of /56";
    assert_eq!(migrated.reset, [("IPv6", why.to_owned())]);
    assert_eq!(blocked(&process.v4()), [(ONE, 3)]);
    assert_eq!(process.v6(), []);
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
    let map = MapData::from_pin(place.pins().join("generations/1/SUBSCRIBERS_V4")).unwrap();
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
