//! Measures what subscribers do: reads all records, and compares them with an earlier reading.

use std::{cmp::Ordering, collections::HashMap, slice, time::Duration};

use ipnet::IpNet;
use op25b_common::values::Subscriber;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    super::{
        pools::Pools,
        read::{FilterRecords, SubscribersError, check_pool},
        row::{Times, packets, row},
        top::Top,
    },
    document::{PoolRate, Recent, SubscriberRate},
    readings::{Reading, Readings},
};
use crate::datapath::Description;

/// By what subscribers are sorted, with the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RateSort {
    /// Packets within the time that is measured.
    #[default]
    Rate,
    /// The number of destinations.
    Destinations,
    /// All packets since the subscriber was first seen.
    Packets,
    /// The time of the last packet.
    LastSeen,
}

/// Which subscribers are reported.
#[derive(Clone, Debug)]
pub(crate) struct RateQuery {
    /// Only those of this pool.
    pub(crate) pool: Option<String>,
    /// Only those in this prefix, or around it.
    pub(crate) within: Option<IpNet>,
    /// By what they are sorted.
    pub(crate) sort: RateSort,
    /// How many, at most.
    pub(crate) top: usize,
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The time that it is of, in milliseconds.
    pub(crate) span_ms: Option<u64>,
    pub(crate) pools: Vec<PoolRate>,
    pub(crate) remembered: usize,
    pub(crate) matching: usize,
    pub(crate) active: Option<usize>,
    pub(crate) subscribers: Vec<SubscriberRate>,
}

/// A subscriber with what it did within the time that is measured.
struct Found {
    net: IpNet,
    record: Subscriber,
    recent: Option<Recent>,
}

/// Reads the records of a filter at a time of the boot-time clock, and keeps the reading for the next one.
pub(crate) fn measure(
    filter: &FilterRecords,
    query: &RateQuery,
    now: Duration,
    readings: &mut Readings,
) -> Result<Measured, SubscribersError> {
    check_pool(query.pool.as_deref(), slice::from_ref(filter))?;
    let mut measuring = Measuring::new(
        &filter.description,
        query,
        Times::now()?,
        now,
        readings.before(now),
    );
    filter.records.each(|net, record| measuring.add(net, record))?;
    let (reading, measured) = measuring.finish();
    readings.keep(reading);
    Ok(measured)
}

/// A reading that is being made.
struct Measuring<'a, C> {
    before: Option<&'a Reading>,
    reading: Reading,
    query: &'a RateQuery,
    description: &'a Description,
    pools: Pools<'a>,
    by_pool: HashMap<&'a str, (usize, usize, Recent)>,
    times: Times,
    remembered: usize,
    matching: usize,
    active: usize,
    top: Top<Found, C>,
}

impl<'a> Measuring<'a, ()> {
    fn new(
        description: &'a Description,
        query: &'a RateQuery,
        times: Times,
        now: Duration,
        before: Option<&'a Reading>,
    ) -> Measuring<'a, impl Fn(&Found, &Found) -> Ordering + use<>> {
        let sort = query.sort;
        Measuring {
            before,
            reading: Reading::new(now, before),
            query,
            description,
            pools: Pools::new(description),
            by_pool: HashMap::new(),
            times,
            remembered: 0,
            matching: 0,
            active: 0,
            top: Top::new(query.top, move |one: &Found, other: &Found| {
                sort.compare(one, other)
            }),
        }
    }
}

