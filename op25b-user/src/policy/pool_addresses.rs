//! Which addresses a pool has, which of them are exempt, and which are relays'.

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    model::{Policy, Prefix},
    prefix_set::PrefixSet,
};
use crate::exemption::Terms;

/// The addresses of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolAddresses {
    /// Those whose longest prefix among all pools is the pool's.
    pub(crate) all: PrefixSet,
    /// Those that may use the blocked ports to every destination.
    pub(crate) exempt: PrefixSet,
    /// Those that may use them to some destinations only.
    pub(crate) exempt_to_some: PrefixSet,
    /// Those that are relays' too: the index of each such relay, and the addresses.
    pub(crate) relays: Vec<(usize, PrefixSet)>,
}

impl PoolAddresses {
    /// The addresses of each pool of a policy, with the exemptions that hold at an instant.
    pub(crate) fn of_each<'t>(
        policy: &Policy,
        exemptions: impl Iterator<Item = &'t Terms>,
        now: Timestamp,
    ) -> Vec<Self> {
        let (mut everywhere, mut to_some) = (Vec::new(), Vec::new());
        for terms in exemptions.filter(|terms| !terms.have_expired(now)) {
            let list = if terms.destinations.is_empty() {
                &mut everywhere
            } else {
                &mut to_some
            };
            list.extend(terms.prefixes.iter().copied());
        }
        let everywhere: PrefixSet = everywhere.into_iter().collect();
        let to_some: PrefixSet = to_some.into_iter().collect();
        let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect::<Vec<IpNet>>();
        let relays: Vec<PrefixSet> = policy
            .relays
            .iter()
            .map(|relay| nets(&relay.prefixes).into_iter().collect())
            .collect();
        let pools: Vec<Vec<IpNet>> = policy.pools.iter().map(|pool| nets(&pool.prefixes)).collect();
        let sets = PrefixSet::by_longest_prefix(pools.iter().map(Vec::as_slice));
        sets.into_iter()
            .map(|all| Self {
                exempt: all.intersection(&everywhere),
                exempt_to_some: all.intersection(&to_some).difference(&everywhere),
                relays: relays
                    .iter()
                    .map(|relay| relay.intersection(&all))
                    .enumerate()
                    .filter(|(_, both)| !both.v4().is_empty() || !both.v6().is_empty())
                    .collect(),
                all,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn a_pool_has_what_no_longer_prefix_of_another_one_has_and_is_exempt_where_an_exemption_holds() {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: homes, prefixes: [198.51.100.0/24] }
  - { name: mobile, prefixes: [198.51.100.128/25, 2001:db8:100::/40] }
relays: [{ name: post1, prefixes: [198.51.100.25, 203.0.113.1] }]
exemptions:
  - { customer: A, prefixes: [198.51.100.8/29] }
  - { customer: B, prefixes: [198.51.100.12/30, 198.51.100.64/30], destinations: [192.0.2.25] }
  - { customer: C, prefixes: [198.51.100.32/30], expires: 2028-03-31 }
  - { customer: D, prefixes: [198.51.100.126/31, 198.51.100.128/31, 203.0.113.8] }
";
        let policy = parse("policy.yaml", text).unwrap().policy;
        let terms = || policy.exemptions.iter().map(|exemption| &exemption.terms);
        let found = PoolAddresses::of_each(&policy, terms(), "2028-05-01T00:00:00Z".parse().unwrap());
        let texts = |set: &PrefixSet| set.prefixes().map(|net| net.to_string()).collect::<Vec<_>>();
        assert_eq!(texts(&found[0].all), ["198.51.100.0/25"]);
        assert_eq!(texts(&found[0].exempt), ["198.51.100.8/29", "198.51.100.126/31"]);
        assert_eq!(texts(&found[0].exempt_to_some), ["198.51.100.64/30"]);
        assert_eq!(found[0].relays.len(), 1);
        assert_eq!(texts(&found[0].relays[0].1), ["198.51.100.25/32"]);
        assert_eq!(texts(&found[1].all), ["198.51.100.128/25", "2001:db8:100::/40"]);
        assert_eq!(texts(&found[1].exempt), ["198.51.100.128/31"]);
        assert!(found[1].relays.is_empty());
        let before = PoolAddresses::of_each(&policy, terms(), "2028-03-01T00:00:00Z".parse().unwrap());
        assert_eq!(before[0].exempt.v4().addresses(), 8 + 4 + 2);
    }
}
