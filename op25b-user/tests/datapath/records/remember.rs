//! Records are kept only of pools that the policy remembers, and memory is asked for only for those.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aya::maps::MapInfo;
use etherparse::IpNumber;
use op25b::{
    datapath::{Filter, LoadOptions},
    policy::Role,
};
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::SubscriberBlock,
};

use crate::support::{
    generations::{Place, assert_nothing_is_reset, blocked},
    packet::between,
    parse, prepared,
    world::{V4, V6, bare},
};

/// Two pools beside each other, and one inside the first, with these IPv6 prefixes.
fn policy(
    remember: &str,
    Prefixes {
        prefixes: [a, inner, b],
        ..
    }: Prefixes,
) -> String {
    format!(
        "subscribers: {{ remember: {remember} }}\n\
         pools:\n\
         - {{ name: a, prefixes: [198.51.0.0/16, '{a}'] }}\n\
         - {{ name: inner, prefixes: [198.51.100.0/24, '{inner}'] }}\n\
         - {{ name: b, prefixes: [203.0.112.0/24, '{b}'], mode: monitor }}\n"
    )
}

/// The IPv6 prefixes of the pools, and an address of each.
#[derive(Clone, Copy, Debug)]
struct Prefixes {
    prefixes: [&'static str; 3],
    addresses: [Ipv6Addr; 3],
}

/// Those whose subscribers have records in the array.
const NARROW: Prefixes = Prefixes {
    prefixes: ["2001:db8:100::/40", "2001:db8:101::/48", "2001:db8:200::/40"],
    addresses: [
        Ipv6Addr::new(0x2001, 0xdb8, 0x102, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 0x200, 0, 0, 0, 0, 1),
    ],
};

/// Those of which only the most recent have.
const WIDE: Prefixes = Prefixes {
    prefixes: ["2001:db0::/28", "2001:db8::/29", "2001:dc0::/28"],
    addresses: [
        Ipv6Addr::new(0x2001, 0xdb1, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb9, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdc1, 0, 0, 0, 0, 0, 1),
    ],
};

/// Whether any of these is in the LRU map.
fn is_wide(six: Prefixes) -> bool {
    six.prefixes == WIDE.prefixes
}

const POOLS: [&str; 3] = ["a", "inner", "b"];

/// An address of each pool, in its order.
const FOURS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(198, 51, 101, 1),
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(203, 0, 112, 1),
];
fn prefix(address: Ipv6Addr) -> u64 {
    (address.to_bits() >> 64) as u64
}

fn loaded(sections: &str) -> (Filter, op25b::policy::RecordIndex) {
    let (compiled, description) = prepared(&parse(sections));
    let filter = Filter::load(&compiled, &description, LoadOptions::default()).unwrap();
    (filter, compiled.record_index)
}

/// The size of one of the filter's maps.
fn entries(filter: &mut Filter, name: &str) -> u32 {
    let maps = filter
        .program_info(Role::Subscriber)
        .unwrap()
        .map_ids()
        .unwrap()
        .unwrap();
    let mut maps = maps.into_iter().map(|id| MapInfo::from_id(id).unwrap());
    let map = maps.find(|map| map.name_as_str() == Some(name)).unwrap();
    map.max_entries()
}

#[test]
fn only_subscribers_of_pools_that_are_remembered_have_records() {
    let cases = [
        ("true", &POOLS[..]),
        ("false", &[]),
        ("[a]", &["a"]),
        ("[inner]", &["inner"]),
        ("[b, inner]", &["inner", "b"]),
        ("[a, b]", &["a", "b"]),
    ];
    for (six, (remember, pools)) in [NARROW, WIDE]
        .into_iter()
        .flat_map(|six| cases.map(|case| (six, case)))
    {
        let (mut filter, record_index) = loaded(&policy(remember, six));
        let sixes = six.addresses;
        for source in FOURS.map(IpAddr::from).into_iter().chain(sixes.map(IpAddr::from)) {
            let server = if source.is_ipv4() { V4.server } else { V6.server };
            let ends = between(source, server);
            for packet in [ends.syn(25), ends.carrying(IpNumber::TCP, &[0, 25, 0])] {
                filter.run(Role::Subscriber, &bare(&packet)).unwrap();
            }
        }
        let is_remembered = |index: &usize| pools.contains(&POOLS[*index]);
        let mut v4: Vec<_> = (0..3).filter(is_remembered).map(|pool| FOURS[pool]).collect();
        let mut v6: Vec<_> = (0..3)
            .filter(is_remembered)
            .map(|pool| prefix(sixes[pool]))
            .collect();
        v4.sort_unstable();
        v6.sort_unstable();
        let found = filter.subscribers_v4(&record_index).unwrap();
        assert_eq!(
            found.iter().map(|(address, _)| *address).collect::<Vec<_>>(),
            v4,
            "{remember}"
        );
        for (_, record) in &found {
            let segments = record.hot.blocked_syns + record.cold.monitored_syns;
            assert_eq!((segments, record.hidden), (1, 1), "{remember}: {record:?}");
        }
        let mut found: Vec<_> = filter.subscribers_v6().unwrap();
        found.sort_unstable_by_key(|(prefix, _)| *prefix);
        assert_eq!(
            found.iter().map(|(prefix, _)| *prefix).collect::<Vec<_>>(),
            v6,
            "{remember}"
        );
        let misses = filter.misses_v6().unwrap();
        let begun = if is_wide(six) { v6.len() } else { 0 };
        assert_eq!((misses.begun, misses.lost), (begun as u64, 0), "{remember}");
    }
}

