//! Pools that are only monitored, and whose subscribers have been recorded for long.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use op25b_common::values::Subscriber;

use super::{pools::Pools, row::Times};
use crate::{datapath::Description, policy::PoolMode};

/// A pool whose oldest record is older than this was watched for long.
const LONG: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The oldest records of the pools that are only monitored, as far as they were noted.
pub(crate) struct Watched<'d> {
    pools: Pools<'d>,
    monitored: HashSet<&'d str>,
    since: RefCell<BTreeMap<&'d str, Timestamp>>,
    times: Times,
    now: Timestamp,
}

impl<'d> Watched<'d> {
    pub(crate) fn new(description: &'d Description) -> nix::Result<Self> {
        Ok(Self::at(description, Times::now()?, Timestamp::now()))
    }

    fn at(description: &'d Description, times: Times, now: Timestamp) -> Self {
        let monitored = description.pools.iter().filter(|pool| {
            let begins_later = pool.phases.is_empty() && pool.enforce_from.is_some_and(|from| from > now);
            pool.mode == PoolMode::Monitor.name() || begins_later
        });
        Self {
            pools: Pools::new(description),
            monitored: monitored.map(|pool| pool.name.as_str()).collect(),
            since: RefCell::default(),
            times,
            now,
        }
    }

    /// Notes a record.
    pub(crate) fn note(&self, net: IpNet, record: &Subscriber) {
        let is_watched = record.cold.monitored_syns != 0 || record.cold.monitored_others != 0;
        if !is_watched {
            return;
        }
        let pool = self
            .pools
            .of(net.addr())
            .and_then(|pool| self.monitored.get(pool));
        if let Some(pool) = pool {
            let began = self.times.at(record.cold.first_seen);
            let mut since = self.since.borrow_mut();
            let oldest = since.entry(pool).or_insert(began);
            *oldest = began.min(*oldest);
        }
    }

    /// The pools that were watched for long, each with when its oldest record began.
    pub(crate) fn long(self) -> Vec<(String, Timestamp)> {
        let since = self.since.into_inner().into_iter();
        since
            .filter(|(_, began)| self.now.duration_since(*began) > LONG)
            .map(|(pool, began)| (pool.to_owned(), began))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::Cold;

    use super::*;
    use crate::datapath::PoolSummary;

    #[test]
    fn a_pool_is_watched_since_the_oldest_of_its_records_and_an_enforced_one_never() {
        let now: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
        let days_ago = |days: i64| now - SignedDuration::from_hours(24 * days);
        let times = Times::fake(now, days_ago(400));
        let pool = |name: &str, mode: &str, enforce_from| PoolSummary {
            name: name.into(),
            mode: mode.into(),
            prefixes: 1,
            remembered: true,
            enforce_from,
            phases: Vec::new(),
        };
        let description = Description {
            pools: vec![
                pool("watched", "monitor", None),
                pool("lately", "monitor", None),
                pool("enforced", "enforce", Some(days_ago(10))),
                pool("soon", "enforce", Some(days_ago(-5))),
            ],
            pool_prefixes: ["192.0.2.0/28", "192.0.2.16/28", "192.0.2.32/28", "192.0.2.48/28"]
                .map(|net| vec![net.parse().unwrap()])
                .to_vec(),
            ..Description::new("policy.yaml")
        };
        let watched = Watched::at(&description, times, now);
        for (address, days, monitored_syns) in [
            ("192.0.2.1/32", 10, 1),
            ("192.0.2.2/32", 91, 1),
            ("192.0.2.17/32", 89, 1),
            // Blocked before the pool was monitored.
            ("192.0.2.18/32", 200, 0),
            ("192.0.2.33/32", 200, 1),
            ("192.0.2.49/32", 100, 1),
            ("198.51.100.1/32", 200, 1),
        ] {
            let cold = Cold {
                first_seen: times.seen(days_ago(days)),
                monitored_syns,
                ..Cold::default()
            };
            let record = Subscriber {
                cold,
                ..Subscriber::default()
            };
            watched.note(address.parse().unwrap(), &record);
        }
        assert_eq!(
            watched.long(),
            [
                ("soon".to_owned(), days_ago(100)),
                ("watched".to_owned(), days_ago(91))
            ]
        );
    }
}
