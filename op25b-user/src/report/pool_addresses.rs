//! What part of each pool is exempt, which of its subscribers share the LRU map, and where pools and relays overlap.

use std::fmt;

use ipnet::{IpNet, Ipv6Net};
use jiff::Timestamp;
use serde::Serialize;

use crate::policy::{
    LruAddresses, Policy, Pool,
    pool_addresses::PoolAddresses,
    prefix_set::{PrefixSet, Ranges},
};

/// How many prefixes are listed in text.
const LISTED: usize = 4;

/// A pool and its exempt part. Adding a member is a compatible change, changing one is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PoolReport {
    name: String,
    /// `None` if the pool has no addresses of the family; likewise for IPv6.
    ipv4: Option<Part<u64>>,
    /// In numbers as text: they exceed those that JSON's readers have.
    ipv6: Option<Part<Text>>,
    /// The length of subscribers' prefixes.
    #[serde(skip)]
    ipv6_prefix: u8,
    /// The same in subscribers' prefixes, for people.
    #[serde(skip)]
    ipv6_subscribers: Option<Part<u128>>,
    /// The IPv6 prefixes whose subscribers are too many for the array: only the most recent ones have a record.
    ipv6_most_recent: Vec<Ipv6Net>,
    relays: Vec<Overlap>,
}

/// How many addresses a pool has, and how many of them are exempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Part<N> {
    addresses: N,
    /// To every destination.
    exempt: N,
    /// To some destinations only.
    exempt_to_some: N,
}

/// A number in JSON that is written as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
struct Text(String);

/// A relay with addresses of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Overlap {
    name: String,
    prefixes: Vec<IpNet>,
}

/// The pools of a policy, with the exemptions of its file that hold at an instant; `lru` are the addresses whose subscribers have their
/// records in the LRU map.
pub(crate) fn pool_reports(policy: &Policy, lru: &LruAddresses, now: Timestamp) -> Vec<PoolReport> {
    let terms = policy.exemptions.iter().map(|exemption| &exemption.terms);
    let pools = PoolAddresses::of_each(policy, terms, now);
    let reports = policy.pools.iter().zip(pools);
    reports
        .map(|(pool, addresses)| PoolReport {
            name: pool.name.clone(),
            // IPv4 has 2^32 addresses.
            ipv4: Part::of(&addresses, PrefixSet::v4, |ranges| {
                u64::try_from(ranges.addresses()).unwrap_or(u64::MAX)
            }),
            ipv6: Part::of(&addresses, PrefixSet::v6, |ranges| {
                Text(ranges.addresses().to_string())
            }),
            ipv6_prefix: policy.subscribers.ipv6_prefix,
            ipv6_subscribers: Part::of(&addresses, PrefixSet::v6, |ranges| {
                ranges.prefixes_of_length(policy.subscribers.ipv6_prefix)
            }),
            ipv6_most_recent: if policy.subscribers.remember.includes(&pool.name) {
                most_recent(pool, lru)
            } else {
                Vec::new()
            },
            relays: addresses
                .relays
                .iter()
                .map(|(relay, both)| Overlap {
                    name: policy.relays[*relay].name.clone(),
                    prefixes: both.prefixes().collect(),
                })
                .collect(),
        })
        .collect()
}

/// The prefixes of a remembered pool with addresses whose subscribers have their records in the LRU map.
fn most_recent(pool: &Pool, lru: &LruAddresses) -> Vec<Ipv6Net> {
    let nets = pool.prefixes.iter().filter_map(|prefix| match prefix.net {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    });
    nets.filter(|net| lru.overlap(net.network(), net.broadcast()))
        .collect()
}

impl<N> Part<N> {
    fn of(
        pool: &PoolAddresses,
        family: fn(&PrefixSet) -> &Ranges,
        count: impl Fn(&Ranges) -> N,
    ) -> Option<Self> {
        let all = family(&pool.all);
        (!all.is_empty()).then(|| Self {
            addresses: count(all),
            exempt: count(family(&pool.exempt)),
            exempt_to_some: count(family(&pool.exempt_to_some)),
        })
    }
}

