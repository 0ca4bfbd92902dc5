//! Mutants of what is counted for each subscriber.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "the sketch of destinations is that of all buckets",
        "stats/subscribers.rs",
        "if u64::from(last_seen) < moment.bucket {",
        "if u64::from(last_seen) < moment.bucket && moment.bucket == 0 {",
    ),
    mutant(
        "every segment is counted for its subscriber as one that opens a connection",
        "stats/subscribers.rs",
        "match (reason == Reason::Blocked as u32, is_syn) {",
        "match (reason == Reason::Blocked as u32, is_syn || reason != u32::MAX) {",
    ),
    mutant(
        "subscribers' records are shared by neighbours",
        "stats/subscribers.rs",
        "number(local).wrapping_add(class.subscribers)",
        "(number(local) & !1).wrapping_add(class.subscribers)",
    ),
    mutant(
        "IPv6 subscribers are numbered by all 64 bits of their networks",
        "stats/subscribers.rs",
        "        maps::SUBSCRIBER_BITS.load()\n    } else {",
        "        u64::BITS\n    } else {",
    ),
    mutant(
        "IPv6 subscribers of the array are in the LRU map",
        "stats/subscribers.rs",
        "ARRAY => Self::in_array(",
        "ARRAY if local.is_v6 => Self::in_lru_map(local.high),\n            ARRAY => Self::in_array(",
    ),
    mutant(
        "subscribers of the LRU map have no record",
        "stats/subscribers.rs",
        "LRU => Self::in_lru_map(local.high),",
        "LRU => None,",
    ),
    mutant(
        "packets that hide their ports are in no record",
        "verdict/mod.rs",
        "Some(class) if !UPLINK => subscribers::record_hidden(class, local),",
        "Some(class) if !UPLINK => drop((class, local)),",
    ),
    mutant(
        "packets from the Internet that hide their ports are in a subscriber's record",
        "verdict/mod.rs",
        "Some(class) if !UPLINK => subscribers::record_hidden(class, local),",
        "Some(class) => subscribers::record_hidden(class, local),",
    ),
    mutant(
        "segments of an exempt subscriber's open connections count for alerts",
        "verdict/mod.rs",
        "decision.reason == Reason::Exempt as u32 && !facts.is_established",
        "decision.reason == Reason::Exempt as u32",
    ),
    mutant(
        "each IPv6 network of an exempt subscriber is counted by itself",
        "stats/exempt.rs",
        "prefix_v6(local.high)",
        "local.high",
    ),
];
