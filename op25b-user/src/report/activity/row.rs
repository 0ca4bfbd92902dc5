//! A subscriber or a customer in a report.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{
    class::Class,
    rules::{Mode, Rules},
    tallies::Entry,
};

/// A subscriber or a customer. Adding a member is a compatible change, changing one is not.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row<'a> {
    /// Only of a report by customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<&'a str>,
    /// An IPv4 address or an IPv6 prefix; of a customer the last one.
    #[serde(serialize_with = "as_text")]
    pub(crate) subscriber: IpNet,
    /// The subscriber's pool, by the policy.
    pub(crate) pool: Option<&'a str>,
    /// What the policy does with that pool's packets now.
    pub(crate) mode: Option<Mode>,
    /// What the attempts look like.
    pub(crate) class: Option<Class>,
    /// All packets that were blocked, or would have been, without those that hide their ports.
    pub(crate) packets: u64,
    pub(crate) blocked: u64,
    pub(crate) monitored: u64,
    /// Those that open a connection.
    pub(crate) syns: u64,
    pub(crate) hidden: u64,
    /// About how many.
    pub(crate) destinations: u32,
    /// The standard error of that number; none if there are at least as many.
    pub(crate) destinations_error: Option<u32>,
    /// On how many days there were attempts, and in how many hours.
    pub(crate) days: u32,
    pub(crate) hours: u32,
    /// The most destinations of one bucket, and the most SYNs in ten minutes.
    pub(crate) most_destinations: u32,
    pub(crate) most_syns: u32,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// The exemption that applies to the subscriber now.
    pub(crate) exemption: Option<&'a str>,
    /// Whose that is.
    pub(crate) exemption_customer: Option<&'a str>,
}

impl<'a> Row<'a> {
    pub(super) fn new<K>(entry: &Entry<K>, customer: Option<&'a str>, rules: &'a Rules<'_>) -> Self {
        let Entry {
            subscriber,
            pool,
            tally,
            ..
        } = entry;
        let pool = pool.map(|number| &rules.pools()[number]);
        let exempt = rules.exemption(*subscriber);
        let counts = tally.counts;
        Self {
            customer,
            subscriber: *subscriber,
            pool: pool.map(|pool| pool.name.as_str()),
            mode: pool.map(|pool| rules.mode(pool).0),
            class: Class::of(tally),
            packets: counts.packets(),
            blocked: counts.blocked(),
            monitored: counts.monitored(),
            syns: counts.syns(),
            hidden: counts.hidden,
            destinations: tally.destinations(),
            destinations_error: tally.destination_error(),
            days: tally.days,
            hours: tally.hours,
            most_destinations: tally.busiest_destinations,
            most_syns: tally.busiest_syns,
            first_seen: tally.first(),
            last_seen: tally.last(),
            exemption: exempt.map(|exempt| exempt.id.as_str()),
            exemption_customer: exempt.map(|exempt| exempt.terms.customer.as_str()),
        }
    }
}

/// A subscriber as people write it.
pub(crate) fn subscriber(net: &IpNet) -> String {
    match net {
        IpNet::V4(net) => net.addr().to_string(),
        IpNet::V6(net) => net.to_string(),
    }
}

pub(super) fn as_text<S: Serializer>(net: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&subscriber(net))
}