/// Displays as one line, one more if there is not a record for each subscriber, and one for each relay that overlaps.
impl fmt::Display for PoolReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, .. } = self;
        let v4 = self.ipv4.as_ref().map(|part| {
            let part = Part {
                addresses: u128::from(part.addresses),
                exempt: part.exempt.into(),
                exempt_to_some: part.exempt_to_some.into(),
            };
            ("IPv4", part.text("address", "addresses"))
        });
        let unit = format!("/{}", self.ipv6_prefix);
        let v6 = self.ipv6_subscribers.as_ref();
        let v6 = v6.map(|part| ("IPv6", part.text(&unit, &unit)));
        let parts: Vec<_> = v4
            .into_iter()
            .chain(v6)
            .map(|(family, text)| format!("{family}: {text}"))
            .collect();
        let parts = if parts.is_empty() {
            "no addresses: other pools have longer prefixes for all of them".to_owned()
        } else {
            parts.join("; ")
        };
        writeln!(f, "pool {name}: {parts}")?;
        if !self.ipv6_most_recent.is_empty() {
            writeln!(
                f,
                "pool {name}: more {unit} than there are records for, only the most recent ones have one: {}",
                listed(&self.ipv6_most_recent)
            )?;
        }
        for Overlap {
            name: relay,
            prefixes,
        } in &self.relays
        {
            writeln!(f, "pool {name}: overlaps relay {relay}: {}", listed(prefixes))?;
        }
        Ok(())
    }
}

/// The first of these prefixes, and how many more there are.
fn listed(prefixes: &[impl fmt::Display]) -> String {
    let listed: Vec<_> = prefixes.iter().take(LISTED).map(ToString::to_string).collect();
    let more = match prefixes.len() - listed.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", listed.join(", "))
}

impl Part<u128> {
    /// `8 of 1024 addresses exempt (0.8%), 4 to some destinations only`
    fn text(&self, one: &str, many: &str) -> String {
        let Self {
            addresses,
            exempt,
            exempt_to_some,
        } = self;
        let unit = if *addresses == 1 { one } else { many };
        let some = match exempt_to_some {
            0 => String::new(),
            some => format!(", {some} to some destinations only"),
        };
        format!(
            "{exempt} of {addresses} {unit} exempt ({}){some}",
            percentage(*exempt, *addresses)
        )
    }
}

/// A percentage with one decimal; neither none nor all unless it is exactly that.
fn percentage(part: u128, whole: u128) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    match percent {
        _ if part == 0 => "0%".to_owned(),
        _ if part == whole => "100%".to_owned(),
        low if low < 0.1 => "<0.1%".to_owned(),
        high if high > 99.9 => ">99.9%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{compile, parse};

    #[test]
    fn a_pool_is_shown_with_its_exempt_part_and_the_relays_in_it() {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
subscribers: { ipv6_prefix: 56 }
pools:
  - { name: homes, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: one, prefixes: [203.0.113.1] }
  - { name: wide, prefixes: ['2001:dc0::/28', '2001:dc0:1::/48'] }
relays: [{ name: post1, prefixes: [198.51.100.25, 198.51.100.27] }]
exemptions:
  - { customer: A, prefixes: [198.51.100.8/29, '2001:db8:100::/64'] }
  - { customer: B, prefixes: [198.51.100.64/30], destinations: [192.0.2.25] }
  - { customer: C, prefixes: [203.0.113.1] }
";
        let policy = parse("policy.yaml", text).unwrap().policy;
        let compiled = compile(&policy).unwrap();
        let reports = pool_reports(&policy, &compiled.lru_v6, Timestamp::now());
        let shown: String = reports.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown, @r"
        pool homes: IPv4: 8 of 256 addresses exempt (3.1%), 4 to some destinations only; IPv6: 1 of 65536 /56 exempt (<0.1%)
        pool homes: overlaps relay post1: 198.51.100.25/32, 198.51.100.27/32
        pool one: IPv4: 1 of 1 address exempt (100%)
        pool wide: IPv6: 0 of 268435456 /56 exempt (0%)
        pool wide: more /56 than there are records for, only the most recent ones have one: 2001:dc0::/28
        ");
        insta::assert_snapshot!(serde_json::to_string(&reports).unwrap(), @r#"[{"name":"homes","ipv4":{"addresses":256,"exempt":8,"exempt_to_some":4},"ipv6":{"addresses":"309485009821345068724781056","exempt":"18446744073709551616","exempt_to_some":"0"},"ipv6_most_recent":[],"relays":[{"name":"post1","prefixes":["198.51.100.25/32","198.51.100.27/32"]}]},{"name":"one","ipv4":{"addresses":1,"exempt":1,"exempt_to_some":0},"ipv6":null,"ipv6_most_recent":[],"relays":[]},{"name":"wide","ipv4":null,"ipv6":{"addresses":"1267650600228229401496703205376","exempt":"0","exempt_to_some":"0"},"ipv6_most_recent":["2001:dc0::/28"],"relays":[]}]"#);
    }

    #[test]
    fn a_percentage_is_none_or_all_only_if_it_is() {
        for (part, whole, text) in [
            (0, 10, "0%"),
            (1, 1 << 80, "<0.1%"),
            (1, 3, "33.3%"),
            ((1 << 80) - 1, 1 << 80, ">99.9%"),
            (7, 7, "100%"),
        ] {
            assert_eq!(percentage(part, whole), text);
        }
    }
}