impl<C: Fn(&Found, &Found) -> Ordering> Measuring<'_, C> {
    fn add(&mut self, net: IpNet, record: Subscriber) {
        self.remembered += 1;
        let recent = self.before.map(|before| before.since(net, &record));
        let is_active = recent.is_some_and(|recent| recent.packets() > 0);
        self.reading.add(net, &record);
        let pool = self.pools.of(net.addr());
        if let Some(pool) = pool {
            let (subscribers, active, all) = self.by_pool.entry(pool).or_default();
            *subscribers += 1;
            *active += usize::from(is_active);
            all.add(recent.unwrap_or_default());
        }
        let is_within = |within: &IpNet| within.contains(&net) || net.contains(within);
        let is_of = |name: &str| pool == Some(name);
        if self.query.within.as_ref().is_none_or(is_within) && self.query.pool.as_deref().is_none_or(is_of) {
            self.matching += 1;
            self.active += usize::from(is_active);
            if self.query.top > 0 {
                self.top.add(Found { net, record, recent });
            }
        }
    }

    fn finish(self) -> (Reading, Measured) {
        let span = self
            .before
            .map(|before| self.reading.at().saturating_sub(before.at()));
        let pools = self.description.pools.iter().map(|pool| {
            let of = self.by_pool.get(pool.name.as_str()).copied();
            let (subscribers, active, recent) = of.unwrap_or_default();
            let is_known = span.is_some() && pool.remembered;
            PoolRate {
                pool: pool.name.clone(),
                remembered: pool.remembered,
                subscribers,
                active: is_known.then_some(active),
                recent: is_known.then_some(recent),
            }
        });
        let found = self.top.take().into_iter();
        let measured = Measured {
            span_ms: span.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            pools: pools.collect(),
            remembered: self.remembered,
            matching: self.matching,
            active: span.map(|_| self.active),
            subscribers: found
                .map(|found| SubscriberRate {
                    record: row(found.net, &found.record, &self.pools, self.times),
                    recent: found.recent,
                })
                .collect(),
        };
        (self.reading, measured)
    }
}

impl RateSort {
    /// All orders, as a live view offers them.
    pub(crate) const ALL: [Self; 4] = [Self::Rate, Self::Destinations, Self::Packets, Self::LastSeen];

