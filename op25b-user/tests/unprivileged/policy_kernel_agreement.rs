//! Compiled tables, looked up as the kernel does, agree with the reference.

use std::{
    collections::HashSet,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use jiff::{Timestamp, tz::TimeZone};
use op25b::policy::{self, Compiled, Flow, Handling, Nat64Prefix, Policy, Rule, TrieEntry, reference};
use op25b_common::{
    Reason, TableRoot, Verdict,
    keys::DestinationKey,
    lpm::{STEPS_V4, STEPS_V6},
    values::{
        Class, DestinationEntry, NEVER, NO_CLASS, NO_DESTINATIONS, NO_PHASES, NO_RULE, Phases, UnixSeconds,
    },
};
use proptest::prelude::*;

/// What the tries compare: the bytes of a key.
trait Key {
    fn bytes(&self) -> Vec<u8>;
}

impl<const N: usize> Key for DestinationKey<[u8; N]> {
    fn bytes(&self) -> Vec<u8> {
        [&self.set[..], &self.address[..]].concat()
    }
}

/// A longest-prefix match as plainly as can be.
fn look_up<'t, K: Key, V>(entries: &'t [TrieEntry<K, V>], key: &impl Key) -> Option<&'t V> {
    let key = key.bytes();
    let bit = |bytes: &[u8], index: u32| bytes[index as usize / 8] >> (7 - index % 8) & 1;
    entries
        .iter()
        .filter(|entry| {
            let bytes = entry.key.bytes();
            (0..entry.prefix_len).all(|index| bit(&bytes, index) == bit(&key, index))
        })
        .max_by_key(|entry| entry.prefix_len)
        .map(|entry| &entry.value)
}

/// What the tables for either family return for an address.
fn find(compiled: &Compiled, [root_v4, root_v6]: [TableRoot; 2], address: IpAddr) -> u32 {
    let number = match address {
        IpAddr::V4(address) => compiled
            .tables
            .find(root_v4, u128::from(address.to_bits()) << 96, STEPS_V4),
        IpAddr::V6(address) => compiled.tables.find(root_v6, address.to_bits(), STEPS_V6),
    };
    number.expect("every address has an answer within so many steps")
}

/// What a set of destinations says of an address.
fn in_set(compiled: &Compiled, set: u32, destination: IpAddr) -> Option<&DestinationEntry> {
    match destination {
        IpAddr::V4(address) => {
            let key = DestinationKey::new(set, address.octets());
            look_up(&compiled.destinations_v4, &key)
        }
        IpAddr::V6(address) => {
            let key = DestinationKey::new(set, address.octets());
            look_up(&compiled.destinations_v6, &key)
        }
    }
}

/// The phases of a class's pool, if the first of them has begun.
fn begun_phases(compiled: &Compiled, class: &Class, now: Timestamp) -> Option<Phases> {
    let phases = compiled.phases[class.phases as usize];
    let has_begun = now.as_second() >= i64::from(phases.from);
    (class.phases != NO_PHASES && has_begun).then_some(phases)
}

