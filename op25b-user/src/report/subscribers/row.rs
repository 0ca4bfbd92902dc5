//! What is reported of one subscriber, and of the subscribers of one filter.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use op25b_common::values::Subscriber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pools::Pools;
use crate::datapath::{clock, destinations};

/// The subscribers of one filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterSubscribers {
    /// The interfaces that the filter runs on.
    pub interfaces: Vec<String>,
    /// The policy's file.
    pub policy_file: String,
    /// How many bits of an IPv6 address identify its subscriber.
    pub ipv6_prefix: u8,
    /// The pools whose subscribers have no records, as the policy has it.
    #[serde(default)]
    pub pools_not_remembered: Vec<String>,
    /// How many subscribers of both families have a record.
    pub remembered: usize,
    /// How many of them match the query.
    pub matching: usize,
    /// The first of those.
    pub subscribers: Vec<SubscriberRow>,
    /// How often an IPv6 packet found no record.
    pub ipv6_misses: MissesRow,
}

/// The subscribers of the filters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subscribers {
    /// Since when the packets of each subscriber are counted, also in an answer to a query with `since`, which
    /// only selects subscribers.
    #[serde(default)]
    pub counts_since: CountsSince,
    /// Each filter's.
    pub filters: Vec<FilterSubscribers>,
}

/// Since when packets are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountsSince {
    /// Since the subscriber's `first_seen`.
    #[default]
    FirstSeen,
}

/// How often IPv6 packets found no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissesRow {
    /// A record was created, instead of the one unseen for longest if there were too many.
    pub begun: u64,
    /// There was no room for a record: the packet is in none.
    pub lost: u64,
}

/// One subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriberRow {
    /// An IPv4 address, or an IPv6 prefix.
    pub subscriber: String,
    /// Its pool.
    pub pool: Option<String>,
    /// All packets that were blocked, or would have been in a monitored pool, without those that hide their ports.
    pub packets: u64,
    /// Blocked segments that open a connection.
    pub blocked_syns: u32,
    /// Other blocked segments.
    pub blocked_others: u32,
    /// Segments that open a connection and would have been blocked, were the pool enforced.
    pub monitored_syns: u32,
    /// Other segments that would have been blocked.
    pub monitored_others: u32,
    /// Packets that hide their ports (`uninspectable`), whether they were dropped or not: hardly anything but attempts to evade
    /// the filter sends them. 0 from a daemon of a version that does not count them.
    #[serde(default)]
    pub hidden: u32,
    /// The number of distinct destinations of the others, about, in the last bucket of the history in which there were any, or ever
    /// without a history; numbers above about 250 are not distinguished.
    pub destinations: u32,
    /// The time of the first packet.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// The time of the last packet.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
}

/// All packets of a record with readable ports.
pub(super) fn packets(record: &Subscriber) -> u64 {
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

pub(super) fn row(net: IpNet, record: &Subscriber, pools: &Pools<'_>, times: Times) -> SubscriberRow {
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
        hidden: record.hidden,
        destinations: destinations(record.hot.destinations),
        first_seen: times.at(record.cold.first_seen),
        last_seen: times.at(record.hot.last_seen),
    }
}

/// Converts a record's time, which is of the boot-time clock, to the time of day as it is set now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    now: Timestamp,
    boot: Timestamp,
}

impl Times {
    pub(super) fn now() -> nix::Result<Self> {
        let offset = clock::boot_to_unix()?;
        Ok(Self {
            now: Timestamp::now(),
            boot: Timestamp::from_nanosecond(offset.into()).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }

    pub(super) fn at(self, seen: u32) -> Timestamp {
        let since_boot = SignedDuration::from_secs(i64::from(seen) - 1);
        let at = self.boot.checked_add(since_boot).unwrap_or(self.now);
        // A record's times are whole seconds.
        Timestamp::from_second(at.as_second()).unwrap_or(at)
    }

    /// A clock at an instant, of a machine that was started at another.
    #[cfg(test)]
    pub(super) fn fake(now: Timestamp, boot: Timestamp) -> Self {
        Self { now, boot }
    }

    /// An instant as a record has it.
    #[cfg(test)]
    pub(super) fn seen(self, at: Timestamp) -> u32 {
        u32::try_from(at.duration_since(self.boot).as_secs()).unwrap() + 1
    }

    pub(super) fn since(self, seen: u32) -> SignedDuration {
        self.now.duration_since(self.at(seen))
    }
}
