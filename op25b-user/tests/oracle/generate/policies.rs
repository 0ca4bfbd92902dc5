//! Policies: nested, overlapping, expired, restricted, in every mode.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv6Net};
use jiff::Timestamp;
use proptest::prelude::*;

use super::addresses::{blockable_port, prefix};
use crate::{
    policy::{
        Action, Block, Exemption, Handling, Inbound, Interface, Mode, Phase, Policy, Pool, Relay, Remember,
        Segments, Subscribers, Tunnel,
    },
    verdict::Role,
};

/// The last end that a policy can have: 2106-02-07T06:28:14Z.
const LAST_END: i64 = u32::MAX as i64 - 1;

/// A policy that the product accepts. Times are hours from now at least, so that none passes during the test.
pub fn policy(now: Timestamp) -> impl Strategy<Value = Policy> {
    (
        interfaces(),
        block(),
        prop::collection::vec(pool(now), 1..5),
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(prefixes(), 1..3)],
        // Many wide ones exempt nearly everybody.
        prop_oneof![1 => prop::collection::vec(exemption(now), 0..3), 1 => prop::collection::vec(exemption(now), 3..8)],
        nat64(),
        prop::option::of(any::<[bool; 4]>()),
    )
        .prop_map(|(interfaces, block, pools, relays, exemptions, nat64, remembered)| {
            let pools = distinct(pools, |pool| &mut pool.prefixes);
            Policy {
                interfaces,
                block,
                subscribers: Subscribers {
                    remember: remembered.map(|remembered| remember(&remembered[..pools.len()])),
                },
                pools,
                relays: distinct(
                    relays.into_iter().map(|prefixes| Relay { prefixes }).collect(),
                    |relay| &mut relay.prefixes,
                ),
                nat64,
                exemptions,
            }
        })
}

/// The key for pools that are remembered and others that are not.
fn remember(pools: &[bool]) -> Remember {
    let pools = pools.iter().enumerate();
    let names: Vec<String> = pools
        .filter(|(_, is_remembered)| **is_remembered)
        .map(|(index, _)| format!("pool{index}"))
        .collect();
    if names.is_empty() {
        Remember::All(false)
    } else {
        Remember::Pools(names)
    }
}

/// Prefixes of every length, some of them where other rules have theirs.
fn nat64() -> impl Strategy<Value = Vec<Ipv6Net>> {
    let all = [
        "64:ff9b::/96",
        "2000::/32",
        "2100::/40",
        "2200::/48",
        "2300:0:0:300::/56",
        "2001:db8:122:344::/64",
    ]
    .map(|text| text.parse().expect("a prefix"));
    prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::sample::subsequence(all.to_vec(), 1..=3),
    ]
}

fn interfaces() -> impl Strategy<Value = Vec<Interface>> {
    let tunnels = prop_oneof![
        1 => Just(Vec::new()),
        1 => Just(Tunnel::ALL.to_vec()),
        2 => prop::sample::subsequence(Tunnel::ALL.to_vec(), 0..=Tunnel::ALL.len()),
    ];
    let mpls = prop::bool::weighted(0.3);
    let subscribers = prop::collection::vec((tunnels, mpls), 1..3);
    (subscribers, any::<bool>(), mpls).prop_map(|(subscribers, has_uplink, mpls)| {
        let subscribers = subscribers.into_iter().map(|(tunnels, mpls)| Interface {
            role: Role::Subscriber,
            tunnels,
            mpls,
        });
        let uplink = Interface {
            role: Role::Uplink,
            tunnels: Vec::new(),
            mpls,
        };
        subscribers.chain(has_uplink.then_some(uplink)).collect()
    })
}

fn block() -> impl Strategy<Value = Block> {
    (
        prop::collection::btree_set(blockable_port(), 1..=8),
        prop::sample::select(vec![Segments::All, Segments::New]),
        prop::sample::select(vec![Action::Drop, Action::Reset, Action::Prohibit]),
        prop::sample::select(vec![Handling::Drop, Handling::Pass]),
        prop::sample::select(vec![Handling::Pass, Handling::Drop]),
        prop::sample::select(vec![Inbound::Allow, Inbound::Block]),
        // So many that no reset is ever held back.
        prop::sample::select(vec![None, Some(1_000_000)]),
        prop_oneof![
            2 => Just(Vec::new()),
            1 => prop::sample::subsequence(vec![0x9200u16, 0x9300, 0x0600, 0xffff, 0x88b5], 1..=4).prop_shuffle(),
        ],
    )
        .prop_map(
            |(ports, segments, action, uninspectable, unlisted, inbound, reset_rate, vlan_tpids)| {
                let prohibits = action == Action::Prohibit;
                let routers = [
                    IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
                    IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
                ];
                Block {
                    ports: ports.into_iter().collect(),
                    segments,
                    action,
                    reset_rate: reset_rate.filter(|_| action == Action::Reset),
                    uninspectable,
                    unlisted,
                    inbound,
                    vlan_tpids,
                    prohibit_from: if prohibits { routers.to_vec() } else { Vec::new() },
                    // So many that no answer is ever held back.
                    prohibit_rate: prohibits.then_some(1_000_000),
                }
            },
        )
}