/// The program's steps for TCP, as in its own source.
fn as_the_kernel(compiled: &Compiled, flow: &Flow, now: Timestamp) -> reference::Expected {
    if !compiled.blocked_ports.contains(&flow.destination_port) {
        return reference::Expected {
            verdict: Verdict::Pass,
            reason: Reason::OtherPort,
            rule: None,
        };
    }
    let holds = |until: UnixSeconds| until == NEVER || now.as_second() < i64::from(until);
    let number = find(
        compiled,
        [TableRoot::SourcesV4, TableRoot::SourcesV6],
        flow.source,
    );
    let class = compiled.classes[number as usize];
    let pool = (class.pool != NO_RULE).then_some(class.pool);
    let exemption = if holds(class.until) {
        assert_ne!(class.exemption, NO_RULE, "what holds has a rule");
        Some(class.exemption)
    } else if class.destinations == NO_DESTINATIONS {
        None
    } else {
        in_set(compiled, class.destinations, flow.destination)
            .filter(|allowed| holds(allowed.until))
            .map(|allowed| allowed.rule)
    };
    let decision = |verdict, reason, rule| reference::Expected {
        verdict,
        reason,
        rule,
    };
    if pool.is_none() && exemption.is_none() {
        let verdict = if is_unlisted_dropped(compiled, now) {
            Verdict::Drop
        } else {
            Verdict::Pass
        };
        return decision(verdict, Reason::NotPooled, None);
    }
    let relay = find(
        compiled,
        [TableRoot::RelaysV4, TableRoot::RelaysV6],
        flow.destination,
    );
    if let Some(relay) = relay.checked_sub(1) {
        return decision(Verdict::Pass, Reason::Relay, Some(Rule::Relay(relay as usize)));
    }
    if let Some(rule) = exemption {
        return decision(
            Verdict::Pass,
            Reason::Exempt,
            Some(Rule::Exemption(rule as usize)),
        );
    }
    let phase = begun_phases(compiled, &class, now)
        .and_then(|phases| in_set(compiled, phases.destinations, flow.destination));
    let rule = pool.map(|pool| Rule::Pool(pool as usize));
    if !holds(class.enforce_from) || phase.is_some_and(|phase| !holds(phase.until)) {
        decision(Verdict::Drop, Reason::Blocked, rule)
    } else {
        decision(Verdict::Pass, Reason::Monitored, rule)
    }
}

/// Whether a source in no pool is blocked, as in the program's own source.
fn is_unlisted_dropped(compiled: &Compiled, now: Timestamp) -> bool {
    let from = compiled.classes[NO_CLASS as usize].enforce_from;
    compiled.unlisted == Handling::Drop && from != NEVER && now.as_second() >= i64::from(from)
}

/// The program's steps for TCP that hides its ports, as in its own source.
fn as_the_kernel_hidden(compiled: &Compiled, source: Option<IpAddr>, now: Timestamp) -> reference::Expected {
    let holds = |until: UnixSeconds| until == NEVER || now.as_second() < i64::from(until);
    let class = source.map(|source| {
        let number = find(compiled, [TableRoot::SourcesV4, TableRoot::SourcesV6], source);
        compiled.classes[number as usize]
    });
    let is_denied = match class {
        Some(class) if class.pool != NO_RULE => {
            !holds(class.enforce_from) || begun_phases(compiled, &class, now).is_some()
        }
        Some(class) => is_unlisted_dropped(compiled, now) && !holds(class.until),
        None => {
            let any_pool = compiled.phases[NO_PHASES as usize].from;
            is_unlisted_dropped(compiled, now) || !holds(any_pool)
        }
    };
    reference::Expected {
        verdict: if is_denied && compiled.drop_uninspectable {
            Verdict::Drop
        } else {
            Verdict::Pass
        },
        reason: Reason::Uninspectable,
        rule: class
            .filter(|class| class.pool != NO_RULE)
            .map(|class| Rule::Pool(class.pool as usize)),
    }
}

/// Prefixes that nest and collide: few different bits, at both ends of the address, and every special length.
fn prefix() -> impl Strategy<Value = String> {
    let bits = (0u8..4, 0u8..4);
    let v4 = (
        bits.clone(),
        prop::sample::select(vec![0u8, 1, 6, 7, 8, 9, 16, 30, 31, 32]),
    );
    let v6 = (
        bits,
        prop::sample::select(vec![0u8, 1, 6, 7, 8, 9, 64, 96, 126, 127, 128]),
    );
    prop_oneof![
        v4.prop_map(|((high, low), length)| {
            ipnet::Ipv4Net::new(v4_address(high, low), length)
                .unwrap()
                .trunc()
                .to_string()
        }),
        v6.prop_map(|((high, low), length)| {
            ipnet::Ipv6Net::new(v6_address(high, low), length)
                .unwrap()
                .trunc()
                .to_string()
        }),
    ]
}

