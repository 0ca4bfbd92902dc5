//! Keeps the first subscribers of a sort order without keeping all: there may be millions.

use std::cmp::Ordering;

/// The first of the items that were added.
pub(super) struct Top<T, C> {
    compare: C,
    limit: usize,
    found: Vec<T>,
}

impl<T, C: Fn(&T, &T) -> Ordering> Top<T, C> {
    /// The first items of an order, at most as many as a limit; 0 for all.
    pub(super) fn new(limit: usize, compare: C) -> Self {
        Self {
            compare,
            limit,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, item: T) {
        const SLACK: usize = 1024;
        self.found.push(item);
        if self.limit > 0 && self.found.len() >= self.limit.saturating_mul(2).saturating_add(SLACK) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.found.sort_unstable_by(&self.compare);
        if self.limit > 0 {
            self.found.truncate(self.limit);
        }
    }

    pub(super) fn take(mut self) -> Vec<T> {
        self.cut();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use ipnet::IpNet;
    use op25b_common::values::{Cold, Hot, Subscriber};

    use super::{
        super::{pools::Pools, query::SubscriberQuery},
        *,
    };
    use crate::datapath::{Description, PoolSummary};

    fn description() -> Description {
        let pool = |name: &str| PoolSummary {
            name: name.into(),
            mode: "enforce".into(),
            prefixes: 1,
            remembered: true,
            enforce_from: None,
            phases: Vec::new(),
        };
        let net = |net: &str| vec![net.parse().unwrap()];
        Description {
            pools: vec![pool("b"), pool("a")],
            pool_prefixes: vec![net("0.0.0.0/18"), net("0.0.64.0/18")],
            ..Description::new("policy.yaml")
        }
    }

    #[test]
    fn the_first_of_very_many_are_those_that_sorting_all_would_give() {
        let record = |number: u32| Subscriber {
            hot: Hot {
                blocked_syns: number.wrapping_mul(2_654_435_761) >> 12,
                last_seen: number % 977,
                ..Hot::default()
            },
            cold: Cold {
                first_seen: 1,
                monitored_others: number % 7,
                ..Cold::default()
            },
            ..Subscriber::default()
        };
        let net = |number: u32| IpNet::from(std::net::IpAddr::V4(number.into()));
        let description = description();
        let pools = Pools::new(&description);
        let all: Vec<_> = (0..20_000).map(|number| (net(number), record(number))).collect();
        let packets = |record: &Subscriber| record.hot.blocked_syns + record.cold.monitored_others;
        let first = |sort: &str| {
            let query = SubscriberQuery {
                pool: None,
                within: None,
                since: None,
                sort: sort.parse().unwrap(),
                top: 7,
            };
            let mut first = Top::new(query.top, |one, other| query.sort.compare(one, other, &pools));
            for found in &all {
                first.add(*found);
            }
            first.take()
        };
        let sorted = |key: &dyn Fn(&(IpNet, Subscriber)) -> i64| {
            let mut all = all.clone();
            all.sort_by_key(|it| (key(it), Reverse(packets(&it.1)), it.0));
            all.truncate(7);
            all
        };
        assert_eq!(
            first("packets"),
            sorted(&|(_, record)| -i64::from(packets(record)))
        );
        assert_eq!(first("-packets"), first("packets"));
        assert_eq!(first("+packets"), sorted(&|(_, record)| packets(record).into()));
        let syns = |(_, record): &(IpNet, Subscriber)| -i64::from(record.hot.blocked_syns);
        assert_eq!(first("syns"), sorted(&syns));
        assert_eq!(first("blocked"), first("syns"));
        let last_seen = |(_, record): &(IpNet, Subscriber)| -i64::from(record.hot.last_seen);
        assert_eq!(first("last-seen"), sorted(&last_seen));
        let monitored = |(_, record): &(IpNet, Subscriber)| -i64::from(record.cold.monitored_others);
        assert_eq!(first("monitored"), sorted(&monitored));
        assert_eq!(first("subscriber"), all[..7]);
        assert_eq!(first("-subscriber")[0], all[19_999]);
        // 16,384 addresses are in `b`, the others in `a`.
        assert_eq!(first("pool,subscriber"), all[16_384..16_391]);
        assert_eq!(first("-pool,subscriber"), all[..7]);
    }
}
