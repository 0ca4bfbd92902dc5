//! Which records of subscribers are to be forgotten.

use std::{collections::BTreeMap, ops::Bound::Included};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;

use super::row::Times;
use crate::{
    datapath::Erasure,
    store::activity::{Forget, Which},
};

/// What is to be forgotten, to be found by subscribers.
pub(crate) struct Forgotten {
    by_prefix: BTreeMap<IpNet, Vec<Which>>,
    times: Times,
}

impl Forgotten {
    pub(crate) fn of(forget: &[Forget]) -> nix::Result<Self> {
        Ok(Self::at(forget, Times::now()?))
    }

    fn at(forget: &[Forget], times: Times) -> Self {
        let mut by_prefix: BTreeMap<IpNet, Vec<Which>> = BTreeMap::new();
        for Forget { within, which } in forget {
            by_prefix.entry(within.trunc()).or_default().push(*which);
        }
        Self { by_prefix, times }
    }

    /// What is erased of a record: all of it, as what it has counted cannot be divided.
    pub(crate) fn erasure(&self, net: IpNet, record: &Subscriber) -> Erasure {
        let [first, last] = [record.cold.first_seen, record.hot.last_seen].map(|seen| self.times.at(seen));
        if self.has(net, first, last) {
            Erasure::Whole
        } else {
            Erasure::Nothing
        }
    }

    /// Whether what a subscriber did from a first to a last packet is to be forgotten.
    pub(crate) fn has(&self, net: IpNet, first: Timestamp, last: Timestamp) -> bool {
        let has = |which: &Vec<Which>| which.iter().any(|which| which.has(first, last));
        let around = (0..net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
        let mut around = around.filter_map(|net| self.by_prefix.get(&net.trunc()));
        let end = IpNet::from(net.broadcast());
        let mut inside = self.by_prefix.range((Included(net.trunc()), Included(end)));
        around.any(has) || inside.any(|(_, which)| has(which))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_a_prefix_is_forgotten_if_its_time_does_too() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let forget = |within: &str, which| Forget {
            within: within.parse().unwrap(),
            which,
        };
        let forgotten = Forgotten::at(
            &[
                forget("198.51.100.7/32", Which::All),
                forget("198.51.100.8/32", Which::Before(at(100))),
                forget("198.51.100.9/32", Which::During(at(100), Some(at(200)))),
                forget("198.51.100.9/32", Which::During(at(300), None)),
                forget("2001:db8:0:100::77/128", Which::All),
                forget("2001:db8:1::/48", Which::All),
            ],
            Times::fake(at(1000), at(0)),
        );
        for (net, first, last, expected) in [
            ("198.51.100.7/32", 0, 900, true),
            ("198.51.100.6/32", 0, 900, false),
            ("198.51.100.8/32", 0, 99, true),
            ("198.51.100.8/32", 0, 100, false),
            ("198.51.100.9/32", 0, 99, false),
            ("198.51.100.9/32", 0, 100, true),
            ("198.51.100.9/32", 200, 250, true),
            ("198.51.100.9/32", 201, 299, false),
            ("198.51.100.9/32", 201, 300, true),
            ("2001:db8:0:100::/64", 0, 1, true),
            ("2001:db8:0:100::/56", 0, 1, true),
            ("2001:db8:0:101::/64", 0, 1, false),
            ("2001:db8:1:23::/64", 0, 1, true),
            ("2001:db8:2::/64", 0, 1, false),
        ] {
            let has = forgotten.has(net.parse().unwrap(), at(first), at(last));
            assert_eq!(has, expected, "{net} {first} {last}");
        }
    }
}