fn v4_address(high: u8, low: u8) -> Ipv4Addr {
    Ipv4Addr::new(8 + high, 0, 0, low)
}

fn v6_address(high: u8, low: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2000 + (u16::from(high) << 8), 0, 0, 0, 0, 0, 0, u16::from(low))
}

fn prefixes() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(prefix(), 1..4).prop_map(|set| set.into_iter().collect())
}

/// Some moments, so that the compared instants fall before, on and after them.
const MOMENTS: [i64; 4] = [1_800_000_000, 1_800_000_001, 1_800_000_002, 1_900_000_000];

/// NAT64 prefixes, of which one is where other rules have theirs.
const NAT64: [&str; 4] = ["64:ff9b::/96", "2000::/32", "2100::/56", "2001:db8:122::/48"];

/// Prefixes, destinations and end.
type DraftExemption = (Vec<String>, Option<Vec<String>>, Option<i64>);

#[derive(Clone, Debug)]
struct Draft {
    nat64: Vec<&'static str>,
    unlisted: &'static str,
    uninspectable: &'static str,
    pools: Vec<Vec<String>>,
    /// Of each pool, the dates and destinations: without the latter, all.
    phases: Vec<Vec<(i64, Vec<String>)>>,
    relays: Vec<Vec<String>>,
    exemptions: Vec<DraftExemption>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let exemption = (
        prefixes(),
        prop::option::of(prefixes()),
        prop::option::of(prop::sample::select(&MOMENTS[..])),
    );
    (
        prop::sample::subsequence(NAT64.to_vec(), 0..=2),
        prop::sample::select(vec!["pass", "drop"]),
        prop::sample::select(vec!["drop", "drop", "pass"]),
        prop::collection::vec(prefixes(), 1..4),
        prop::collection::vec(phases(), 4),
        prop::collection::vec(prefixes(), 0..3),
        prop::collection::vec(exemption, 0..8),
    )
        .prop_map(
            |(nat64, unlisted, uninspectable, pools, phases, relays, exemptions)| Draft {
                nat64,
                unlisted,
                uninspectable,
                pools: distinct(pools),
                phases,
                relays: distinct(relays),
                exemptions,
            },
        )
}

/// No phases, or up to three in ascending order, of which the last may be for every destination.
fn phases() -> impl Strategy<Value = Vec<(i64, Vec<String>)>> {
    let dates = prop_oneof![
        Just(Vec::new()),
        prop::sample::subsequence(MOMENTS.to_vec(), 1..=3)
    ];
    let destinations = prop::collection::vec(prefixes(), 3);
    (dates, destinations, any::<bool>()).prop_map(|(dates, destinations, is_everywhere)| {
        let mut phases: Vec<_> = dates.into_iter().zip(destinations).collect();
        if let Some((_, destinations)) = phases.last_mut().filter(|_| is_everywhere) {
            destinations.clear();
        }
        phases
    })
}

/// No prefix may be in two pools, or in two relays.
fn distinct(lists: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let lists = lists.into_iter().map(|list| {
        list.into_iter()
            .filter(|prefix| seen.insert(prefix.clone()))
            .collect()
    });
    lists.filter(|list: &Vec<String>| !list.is_empty()).collect()
}

