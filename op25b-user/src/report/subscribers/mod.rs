//! The answer of `op25b subscribers`: who is hit, how often and since when, as JSON or as text.

mod pools;
mod text;

use std::cmp::Reverse;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use op25b_common::values::Subscriber;
use serde::Serialize;
use thiserror::Error;

use self::pools::Pools;
use crate::datapath::{
    MapError, SubscriberRecords, clock, destinations,
    discover::{self, DiscoverError, Found, FoundFilter, FoundInterface},
};

/// Which subscribers are asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// Only those of this pool.
    pub pool: Option<String>,
    /// Only those in this prefix, or around it.
    pub within: Option<IpNet>,
    /// Only those of whom something came in as recent a time as this.
    pub since: Option<SignedDuration>,
    /// What puts one before another.
    pub sort: SortBy,
    /// How many, at most; 0 for all.
    pub top: usize,
}

/// What puts one subscriber before another: more of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SortBy {
    /// Packets that were blocked or would have been.
    #[default]
    Packets,
    /// Those of them that open a connection.
    Syns,
    /// Different destinations, about.
    Destinations,
    /// When the last packet came.
    LastSeen,
}

/// The subscribers of one filter.
#[derive(Clone, Debug, Serialize)]
pub struct FilterSubscribers {
    /// The interfaces that the filter runs on.
    pub interfaces: Vec<String>,
    /// The policy's file.
    pub policy_file: String,
    /// How many bits of an IPv6 address are its subscriber's.
    pub ipv6_prefix: u8,
    /// How many subscribers of both families something is remembered of.
    pub remembered: usize,
    /// How many of them were asked for.
    pub matching: usize,
    /// The first of those.
    pub subscribers: Vec<SubscriberRow>,
    /// How often an IPv6 packet found no record.
    pub ipv6_misses: MissesRow,
}

/// How often IPv6 packets found no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MissesRow {
    /// A record was begun, in the place of the one unseen for longest if there were too many.
    pub begun: u64,
    /// There was no room for one, and the packet is in none.
    pub lost: u64,
}

/// One subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriberRow {
    /// An IPv4 address, or an IPv6 prefix.
    pub subscriber: String,
    /// The pool that it is in.
    pub pool: Option<String>,
    /// All packets that were blocked or would have been.
    pub packets: u64,
    /// Blocked segments that open a connection.
    pub blocked_syns: u32,
    /// Other blocked segments.
    pub blocked_others: u32,
    /// Segments that open a connection and would have been blocked, were the pool enforced.
    pub monitored_syns: u32,
    /// Other segments that would have been blocked.
    pub monitored_others: u32,
    /// How many destinations there were, about; more than some 250 cannot be told apart.
    pub destinations: u32,
    /// When the first packet came.
    pub first_seen: Timestamp,
    /// When the last one came.
    pub last_seen: Timestamp,
}

/// Why nothing can be said of subscribers.
#[derive(Debug, Error)]
pub enum SubscribersError {
    /// The kernel does not tell of filters.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The records cannot be read.
    #[error("cannot read the records of subscribers")]
    Records(#[from] MapError),
    /// The system's clocks cannot be read.
    #[error("cannot read the system's clocks")]
    Clock(#[from] nix::Error),
    /// They are another version's.
    #[error(
        "the filter on {interfaces} was loaded by another version of op25b, whose records of subscribers this one \
         ({}) cannot read",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion {
        /// Where it runs.
        interfaces: String,
    },
    /// Nobody has such a pool.
    #[error("no filter here has a pool {pool:?}; there {}", match .known.as_str() {
        "" => "are none".to_owned(),
        known => format!("is {known}"),
    })]
    NoPool {
        /// What was asked for.
        pool: String,
        /// Those that there are.
        known: String,
    },
}

/// Asks the kernel for the subscribers of every filter on interfaces of this network namespace.
pub async fn subscribers(question: &Question) -> Result<Vec<FilterSubscribers>, SubscribersError> {
    let Found { filters, unreadable } = discover::find().await?;
    let names = |interfaces: &[FoundInterface]| {
        let names: Vec<_> = interfaces.iter().map(|interface| &*interface.name).collect();
        names.join(", ")
    };
    if let Some(filter) = unreadable.first() {
        let interfaces = names(&filter.interfaces);
        return Err(SubscribersError::OtherVersion { interfaces });
    }
    if let Some(pool) = &question.pool {
        let known = filters.iter().flat_map(|filter| &filter.description.pools);
        let known: Vec<_> = known.map(|pool| pool.name.as_str()).collect();
        if !filters.is_empty() && !known.contains(&pool.as_str()) {
            return Err(SubscribersError::NoPool {
                pool: pool.clone(),
                known: known.join(", "),
            });
        }
    }
    let times = Times::now()?;
    let answers = filters.iter().map(|filter| match &filter.records {
        Some(records) => of_filter(filter, records, question, times),
        None => Err(SubscribersError::OtherVersion {
            interfaces: names(&filter.interfaces),
        }),
    });
    answers.collect()
}

