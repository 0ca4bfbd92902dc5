//! The criteria by which subscribers are selected and sorted.

use std::cmp::Reverse;

use ipnet::IpNet;
use jiff::SignedDuration;
use op25b_common::values::Subscriber;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    pools::Pools,
    row::{Times, packets},
};

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
    pub sort: SortBy,
    /// How many, at most; 0 for all.
    pub top: usize,
}

/// By what subscribers are sorted, in descending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SortBy {
    /// Packets that were blocked, or would have been in a monitored pool.
    #[default]
    Packets,
    /// Those of them that open a connection.
    Syns,
    /// Packets that hide their ports.
    Hidden,
    /// Distinct destinations, about.
    Destinations,
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

impl SortBy {
    /// Its word on the command line and in a request.
    pub(crate) fn name(self) -> String {
        let word = clap::ValueEnum::to_possible_value(&self);
        word.map_or_else(String::new, |word| word.get_name().to_owned())
    }

    /// A key that is smaller for what comes first; ties go to the one with more packets, then to the lower address.
    pub(super) fn key(self, net: IpNet, record: &Subscriber) -> (Reverse<u64>, Reverse<u64>, IpNet) {
        let most = match self {
            Self::Packets => packets(record),
            Self::Syns => u64::from(record.hot.blocked_syns) + u64::from(record.cold.monitored_syns),
            Self::Hidden => record.hidden.into(),
            Self::Destinations => record.hot.destinations.count_ones().into(),
            Self::LastSeen => record.hot.last_seen.into(),
        };
        (Reverse(most), Reverse(packets(record)), net)
    }
}
