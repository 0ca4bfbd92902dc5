//! What the policy says of a subscriber: the pool, what is done with its packets, and the exemption.

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::{NEVER, UnixSeconds};
use serde::Serialize;

use crate::{
    exemption::Terms,
    policy::{Policy, Pool},
    report::index::Index,
};

/// An exemption that applies.
#[derive(Clone, Debug)]
pub(crate) struct Exempt {
    pub(crate) id: String,
    pub(crate) terms: Terms,
}

/// What is done with the packets of a pool, by its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// They are blocked.
    Enforce,
    /// Those to some destinations are blocked; the others pass, and are counted.
    Partial,
    /// They pass, and are counted.
    Monitor,
}

impl Mode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Partial => "partial",
            Self::Monitor => "monitor",
        }
    }
}

/// A policy and the exemptions that apply to it, by prefix.
pub(crate) struct Rules<'p> {
    policy: &'p Policy,
    exemptions: &'p [Exempt],
    pools: Index,
    exempt: Index,
    now: Timestamp,
}

impl<'p> Rules<'p> {
    pub(crate) fn new(policy: &'p Policy, exemptions: &'p [Exempt], now: Timestamp) -> Self {
        let pools = policy.pools.iter().enumerate();
        let pools =
            pools.flat_map(|(number, pool)| pool.prefixes.iter().map(move |prefix| (prefix.net, number)));
        let held = exemptions.iter().enumerate();
        let held = held.filter(|(_, exempt)| !exempt.terms.have_expired(now));
        let held =
            held.flat_map(|(number, exempt)| exempt.terms.prefixes.iter().map(move |net| (*net, number)));
        Self {
            pools: Index::new(pools),
            exempt: Index::new(held),
            policy,
            exemptions,
            now,
        }
    }

    pub(crate) fn pools(&self) -> &'p [Pool] {
        &self.policy.pools
    }

    /// The number of a subscriber's pool.
    pub(crate) fn pool(&self, subscriber: IpNet) -> Option<usize> {
        self.pools.longest(subscriber.addr())
    }

    /// The exemption that applies to a subscriber or to a part of its prefix.
    pub(crate) fn exemption(&self, subscriber: IpNet) -> Option<&'p Exempt> {
        let around = self.exempt.longest(subscriber.addr());
        let number = around.or_else(|| {
            let part = self.exempt.inside(subscriber, 1).next()?;
            self.exempt.longest(part)
        })?;
        self.exemptions.get(number)
    }

    /// What the policy does with the packets of a pool now, and from when on it blocks more of them.
    pub(crate) fn mode(&self, pool: &Pool) -> (Mode, Option<Timestamp>) {
        let (first, everywhere) = (pool.first_enforced_from(), pool.enforced_from());
        if self.has_come(everywhere) {
            (Mode::Enforce, None)
        } else if self.has_come(first) {
            (Mode::Partial, date(everywhere))
        } else {
            (Mode::Monitor, date(first))
        }
    }

    fn has_come(&self, from: UnixSeconds) -> bool {
        date(from).is_some_and(|date| date <= self.now)
    }
}

/// A time as the program represents it; none for never.
fn date(from: UnixSeconds) -> Option<Timestamp> {
    (from != NEVER).then(|| Timestamp::from_second(from.into()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{exemption_id, parse};

    #[test]
    fn a_subscriber_has_the_pool_with_the_longest_prefix_and_the_exemption_that_applies() {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
subscribers: { ipv6_prefix: 56 }
pools:
  - { name: homes, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
  - { name: mobile, prefixes: [198.51.100.128/25], mode: monitor }
  - { name: later, prefixes: [203.0.113.0/24], enforce_from: 2027-01-01 }
exemptions:
  - { customer: A, prefixes: [198.51.100.8/29] }
  - { customer: B, prefixes: ['2001:db8:100:1::/64'] }
  - { customer: C, prefixes: [198.51.100.16/29], expires: 2026-01-31 }
";
        let policy = parse("policy.yaml", text).unwrap().policy;
        let exempt: Vec<_> = policy
            .exemptions
            .iter()
            .enumerate()
            .map(|(index, exemption)| Exempt {
                id: exemption_id(&policy.lists, &policy.exemptions, index),
                terms: exemption.terms.clone(),
            })
            .collect();
        let rules = Rules::new(&policy, &exempt, "2026-11-29T00:00:00Z".parse().unwrap());
        for (subscriber, pool, customer) in [
            ("198.51.100.9/32", Some("homes"), Some("A")),
            ("198.51.100.17/32", Some("homes"), None),
            ("198.51.100.200/32", Some("mobile"), None),
            ("2001:db8:100::/56", Some("homes"), Some("B")),
            ("2001:db8:100:100::/56", Some("homes"), None),
            ("192.0.2.1/32", None, None),
        ] {
            let net: IpNet = subscriber.parse().unwrap();
            let found = rules.pool(net).map(|number| &*rules.pools()[number].name);
            assert_eq!(found, pool, "{subscriber}");
            let found = rules.exemption(net).map(|exempt| exempt.terms.customer.as_str());
            assert_eq!(found, customer, "{subscriber}");
        }
        let modes: Vec<_> = policy.pools.iter().map(|pool| rules.mode(pool)).collect();
        assert_eq!(modes[..2], [(Mode::Enforce, None), (Mode::Monitor, None)]);
        assert_eq!(modes[2].0, Mode::Monitor);
        assert!(modes[2].1.is_some());
    }
}