fn of_filter(
    filter: &FoundFilter,
    records: &SubscriberRecords,
    question: &Question,
    times: Times,
) -> Result<FilterSubscribers, SubscribersError> {
    let pools = Pools::new(&filter.description);
    let mut first = First::new(question);
    let (mut remembered, mut matching) = (0, 0);
    records.each(|net, record| {
        remembered += 1;
        if question.matches(net, &record, &pools, times) {
            matching += 1;
            first.add(net, record);
        }
    })?;
    let misses = records.misses_v6()?;
    Ok(FilterSubscribers {
        interfaces: filter
            .interfaces
            .iter()
            .map(|interface| interface.name.clone())
            .collect(),
        policy_file: filter.description.policy_file.display().to_string(),
        ipv6_prefix: records.ipv6_prefix(),
        remembered,
        matching,
        subscribers: first
            .take()
            .into_iter()
            .map(|(net, record)| row(net, &record, &pools, times))
            .collect(),
        ipv6_misses: MissesRow {
            begun: misses.begun,
            lost: misses.lost,
        },
    })
}

impl Question {
    fn matches(&self, net: IpNet, record: &Subscriber, pools: &Pools<'_>, times: Times) -> bool {
        let is_within = |prefix: &IpNet| prefix.contains(&net) || net.contains(prefix);
        let is_recent = |since: &SignedDuration| {
            let seen = times.since(record.hot.last_seen);
            seen <= *since
        };
        self.within.as_ref().is_none_or(is_within)
            && self.since.as_ref().is_none_or(is_recent)
            && self
                .pool
                .as_deref()
                .is_none_or(|pool| pools.of(net.addr()) == Some(pool))
    }
}

/// The first subscribers, without keeping all that there are: there may be millions.
struct First {
    sort: SortBy,
    top: usize,
    found: Vec<(IpNet, Subscriber)>,
}

impl First {
    fn new(question: &Question) -> Self {
        Self {
            sort: question.sort,
            top: question.top,
            found: Vec::new(),
        }
    }

    fn add(&mut self, net: IpNet, record: Subscriber) {
        const SLACK: usize = 1024;
        self.found.push((net, record));
        if self.top > 0 && self.found.len() >= self.top.saturating_mul(2).saturating_add(SLACK) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let sort = self.sort;
        self.found
            .sort_unstable_by_key(|(net, record)| sort.key(*net, record));
        if self.top > 0 {
            self.found.truncate(self.top);
        }
    }

    fn take(mut self) -> Vec<(IpNet, Subscriber)> {
        self.cut();
        self.found
    }
}

impl SortBy {
    /// What is smaller comes first; of those that are alike, the busier one and then the lower address.
    fn key(self, net: IpNet, record: &Subscriber) -> (Reverse<u64>, Reverse<u64>, IpNet) {
        let most = match self {
            Self::Packets => packets(record),
            Self::Syns => u64::from(record.hot.blocked_syns) + u64::from(record.cold.monitored_syns),
            Self::Destinations => record.hot.destinations.count_ones().into(),
            Self::LastSeen => record.hot.last_seen.into(),
        };
        (Reverse(most), Reverse(packets(record)), net)
    }
}

fn packets(record: &Subscriber) -> u64 {
    [
        record.hot.blocked_syns,
        record.cold.blocked_others,
        record.cold.monitored_syns,
        record.cold.monitored_others,
    ]
    .into_iter()
    .map(u64::from)
    .sum()
}

fn row(net: IpNet, record: &Subscriber, pools: &Pools<'_>, times: Times) -> SubscriberRow {
    SubscriberRow {
        subscriber: match net {
            IpNet::V4(net) => net.addr().to_string(),
            IpNet::V6(net) => net.to_string(),
        },
        pool: pools.of(net.addr()).map(ToOwned::to_owned),
        packets: packets(record),
        blocked_syns: record.hot.blocked_syns,
        blocked_others: record.cold.blocked_others,
        monitored_syns: record.cold.monitored_syns,
        monitored_others: record.cold.monitored_others,
        destinations: destinations(record.hot.destinations),
        first_seen: times.at(record.cold.first_seen),
        last_seen: times.at(record.hot.last_seen),
    }
}

/// From a record's time, which is of the boot-time clock, to the time of day as it is set now.
#[derive(Clone, Copy, Debug)]
struct Times {
    now: Timestamp,
    boot: Timestamp,
}

impl Times {
    fn now() -> nix::Result<Self> {
        let offset = clock::boot_to_unix()?;
        Ok(Self {
            now: Timestamp::now(),
            boot: Timestamp::from_nanosecond(offset.into()).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }

    fn at(self, seen: u32) -> Timestamp {
        let since_boot = SignedDuration::from_secs(i64::from(seen) - 1);
        let at = self.boot.checked_add(since_boot).unwrap_or(self.now);
        // Whole seconds are known, and no more.
        Timestamp::from_second(at.as_second()).unwrap_or(at)
    }

    fn since(self, seen: u32) -> SignedDuration {
        self.now.duration_since(self.at(seen))
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{Cold, Hot};

    use super::*;

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
                ..Cold::default()
            },
        };
        let net = |number: u32| IpNet::from(std::net::IpAddr::V4(number.into()));
        for sort in [SortBy::Packets, SortBy::Syns, SortBy::LastSeen] {
            let question = Question {
                pool: None,
                within: None,
                since: None,
                sort,
                top: 7,
            };
            let mut first = First::new(&question);
            let mut all: Vec<_> = (0..20_000).map(|number| (net(number), record(number))).collect();
            for (net, record) in &all {
                first.add(*net, *record);
            }
            all.sort_by_key(|(net, record)| sort.key(*net, record));
            assert_eq!(first.take(), all[..7], "{sort:?}");
        }
    }
}
