//! The tables of a policy return for every address what its longest prefixes hold.
#![allow(clippy::cast_possible_truncation, reason = "no list here has that many items")]

use std::{
    cell::UnsafeCell,
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    sync::atomic::AtomicU32,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use op25b::{
    exemption::Terms,
    lpm::{LiveTables, Regions, Usage},
    policy::{
        self, Block, Compiled, Exemption, ExemptionLimits, Origin, Phase, Policy, Pool, PoolMode, Position,
        Positions, Prefix, Relay, Subscribers,
    },
};
use op25b_common::{
    TableRoot,
    lpm::{BitmapNode, CompressedPath, Entry, STEPS_V4, STEPS_V6},
    values::{Class, NO_RULE, RecordPlace},
};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

fn prefix(net: IpNet) -> Prefix {
    Prefix {
        net,
        at: Position::default(),
    }
}

fn policy(pools: Vec<Vec<IpNet>>, exempt: impl IntoIterator<Item = IpNet>, relays: Vec<IpNet>) -> Policy {
    let pool = |(index, nets): (usize, Vec<IpNet>)| Pool {
        name: format!("pool{index}"),
        prefixes: nets.into_iter().map(prefix).collect(),
        mode: PoolMode::Enforce,
        phases: vec![Phase::default()],
        paused_until: None,
        at: Position::default(),
    };
    let origin = Origin::File(Positions::new(Position::default(), &[]));
    let exemption = |net| Exemption::new(Terms::new("A", [net]), origin.clone());
    let relay = |(index, net): (usize, IpNet)| Relay {
        name: format!("relay{index}"),
        prefixes: vec![prefix(net)],
        at: Position::default(),
    };
    Policy {
        interfaces: Vec::new(),
        block: Block::default(),
        subscribers: Subscribers::default(),
        history: None,
        events: None,
        alerts: None,
        pools: pools.into_iter().enumerate().map(pool).collect(),
        relays: relays.into_iter().enumerate().map(relay).collect(),
        nat64: policy::Nat64::default(),
        privacy: policy::Privacy::default(),
        exemption_limits: ExemptionLimits::default(),
        metrics: None,
        exemptions: exempt.into_iter().map(exemption).collect(),
        lists: Vec::new(),
    }
}

/// What the tables return for an address.
fn number(compiled: &Compiled, [root_v4, root_v6]: [TableRoot; 2], address: IpAddr) -> u32 {
    let found = match address {
        IpAddr::V4(address) => compiled
            .tables
            .find(root_v4, u128::from(address.to_bits()) << 96, STEPS_V4),
        IpAddr::V6(address) => compiled.tables.find(root_v6, address.to_bits(), STEPS_V6),
    };
    found.expect("every address has an answer within so many steps")
}

fn class(compiled: &Compiled, address: IpAddr) -> Class {
    compiled.classes[number(compiled, [TableRoot::SourcesV4, TableRoot::SourcesV6], address) as usize]
}

/// The prefixes of all lengths that hold an address, looked for in a map, longest first.
struct Naive(BTreeMap<IpNet, usize>);

impl Naive {
    /// Each net with the number of the item that it belongs to; the first item keeps a net that several have.
    fn new(nets: impl IntoIterator<Item = (IpNet, usize)>) -> Self {
        let mut map = BTreeMap::new();
        for (net, item) in nets {
            map.entry(net).or_insert(item);
        }
        Self(map)
    }

    fn holding(&self, address: IpAddr) -> impl Iterator<Item = usize> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (0..=longest).rev().filter_map(move |length| {
            let net = IpNet::new(address, length).unwrap().trunc();
            self.0.get(&net).copied()
        })
    }
}

/// The first and the last address of a prefix, and those right outside.
fn edges(net: IpNet) -> Vec<IpAddr> {
    match net {
        IpNet::V4(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::V4(bits.into()))
                .to_vec()
        }
        IpNet::V6(net) => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
                .map(|bits| IpAddr::V6(bits.into()))
                .to_vec()
        }
    }
}