fn pool(now: Timestamp) -> impl Strategy<Value = Pool> {
    let begin = prop_oneof![
        4 => Just(None),
        1 => prop::sample::select(vec![-3_600i64, -86_400, -1_000_000_000]).prop_map(Some),
        1 => prop::sample::select(vec![7_200i64, 86_400, 1_000_000_000]).prop_map(Some),
    ];
    let mode = prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::Monitor)];
    let only_to = prop_oneof![5 => Just(Vec::new()), 1 => prefixes()];
    let phases = prop_oneof![2 => Just(Vec::new()), 1 => phases(now)];
    (prefixes(), mode, begin, only_to, phases).prop_map(move |(prefixes, mode, begin, only_to, phases)| {
        let is_phased = !phases.is_empty();
        Pool {
            prefixes,
            mode,
            enforce_from: begin.filter(|_| !is_phased).map(|seconds| moment(now, seconds)),
            only_to: if is_phased { Vec::new() } else { only_to },
            phases,
        }
    })
}

/// Phases in ascending order, of which the first may have no date and the last may be for every destination.
fn phases(now: Timestamp) -> impl Strategy<Value = Vec<Phase>> {
    let begins = vec![-1_000_000_000i64, -86_400, -3_600, 7_200, 86_400, 1_000_000_000];
    let begins = prop::sample::subsequence(begins, 1..=3);
    let destinations = prop::collection::vec(prefixes(), 3);
    (begins, destinations, any::<bool>(), any::<bool>()).prop_map(
        move |(begins, destinations, has_begun, is_everywhere)| {
            let phases = begins.iter().zip(destinations).enumerate();
            let phases = phases.map(|(index, (begin, only_to))| Phase {
                from: (index > 0 || !has_begun).then(|| moment(now, *begin)),
                only_to: if is_everywhere && index + 1 == begins.len() {
                    Vec::new()
                } else {
                    only_to
                },
            });
            // A mapping without keys is no phase.
            phases
                .filter(|phase| phase.from.is_some() || !phase.only_to.is_empty())
                .collect()
        },
    )
}

fn exemption(now: Timestamp) -> impl Strategy<Value = Exemption> {
    let end = prop_oneof![
        3 => Just(None),
        2 => prop::sample::select(vec![-7_200i64, -86_400, -1_000_000_000]).prop_map(Some),
        4 => prop::sample::select(vec![7_200i64, 7_201, 86_400, 1_000_000_000, i64::MAX]).prop_map(Some),
    ];
    let destinations = prop_oneof![1 => Just(Vec::new()), 1 => prefixes()];
    (prefixes(), destinations, end).prop_map(move |(prefixes, destinations, end)| Exemption {
        prefixes,
        destinations,
        expires: end.map(|seconds| moment(now, seconds)),
    })
}

/// So many seconds from now, as far as a policy can express it.
fn moment(now: Timestamp, seconds: i64) -> Timestamp {
    let second = now.as_second().saturating_add(seconds).min(LAST_END);
    Timestamp::from_second(second).expect("it is before 2107")
}

/// A list without duplicates, in any order.
fn prefixes() -> impl Strategy<Value = Vec<IpNet>> {
    prop::collection::vec(prefix(), 1..4).prop_map(|mut list| {
        let mut seen = HashSet::new();
        list.retain(|prefix| seen.insert(*prefix));
        list
    })
}

/// No prefix may be in two pools, or in two relays: the first keeps it.
fn distinct<T>(items: Vec<T>, prefixes: impl Fn(&mut T) -> &mut Vec<IpNet>) -> Vec<T> {
    let mut seen = HashSet::new();
    items
        .into_iter()
        .filter_map(|mut item| {
            let list = prefixes(&mut item);
            list.retain(|prefix| seen.insert(*prefix));
            (!list.is_empty()).then_some(item)
        })
        .collect()
}