impl Draft {
    fn policy(&self) -> Policy {
        let quoted = |list: &[String]| format!("['{}']", list.join("', '"));
        let mut text = format!(
            "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\nblock: {{ unlisted: {}, uninspectable: {} }}\npools:\n",
            self.unlisted, self.uninspectable
        );
        for (index, pool) in self.pools.iter().enumerate() {
            writeln!(text, "- name: pool{index}\n  prefixes: {}", quoted(pool)).unwrap();
            if !self.phases[index].is_empty() {
                text.push_str("  phases:\n");
            }
            for (from, only_to) in &self.phases[index] {
                let from = Timestamp::from_second(*from).unwrap();
                let only_to = (!only_to.is_empty()).then(|| format!(", only_to: {}", quoted(only_to)));
                let only_to = only_to.unwrap_or_default();
                writeln!(text, "  - {{ from: '{from}'{only_to} }}").unwrap();
            }
        }
        if !self.nat64.is_empty() {
            let nat64: Vec<String> = self.nat64.iter().map(|prefix| (*prefix).to_owned()).collect();
            text.insert_str(0, &format!("nat64: {}\n", quoted(&nat64)));
        }
        if !self.relays.is_empty() {
            text.push_str("relays:\n");
        }
        for (index, relay) in self.relays.iter().enumerate() {
            writeln!(text, "- {{ name: relay{index}, prefixes: {} }}", quoted(relay)).unwrap();
        }
        if !self.exemptions.is_empty() {
            text.push_str("exemptions:\n");
        }
        for (prefixes, destinations, expires) in &self.exemptions {
            write!(text, "- {{ customer: A, prefixes: {}", quoted(prefixes)).unwrap();
            if let Some(destinations) = destinations {
                write!(text, ", destinations: {}", quoted(destinations)).unwrap();
            }
            if let Some(second) = expires {
                write!(text, ", expires: '{}'", Timestamp::from_second(*second).unwrap()).unwrap();
            }
            text.push_str(" }\n");
        }
        let now = Timestamp::from_second(MOMENTS[0]).unwrap();
        match policy::parse_at("draft.yaml", &text, now, &TimeZone::UTC) {
            Ok(loaded) => loaded.policy,
            Err(report) => panic!("{text}\n{report}"),
        }
    }
}

/// Every combination of addresses that the drafts distinguish, and some that they do not.
fn flows() -> Vec<Flow> {
    let mut flows = Vec::new();
    let ends: Vec<(u8, u8)> = (0..5)
        .flat_map(|high| [0, 1, 2, 3, 255].map(|low| (high, low)))
        .collect();
    for source in &ends {
        for destination in &ends {
            flows.push(Flow {
                source: v4_address(source.0, source.1).into(),
                destination: v4_address(destination.0, destination.1).into(),
                destination_port: 25,
            });
            for prefix in NAT64 {
                let prefix = Nat64Prefix::new(prefix.parse().unwrap()).unwrap();
                let destination = v4_address(destination.0, destination.1);
                flows.push(Flow {
                    source: v6_address(source.0, source.1).into(),
                    destination: prefix.embed(destination.into()).addr().into(),
                    destination_port: 25,
                });
            }
            flows.push(Flow {
                source: v6_address(source.0, source.1).into(),
                destination: v6_address(destination.0, destination.1).into(),
                destination_port: 25,
            });
        }
    }
    flows
}