/// Compares tables with the naive answer at the edges of every prefix.
fn check(pools: &[Vec<IpNet>], exempt: &[IpNet], relays: &[IpNet], more: &[IpAddr]) {
    let policy = policy(pools.to_vec(), exempt.iter().copied(), relays.to_vec());
    let compiled = policy::compile(&policy).unwrap();
    let pooled = Naive::new(
        pools
            .iter()
            .enumerate()
            .flat_map(|(pool, nets)| nets.iter().map(move |net| (*net, pool))),
    );
    let exempted = Naive::new(
        exempt
            .iter()
            .copied()
            .enumerate()
            .map(|(index, net)| (net, index)),
    );
    let relayed = Naive::new(
        relays
            .iter()
            .copied()
            .enumerate()
            .map(|(index, net)| (net, index)),
    );
    let nets = pools.iter().flatten().chain(exempt).chain(relays);
    for address in nets.flat_map(|net| edges(*net)).chain(more.iter().copied()) {
        let class = class(&compiled, address);
        let pool = pooled.holding(address).next().map_or(NO_RULE, |pool| pool as u32);
        assert_eq!(class.pool, pool, "pool of {address}");
        // None of them ends, so the first in the file is named.
        let exemption = exempted
            .holding(address)
            .min()
            .map_or(NO_RULE, |rule| rule as u32);
        assert_eq!(class.exemption, exemption, "exemption of {address}");
        let relay = relayed
            .holding(address)
            .next()
            .map_or(0, |relay| relay as u32 + 1);
        assert_eq!(
            number(&compiled, [TableRoot::RelaysV4, TableRoot::RelaysV6], address),
            relay,
            "relay of {address}"
        );
    }
    check_places(&compiled, &policy);
}

/// Every subscriber of a pool has a record of its own, as far as records go, and what is in the classes leads to it from each of its
/// addresses that is in a pool.
fn check_places(compiled: &Compiled, policy: &Policy) {
    let most = policy::MOST_IN_ARRAY as u64;
    let mut ends: Vec<(u64, u64)> = Vec::new();
    let v4 = &compiled.record_index;
    for (first, last, record) in &v4.ranges {
        ends.push(((*record).into(), u64::from(*record) + (last - first)));
        for number in [*first, *last] {
            let address = u32::try_from(number).unwrap();
            let class = class(compiled, IpAddr::V4(address.into()));
            assert_eq!(class.record_place, RecordPlace::Array as u32);
            let found = address.wrapping_add(class.subscribers);
            assert_eq!(u64::from(found), u64::from(*record) + (number - first));
        }
    }
    let v6 = &compiled.record_index_v6;
    let beside = 128 - u32::from(compiled.ipv6_prefix);
    for (first, last, record) in &v6.ranges {
        ends.push(((*record).into(), u64::from(*record) + (last - first)));
    }
    let nets = policy.pools.iter().flat_map(|pool| &pool.prefixes);
    for address in nets.flat_map(|prefix| edges(prefix.net)) {
        let IpAddr::V6(six) = address else { continue };
        let class = class(compiled, address);
        if class.record_place != RecordPlace::Array as u32 {
            continue;
        }
        let number = u64::try_from(six.to_bits() >> beside).unwrap();
        let range = v6
            .ranges
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&number));
        let (first, _, record) = range.unwrap_or_else(|| panic!("{address} has no record in the index"));
        let found = (number as u32).wrapping_add(class.subscribers);
        assert_eq!(
            u64::from(found),
            u64::from(*record) + (number - first),
            "{address}"
        );
    }
    ends.sort_unstable();
    assert!(ends.is_sorted_by(|one, next| one.1 < next.0), "{ends:?} overlap");
    assert!(
        ends.last()
            .is_none_or(|(_, last)| *last < v4.end.max(v6.end) as u64)
    );
    assert!(v4.end as u64 <= most && v6.end as u64 <= v4.end as u64 + most);
}

/// Addresses with few different bits in few places, so that prefixes nest and collide.
fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (0u32..64, 0u8..=32).prop_map(|(seed, length)| {
        let bits = (seed & 7) << 29 | (seed >> 3 & 1) << 15 | (seed >> 4 & 3) | 10 << 16;
        IpNet::V4(Ipv4Net::new(bits.into(), length).unwrap().trunc())
    });
    let v6 = (0u128..256, 0u8..=128).prop_map(|(seed, length)| {
        let bits = 0x2001_0db8_u128 << 96
            | (seed & 3) << 88
            | (seed >> 2 & 3) << 71
            | (seed >> 4 & 3) << 40
            | (seed >> 6);
        IpNet::V6(Ipv6Net::new(bits.into(), length).unwrap().trunc())
    });
    prop_oneof![v4, v6]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn tables_return_what_longest_prefixes_hold(
        mut pools in prop::collection::vec(prop::collection::vec(net(), 1..6), 0..4),
        exempt in prop::collection::vec(net(), 0..40),
        mut relays in prop::collection::vec(net(), 0..6),
    ) {
        // No two pools and no two relays have one prefix.
        let mut seen = HashSet::new();
        for pool in &mut pools {
            pool.retain(|net| seen.insert(*net));
        }
        seen.clear();
        relays.retain(|net| seen.insert(*net));
        check(&pools, &exempt, &relays, &[]);
    }
}