    /// Its word on the command line and in a request.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Destinations => "destinations",
            Self::Packets => "packets",
            Self::LastSeen => "last-seen",
        }
    }

    /// Which comes first; ties go to the one with more packets, then to the lower address.
    fn compare(self, one: &Found, other: &Found) -> Ordering {
        let key = |found: &Found| match self {
            Self::Rate => found.recent.unwrap_or_default().packets(),
            Self::Destinations => found.record.hot.destinations.count_ones().into(),
            Self::Packets => 0,
            Self::LastSeen => found.record.hot.last_seen.into(),
        };
        key(other)
            .cmp(&key(one))
            .then_with(|| packets(&other.record).cmp(&packets(&one.record)))
            .then_with(|| one.net.cmp(&other.net))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use op25b_common::values::{Cold, Hot};

    use super::*;
    use crate::datapath::PoolSummary;

    fn description() -> Description {
        let pool = |name: &str, remembered| PoolSummary {
            name: name.into(),
            mode: "enforce".into(),
            prefixes: 1,
            remembered,
            enforce_from: None,
            phases: Vec::new(),
        };
        let net = |net: &str| vec![net.parse().unwrap()];
        Description {
            pools: vec![pool("homes", true), pool("mobile", true), pool("firms", false)],
            pool_prefixes: vec![net("198.51.100.0/24"), net("2001:db8::/32"), net("192.0.2.0/24")],
            ..Description::new("policy.yaml")
        }
    }

    fn record(blocked_syns: u32, destinations: u64, last_seen: u32) -> Subscriber {
        Subscriber {
            hot: Hot {
                blocked_syns,
                destinations,
                last_seen,
            },
            cold: Cold {
                first_seen: 1,
                ..Cold::default()
            },
            ..Subscriber::default()
        }
    }

    /// What is measured of these records one second after those.
    fn measured(query: &RateQuery, before: &[(&str, Subscriber)], now: &[(&str, Subscriber)]) -> Measured {
        let description = description();
        let times = Times::fake(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let mut readings = Readings::default();
        let mut measured = None;
        for (at, records) in [(100_000, before), (101_000, now)] {
            let at = Duration::from_millis(at);
            let mut measuring = Measuring::new(&description, query, times, at, readings.before(at));
            for (net, record) in records {
                measuring.add(net.parse().unwrap(), *record);
            }
            let (reading, of_this) = measuring.finish();
            readings.keep(reading);
            measured = Some(of_this);
        }
        measured.unwrap()
    }

    fn query(sort: RateSort) -> RateQuery {
        RateQuery {
            pool: None,
            within: None,
            sort,
            top: 2,
        }
    }

    const BEFORE: &[(&str, (u32, u64, u32))] = &[
        ("198.51.100.1/32", (900, 0b1, 50)),
        ("198.51.100.2/32", (10, 0b11, 100)),
        ("2001:db8:1::/64", (20, 0b111, 99)),
    ];
    const NOW: &[(&str, (u32, u64, u32))] = &[
        ("198.51.100.1/32", (900, 0b1, 50)),
        ("198.51.100.2/32", (90, 0b11, 101)),
        ("2001:db8:1::/64", (25, 0b1111, 102)),
    ];

    fn records(of: &[(&'static str, (u32, u64, u32))]) -> Vec<(&'static str, Subscriber)> {
        of.iter()
            .map(|(net, (blocked, destinations, seen))| (*net, record(*blocked, *destinations, *seen)))
            .collect()
    }

    #[test]
    fn the_first_of_each_order_are_those_who_do_most_now_reach_most_servers_or_did_most_in_all() {
        for (sort, first) in [
            (RateSort::Rate, ["198.51.100.2", "2001:db8:1::/64"]),
            (RateSort::Destinations, ["2001:db8:1::/64", "198.51.100.2"]),
            (RateSort::Packets, ["198.51.100.1", "198.51.100.2"]),
            (RateSort::LastSeen, ["2001:db8:1::/64", "198.51.100.2"]),
        ] {
            let measured = measured(&query(sort), &records(BEFORE), &records(NOW));
            let names = measured.subscribers.iter().map(|row| &row.record.subscriber);
            assert_eq!(names.collect::<Vec<_>>(), first, "{}", sort.name());
        }
    }

    #[test]
    fn pools_have_the_sum_of_their_subscribers_and_what_is_not_remembered_is_not_known() {
        let measured = measured(&query(RateSort::Rate), &records(BEFORE), &records(NOW));
        assert_eq!((measured.span_ms, measured.active), (Some(1000), Some(2)));
        let pools = measured.pools.iter().map(|pool| {
            let blocked = pool.recent.map(|recent| recent.blocked);
            (pool.pool.as_str(), pool.subscribers, pool.active, blocked)
        });
        assert_eq!(
            pools.collect::<Vec<_>>(),
            [
                ("homes", 2, Some(1), Some(80)),
                ("mobile", 1, Some(1), Some(5)),
                ("firms", 0, None, None)
            ]
        );
    }

    #[test]
    fn a_filter_selects_subscribers_and_leaves_the_pools_as_they_are() {
        for (pool, within, matching) in [
            (Some("mobile"), None, 1),
            (None, Some("198.51.100.2/32"), 1),
            (None, Some("2001:db8:1::77/128"), 1),
            (Some("homes"), Some("2001:db8::/32"), 0),
        ] {
            let query = RateQuery {
                pool: pool.map(ToOwned::to_owned),
                within: within.map(|net: &str| net.parse().unwrap()),
                ..query(RateSort::Rate)
            };
            let measured = measured(&query, &records(BEFORE), &records(NOW));
            assert_eq!(measured.matching, matching, "{pool:?} {within:?}");
            assert_eq!(measured.pools[0].subscribers, 2);
        }
    }

    #[test]
    fn the_first_reading_has_records_and_no_rates() {
        let first = measured(&query(RateSort::Packets), &[], &[]);
        assert_eq!((first.span_ms, first.remembered), (Some(1000), 0));
        let description = description();
        let times = Times::fake(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let query = query(RateSort::Packets);
        let mut measuring = Measuring::new(&description, &query, times, Duration::from_secs(100), None);
        measuring.add("198.51.100.1/32".parse().unwrap(), record(900, 1, 50));
        let (_, measured) = measuring.finish();
        assert_eq!((measured.span_ms, measured.active), (None, None));
        assert_eq!(measured.subscribers[0].recent, None);
        assert_eq!(measured.pools[0].recent, None);
    }
}