fn is_unique<K: Key, V>(entries: &[TrieEntry<K, V>]) -> bool {
    let mut keys = HashSet::new();
    entries
        .iter()
        .all(|entry| keys.insert((entry.prefix_len, entry.key.bytes())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_and_the_model_agree_on_verdict_reason_and_rule(draft in draft(), moment in 0usize..4, early in 0i64..2) {
        let policy = draft.policy();
        let compiled = policy::compile(&policy).unwrap();
        let now = Timestamp::from_second(MOMENTS[moment] - early).unwrap();
        for flow in flows() {
            let model = reference::decide(&policy, &flow, now);
            prop_assert_eq!(as_the_kernel(&compiled, &flow, now), model, "{:?} at {}", flow, now);
        }
    }

    #[test]
    fn the_tables_and_the_model_agree_on_segments_that_hide_their_ports(draft in draft(), moment in 0usize..4, early in 0i64..2) {
        let policy = draft.policy();
        let compiled = policy::compile(&policy).unwrap();
        let now = Timestamp::from_second(MOMENTS[moment] - early).unwrap();
        for source in flows().iter().map(|flow| Some(flow.source)).chain([None]) {
            let model = reference::decide_hidden(&policy, source, now);
            prop_assert_eq!(as_the_kernel_hidden(&compiled, source, now), model, "{:?} at {}", source, now);
        }
    }

    #[test]
    fn the_tables_are_proven_from_any_moment_on(draft in draft(), moment in 0usize..4) {
        let policy = draft.policy();
        let now = Timestamp::from_second(MOMENTS[moment]).unwrap();
        for compiled in [policy::compile(&policy), policy::compile_without_expired(&policy, now)] {
            let proof = policy::prove(&policy, &compiled.unwrap(), now);
            prop_assert!(proof.is_ok(), "{:?} at {}", proof, now);
        }
    }

    #[test]
    fn no_trie_has_the_same_prefix_twice(draft in draft()) {
        let compiled = policy::compile(&draft.policy()).unwrap();
        prop_assert!(is_unique(&compiled.destinations_v4) && is_unique(&compiled.destinations_v6));
    }
}

/// Source, destination, and what is expected.
type Row = (&'static str, &'static str, Reason, Option<Rule>);

/// Decides on a few flows under a policy with these exemptions and one pool.
#[rustfmt::skip]
const TABLE: &[(&str, &[Row])] = &[
    // The last address of a prefix is in it, the next is not.
    ("", &[
        ("198.51.103.255", "192.0.2.1", Reason::Blocked, Some(Rule::Pool(0))),
        ("198.51.104.0", "192.0.2.1", Reason::NotPooled, None),
        ("2001:db8:1ff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1", Reason::Blocked, Some(Rule::Pool(0))),
        ("2001:db8:200::", "2001:db8::1", Reason::NotPooled, None),
        ("198.51.100.1", "192.0.2.25", Reason::Relay, Some(Rule::Relay(0))),
        ("203.0.113.1", "192.0.2.25", Reason::NotPooled, None),
    ]),
    // Exemptions beat pools, whatever the prefix lengths.
    ("[{ customer: A, prefixes: [198.51.0.0/16] }]", &[
        ("198.51.100.1", "192.0.2.1", Reason::Exempt, Some(Rule::Exemption(0))),
        ("198.51.200.1", "192.0.2.1", Reason::Exempt, Some(Rule::Exemption(0))),
        ("198.51.200.1", "192.0.2.25", Reason::Relay, Some(Rule::Relay(0))),
    ]),
    // An expired exemption inside one that holds does not shadow it.
    ("[{ customer: A, prefixes: [198.51.100.0/24] }, { customer: B, prefixes: [198.51.100.8], expires: 2020-01-01 }]", &[
        ("198.51.100.8", "192.0.2.1", Reason::Exempt, Some(Rule::Exemption(0))),
    ]),
    // Restricted exemptions add up, and what they do not name is blocked.
    ("[{ customer: A, prefixes: [198.51.100.0/24], destinations: [192.0.2.128/25] }, \
       { customer: B, prefixes: [198.51.100.8], destinations: [203.0.113.0/24] }]", &[
        ("198.51.100.8", "192.0.2.200", Reason::Exempt, Some(Rule::Exemption(0))),
        ("198.51.100.8", "203.0.113.1", Reason::Exempt, Some(Rule::Exemption(1))),
        ("198.51.100.9", "203.0.113.1", Reason::Blocked, Some(Rule::Pool(0))),
        ("198.51.100.8", "192.0.2.1", Reason::Blocked, Some(Rule::Pool(0))),
    ]),
    // Outside of the pools there is nothing to be exempted from, unless the exemption grants this very flow.
    ("[{ customer: A, prefixes: [203.0.113.8], destinations: [192.0.2.128/25] }]", &[
        ("203.0.113.8", "192.0.2.200", Reason::Exempt, Some(Rule::Exemption(0))),
        ("203.0.113.8", "192.0.2.1", Reason::NotPooled, None),
    ]),
    // Of several, one without destinations is named first, then the longest, then the first in the file.
    ("[{ customer: A, prefixes: [198.51.100.8], destinations: [192.0.2.128/25] }, \
       { customer: B, prefixes: [198.51.100.8], expires: 2090-01-01 }, \
       { customer: C, prefixes: [198.51.100.0/24], expires: 2091-01-01 }, \
       { customer: D, prefixes: [198.51.100.8], expires: 2091-01-01 }]", &[
        ("198.51.100.8", "192.0.2.200", Reason::Exempt, Some(Rule::Exemption(2))),
        ("198.51.100.8", "192.0.2.1", Reason::Exempt, Some(Rule::Exemption(2))),
    ]),
];

#[test]
fn the_table_of_flows_gets_the_decisions_that_it_lists() {
    let now: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    for (exemptions, flows) in TABLE {
        let mut text = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                        pools: [{ name: p, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]\n\
                        relays: [{ name: r, prefixes: [192.0.2.25] }]\n"
            .to_owned();
        if !exemptions.is_empty() {
            writeln!(text, "exemptions: {exemptions}").unwrap();
        }
        let policy = policy::parse_at("table.yaml", &text, now, &TimeZone::UTC)
            .unwrap()
            .policy;
        let compiled = policy::compile(&policy).unwrap();
        for (source, destination, reason, rule) in *flows {
            let flow = Flow {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                destination_port: 25,
            };
            let decision = reference::decide(&policy, &flow, now);
            assert_eq!(
                (decision.reason, decision.rule),
                (*reason, *rule),
                "{exemptions} {flow:?}"
            );
            assert_eq!(
                as_the_kernel(&compiled, &flow, now),
                decision,
                "{exemptions} {flow:?}"
            );
        }
    }
}

#[test]
fn an_exemption_ends_with_its_last_second() {
    let text = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
                pools: [{ name: p, prefixes: [198.51.100.0/22] }]\n\
                exemptions: [{ customer: A, prefixes: [198.51.100.8], expires: '2028-01-01T00:00:00Z' }]\n";
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
    let policy = policy::parse_at("x.yaml", text, end, &TimeZone::UTC)
        .unwrap()
        .policy;
    let flow = Flow {
        source: Ipv4Addr::new(198, 51, 100, 8).into(),
        destination: Ipv4Addr::new(192, 0, 2, 1).into(),
        destination_port: 25,
    };
    let before = Timestamp::new(end.as_second() - 1, 999_999_999).unwrap();
    assert_eq!(reference::decide(&policy, &flow, before).reason, Reason::Exempt);
    assert_eq!(reference::decide(&policy, &flow, end).reason, Reason::Blocked);
}

#[test]
fn a_rule_is_described_with_its_prefix_and_line() {
    let text = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\npools:\n- name: residential\n  prefixes:\n  - 198.51.100.0/22\n  - 198.51.100.0/24\n";
    let policy = policy::parse("x.yaml", text).unwrap().policy;
    let flow = Flow {
        source: Ipv4Addr::new(198, 51, 100, 8).into(),
        destination: Ipv4Addr::new(192, 0, 2, 1).into(),
        destination_port: 25,
    };
    let rule = reference::decide(&policy, &flow, Timestamp::UNIX_EPOCH)
        .rule
        .unwrap();
    assert_eq!(
        rule.describe(&policy, &flow).unwrap().to_string(),
        "pool residential (198.51.100.0/24), line 7"
    );
}

#[test]
fn one_exemption_with_many_prefixes_needs_one_destination_set() {
    let prefixes: Vec<String> = (0..200).map(|host| format!("198.51.100.{host}")).collect();
    let text = format!(
        "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\n\
         pools: [{{ name: p, prefixes: [198.51.100.0/22] }}]\n\
         exemptions: [{{ customer: A, prefixes: [{}], destinations: [192.0.2.0/24, 192.0.2.1] }}]\n",
        prefixes.join(", ")
    );
    let compiled = policy::compile(&policy::parse("x.yaml", &text).unwrap().policy).unwrap();
    // Outside, in the pool, and in the exemption.
    assert_eq!(compiled.classes.len(), 3);
    // The single address adds nothing to its network.
    assert_eq!(compiled.destinations_v4.len(), 1);
    assert_eq!(compiled.destinations_v4[0].prefix_len, 32 + 24);
}