#[test]
fn every_prefix_length_is_found() {
    let v4 = (0..=32).map(|length| {
        Ipv4Net::new([10, 85, 170, 1].into(), length)
            .unwrap()
            .trunc()
            .into()
    });
    let v6 = (0..=128).map(|length| {
        let address = "2001:db8:5555:aaaa:5555:aaaa:5555:aaa1".parse().unwrap();
        Ipv6Net::new(address, length).unwrap().trunc().into()
    });
    let all: Vec<IpNet> = v4.chain(v6).collect();
    // Each alone, all as exemptions, and all as pools.
    for net in &all {
        check(&[vec![*net]], &[], &[*net], &[]);
        check(&[], &[*net], &[], &[]);
    }
    check(&[], &all, &[], &[]);
    let pools: Vec<Vec<IpNet>> = all.iter().map(|net| vec![*net]).collect();
    check(&pools, &[], &all, &[]);
}

#[test]
fn a_million_addresses_in_one_block_are_found() {
    let block: Ipv4Net = "10.16.0.0/12".parse().unwrap();
    let first = block.network().to_bits();
    let exempt = (0..1 << 20).map(|host| IpNet::V4(Ipv4Net::new((first + host).into(), 32).unwrap()));
    let compiled = policy::compile(&policy(vec![vec![block.into()]], exempt, Vec::new())).unwrap();
    for host in 0..1 << 20 {
        let class = class(&compiled, IpAddr::V4((first + host).into()));
        assert_eq!((class.pool, class.exemption), (0, host));
    }
    for outside in [first - 1, first + (1 << 20)] {
        assert_eq!(class(&compiled, IpAddr::V4(outside.into())).pool, NO_RULE);
    }
    // A page for each /24, and hardly anything else.
    assert!(compiled.tables.bytes() < 8 << 20, "{}", compiled.tables.bytes());
}

#[test]
fn many_ipv6_prefixes_of_every_length_are_found() {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let rng = runner.rng();
    let exempt: Vec<IpNet> = (0..20_000)
        .map(|index| {
            let bits = 0x2001_0db8_u128 << 96 | rng.random::<u128>() >> 32;
            let length = 32 + u8::try_from(index % 97).unwrap();
            IpNet::V6(Ipv6Net::new(bits.into(), length).unwrap().trunc())
        })
        .collect();
    let pool = vec!["2001:db8::/32".parse().unwrap()];
    check(&[pool], &exempt, &[], &[]);
}

#[test]
fn what_an_exemption_changes_is_what_a_new_policy_would_say() {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    for _ in 0..30 {
        let base = policy(vec![vec![new_net(&mut runner)]], [], Vec::new());
        let mut rules = policy::Rules::new(&base).unwrap();
        let mut live = Heap::new(&policy::compile(&base).unwrap());
        let mut present: Vec<(u32, IpNet)> = Vec::new();
        for _ in 0..40 {
            let is_removal = !present.is_empty() && runner.rng().random_bool(0.4);
            let change = if is_removal {
                let index = runner.rng().random_range(0..present.len());
                let (rule, _) = present.swap_remove(index);
                rules.remove(rule).unwrap().unwrap()
            } else {
                let net = new_net(&mut runner);
                let exemption = policy(Vec::new(), [net], Vec::new()).exemptions.remove(0);
                let (rule, change) = rules.add(exemption).unwrap();
                present.push((rule, net));
                change
            };
            live.apply(&change);
            for address in present.iter().flat_map(|(_, net)| edges(*net)) {
                let class = live.class(address);
                let holding = present.iter().filter(|(_, net)| net.contains(&address));
                let exemption = holding.map(|(rule, _)| *rule).min();
                assert_eq!(class.exemption, exemption.unwrap_or(NO_RULE), "{address}");
                let pooled = base.pools[0].prefixes[0].net.contains(&address);
                assert_eq!(class.pool == 0, pooled, "{address}");
            }
        }
    }
}

