//! The criteria by which subscribers are selected and sorted.

use std::{cmp::Ordering, fmt, str::FromStr};

use ipnet::IpNet;
use jiff::SignedDuration;
use op25b_common::values::Subscriber;

use super::{
    pools::Pools,
    row::{Times, packets},
};
use crate::api::{Direction, SortKey, sort_keys};

/// Which subscribers are reported.
#[derive(Clone, Debug)]
pub struct SubscriberQuery {
    /// Only those of this pool.
    pub pool: Option<String>,
    /// Only those in this prefix, or around it.
    pub within: Option<IpNet>,
    /// Only those whose last packet is not older than this.
    pub since: Option<SignedDuration>,
    /// By what they are sorted.
    pub sort: SortOrder,
    /// How many, at most; 0 for all.
    pub top: usize,
}

/// By what subscribers are sorted: the columns of the report, each with a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortOrder(Vec<SortKey<SortBy>>);

/// A column by which subscribers are sorted: the most and the latest first, and names and addresses in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortBy {
    /// The address.
    Subscriber,
    /// The pool's name.
    Pool,
    /// Packets that were blocked, or would have been in a monitored pool.
    Packets,
    /// Those of them that were blocked.
    Blocked,
    /// Those of them that would have been blocked.
    Monitored,
    /// Those of them that open a connection.
    Syns,
    /// Packets that hide their ports.
    Hidden,
    /// Distinct destinations, about.
    Destinations,
    /// The time of the first packet.
    FirstSeen,
    /// The time of the last packet.
    LastSeen,
}

impl SubscriberQuery {
    pub(super) fn matches(&self, net: IpNet, record: &Subscriber, pools: &Pools<'_>, times: Times) -> bool {
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

impl SortOrder {
    /// Those that were seen last come first.
    pub(crate) fn last_seen() -> Self {
        Self(vec![SortKey {
            column: SortBy::LastSeen,
            direction: Direction::Usual,
        }])
    }

    /// What comes first; ties go to the one with more packets, then to the lower address.
    pub(super) fn compare(
        &self,
        (net, record): &(IpNet, Subscriber),
        (other_net, other): &(IpNet, Subscriber),
        pools: &Pools<'_>,
    ) -> Ordering {
        let keys = self.0.iter().map(|SortKey { column, direction }| {
            let order = match column {
                SortBy::Subscriber => net.cmp(other_net),
                SortBy::Pool => pools.of(net.addr()).cmp(&pools.of(other_net.addr())),
                column => column.count(record).cmp(&column.count(other)),
            };
            if direction.is_descending(column.is_count()) {
                order.reverse()
            } else {
                order
            }
        });
        let by_packets = || packets(other).cmp(&packets(record));
        keys.fold(Ordering::Equal, Ordering::then)
            .then_with(by_packets)
            .then_with(|| net.cmp(other_net))
    }
}

/// The most packets first.
impl Default for SortOrder {
    fn default() -> Self {
        Self(vec![SortKey {
            column: SortBy::Packets,
            direction: Direction::Usual,
        }])
    }
}

impl FromStr for SortOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let find = |name: &str| SortBy::ALL.into_iter().find(|column| column.name() == name);
        sort_keys(text, SortBy::ALL.map(SortBy::name), find).map(Self)
    }
}

impl fmt::Display for SortOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&keys.join(","))
    }
}

impl SortBy {
    const ALL: [Self; 10] = [
        Self::Subscriber,
        Self::Pool,
        Self::Packets,
        Self::Blocked,
        Self::Monitored,
        Self::Syns,
        Self::Hidden,
        Self::Destinations,
        Self::FirstSeen,
        Self::LastSeen,
    ];

    /// Its word on the command line and in a request.
    const fn name(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Pool => "pool",
            Self::Packets => "packets",
            Self::Blocked => "blocked",
            Self::Monitored => "monitored",
            Self::Syns => "syns",
            Self::Hidden => "hidden",
            Self::Destinations => "destinations",
            Self::FirstSeen => "first-seen",
            Self::LastSeen => "last-seen",
        }
    }

    /// Whether it is a number or a time, of which the greatest comes first.
    const fn is_count(self) -> bool {
        !matches!(self, Self::Subscriber | Self::Pool)
    }

    /// The number or time by which it sorts.
    fn count(self, record: &Subscriber) -> u64 {
        let sum = |one: u32, other: u32| u64::from(one) + u64::from(other);
        let Subscriber { hot, cold, .. } = record;
        match self {
            Self::Subscriber | Self::Pool => 0,
            Self::Packets => packets(record),
            Self::Blocked => sum(hot.blocked_syns, cold.blocked_others),
            Self::Monitored => sum(cold.monitored_syns, cold.monitored_others),
            Self::Syns => sum(hot.blocked_syns, cold.monitored_syns),
            Self::Hidden => record.hidden.into(),
            Self::Destinations => hot.destinations.count_ones().into(),
            Self::FirstSeen => cold.first_seen.into(),
            Self::LastSeen => hot.last_seen.into(),
        }
    }
}

impl fmt::Display for SortBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_written_as_it_is_read() {
        for text in ["packets", "pool,-last-seen,+syns"] {
            assert_eq!(text.parse::<SortOrder>().unwrap().to_string(), text);
        }
        assert_eq!(SortOrder::default().to_string(), "packets");
        assert_eq!(
            "bytes".parse::<SortOrder>().unwrap_err(),
            "there is no column \"bytes\"; the columns are subscriber, pool, packets, blocked, monitored, syns, hidden, \
             destinations, first-seen, last-seen"
        );
    }
}