#[test]
fn memory_is_asked_for_only_where_something_is_remembered() {
    let cpus = u32::try_from(aya::util::nr_cpus().unwrap()).unwrap();
    let blocks = |addresses: usize| u32::try_from(SubscriberBlock::count(addresses)).unwrap();
    let both = 65_536 + 256;
    let v4_alone = "pools: [{ name: a, prefixes: [198.51.0.0/16] }]\n".to_owned();
    for (sections, array, has_lru) in [
        (policy("true", NARROW), blocks(both + 2 * 65_536), false),
        (policy("true", WIDE), blocks(both), true),
        (policy("false", NARROW), 1, false),
        (policy("false", WIDE), 1, false),
        (policy("[a]", NARROW), blocks(2 * 65_536), false),
        (policy("[a]", WIDE), blocks(65_536), true),
        (policy("[inner]", NARROW), blocks(256 + 256), false),
        (policy("[inner]", WIDE), blocks(256), true),
        (policy("[b]", NARROW), blocks(256 + 65_536), false),
        (policy("[b]", WIDE), blocks(256), true),
        (v4_alone, blocks(65_536), false),
    ] {
        let (mut filter, _) = loaded(&sections);
        assert_eq!(entries(&mut filter, SUBSCRIBERS), array, "{sections}");
        let lru = entries(&mut filter, SUBSCRIBERS_LRU);
        if has_lru {
            assert!(lru >= 1 << 18, "{lru} {sections}");
        } else {
            assert_eq!(lru, cpus, "{sections}");
        }
    }
}

#[test]
fn what_is_not_remembered_any_more_is_discarded_at_that_load_and_never_returns() {
    for six in [NARROW, WIDE] {
        discarded_records_never_return(six);
    }
}

fn discarded_records_never_return(six: Prefixes) {
    let policy = |remember: &str| policy(remember, six);
    let sixes = six.addresses;
    let place = Place::new();
    let mut process = place.process();
    process.replace(&policy("true"));
    for source in FOURS.map(IpAddr::from).into_iter().chain(sixes.map(IpAddr::from)) {
        process.send(source, 2);
    }
    let v6 = |process: &mut crate::support::generations::Process| {
        let mut found: Vec<_> = process.v6().into_iter().map(|(prefix, _)| prefix).collect();
        found.sort_unstable();
        found
    };
    let id = |name: &str| {
        let mut generations = std::fs::read_dir(place.pins().join("generations")).unwrap();
        let path = generations.next().unwrap().unwrap().path();
        MapInfo::from_pin(path.join(name)).unwrap().id()
    };
    let (map, misses) = (id(SUBSCRIBERS_LRU), id(MISSES_V6));

    let migrated = process.replace(&policy("[inner, b]"));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.discarded, ["IPv4", "IPv6"]);
    assert_eq!(
        (id(SUBSCRIBERS_LRU), id(MISSES_V6)),
        (map, misses),
        "the maps are shared"
    );
    let v4: Vec<_> = process.v4().into_iter().map(|(address, _)| address).collect();
    assert_eq!(v4, [FOURS[1], FOURS[2]]);
    assert_eq!(v6(&mut process), [prefix(sixes[1]), prefix(sixes[2])]);
    assert_eq!(blocked(&process.v4())[0], (FOURS[1], 2), "the others are kept");

    // Nothing is discarded where only more is remembered; and what was discarded is gone.
    drop(process);
    let mut process = place.process();
    let migrated = process.replace(&policy("true"));
    assert_nothing_is_reset(&migrated);
    assert!(migrated.discarded.is_empty(), "{migrated:?}");
    assert_eq!(process.v4().len(), 2);
    assert_eq!(v6(&mut process), [prefix(sixes[1]), prefix(sixes[2])]);

    let migrated = process.replace(&policy("false"));
    assert_nothing_is_reset(&migrated);
    assert_eq!(migrated.discarded, ["IPv4", "IPv6"]);
    assert!(process.v4().is_empty() && process.v6().is_empty());
    let migrated = process.replace(&policy("true"));
    assert!(migrated.discarded.is_empty(), "{migrated:?}");
    assert!(process.v4().is_empty() && process.v6().is_empty());
}