#[test]
fn a_change_that_is_given_up_leaves_no_trace_in_those_after_it() {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    for _ in 0..30 {
        let base = policy(vec![vec![new_net(&mut runner)]], [], Vec::new());
        let mut rules = policy::Rules::new(&base).unwrap();
        let mut live = Heap::new(&policy::compile(&base).unwrap());
        let mut present: Vec<(u32, IpNet)> = Vec::new();
        for _ in 0..40 {
            let is_given_up = runner.rng().random_bool(0.5);
            let is_removal = !present.is_empty() && runner.rng().random_bool(0.4);
            let change = if is_removal {
                let index = runner.rng().random_range(0..present.len());
                let (rule, _) = present[index];
                let change = rules.remove(rule).unwrap().unwrap();
                if is_given_up {
                    rules.undo_remove(rule, &change);
                } else {
                    present.swap_remove(index);
                }
                change
            } else {
                let net = new_net(&mut runner);
                let exemption = policy(Vec::new(), [net], Vec::new()).exemptions.remove(0);
                let (rule, change) = rules.add(exemption).unwrap();
                if is_given_up {
                    rules.undo_add(rule, &change);
                } else {
                    present.push((rule, net));
                }
                change
            };
            if !is_given_up {
                live.apply(&change);
            }
            for address in present.iter().flat_map(|(_, net)| edges(*net)) {
                let class = live.class(address);
                let holding = present.iter().filter(|(_, net)| net.contains(&address));
                let exemption = holding.map(|(rule, _)| *rule).min();
                assert_eq!(class.exemption, exemption.unwrap_or(NO_RULE), "{address}");
            }
        }
    }
}

fn new_net(runner: &mut TestRunner) -> IpNet {
    net().new_tree(runner).unwrap().current()
}

/// Tables in this process's memory, changed as those in the kernel are.
struct Heap {
    memory: Memory,
    classes: Vec<Class>,
    used: Usage,
}

struct Memory {
    roots: Vec<AtomicU32>,
    pages: Vec<AtomicU32>,
    bitmap_nodes: Vec<UnsafeCell<BitmapNode>>,
    paths: Vec<UnsafeCell<CompressedPath>>,
}

impl Memory {
    fn regions(&self) -> Regions<'_> {
        Regions {
            roots: &self.roots,
            pages: &self.pages,
            bitmap_nodes: &self.bitmap_nodes,
            paths: &self.paths,
        }
    }
}

impl Heap {
    fn new(compiled: &Compiled) -> Self {
        const ROOM: usize = 100_000;
        let tables = &compiled.tables;
        let words = |entries: &mut dyn Iterator<Item = Entry>| {
            entries.map(|entry| entry.word().into()).collect::<Vec<_>>()
        };
        let mut pages = words(&mut tables.pages.iter().flatten().copied());
        pages.resize_with(ROOM, Default::default);
        let mut bitmap_nodes: Vec<_> = tables.bitmap_nodes.iter().map(|node| (*node).into()).collect();
        bitmap_nodes.resize_with(ROOM, Default::default);
        let mut paths: Vec<_> = tables.paths.iter().map(|path| (*path).into()).collect();
        paths.resize_with(ROOM, Default::default);
        Self {
            memory: Memory {
                roots: words(&mut tables.roots.iter().copied()),
                pages,
                bitmap_nodes,
                paths,
            },
            classes: compiled.classes.clone(),
            used: Usage::of(tables),
        }
    }

    fn apply(&mut self, change: &policy::RuleChange) {
        for (number, class) in &change.classes {
            assert_eq!(*number as usize, self.classes.len());
            self.classes.push(*class);
        }
        // SAFETY: nothing else refers to this memory, and `used` has followed every change.
        let mut live = unsafe { LiveTables::new(self.memory.regions(), &mut self.used) };
        for part in &change.tables {
            part.write(&mut live).unwrap();
        }
    }

    fn class(&mut self, address: IpAddr) -> Class {
        // SAFETY: as above.
        let live = unsafe { LiveTables::new(self.memory.regions(), &mut self.used) };
        let number = match address {
            IpAddr::V4(address) => live.find(
                TableRoot::SourcesV4,
                u128::from(address.to_bits()) << 96,
                STEPS_V4,
            ),
            IpAddr::V6(address) => live.find(TableRoot::SourcesV6, address.to_bits(), STEPS_V6),
        };
        self.classes[number.unwrap() as usize]
    }
}
