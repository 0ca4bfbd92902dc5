//! Alerts about subscribers that are beyond thresholds of the policy: offenders, and those that are exempt.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::net_text;

/// An alert about a subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its number. The numbers ascend, also from one start of the daemon to the next.
    pub sequence: u64,
    /// Its id, which no other alert of any router has.
    #[schema(example = "01KB7Z3N8Q4T6V9W0X1Y2Z3A4B")]
    pub id: String,
    /// When it was found out.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// An IPv4 address, or an IPv6 prefix.
    #[serde(with = "net_text::one")]
    #[schema(value_type = String, example = "198.51.100.20")]
    pub subscriber: IpNet,
    /// Its pool.
    pub pool: Option<String>,
    /// The thresholds that it is beyond.
    pub beyond: Vec<Beyond>,
    /// The thresholds of the policy.
    pub limits: AlertLimits,
    /// How many segments that open a connection were blocked in the minute before.
    pub blocked_syns: u32,
    /// How many would have been, were the pool enforced.
    pub monitored_syns: u32,
    /// How many passed as exempt. Of an exempt subscriber the other numbers are 0.
    pub exempt_syns: u32,
    /// The number of distinct destinations in the bucket of the history, about; numbers above about 250 are not distinguished. Without a
    /// history, ever.
    pub destinations: u32,
    /// The time of the first packet that is recorded of it; of an exempt subscriber, when the count began.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    /// The time of the last packet; of an exempt subscriber, when the count was read.
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
}

/// A threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// Segments that open a connection, in a minute.
    SynsPerMinute,
    /// Destinations, in a bucket of the history.
    Destinations,
    /// Segments of an exempt subscriber that open a connection, in a minute.
    ExemptSynsPerMinute,
}

/// The thresholds of a policy; null for one that it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertLimits {
    /// The most segments that open a connection in a minute.
    pub syns_per_minute: Option<u32>,
    /// The most destinations in a bucket of the history.
    pub destinations: Option<u32>,
    /// The most segments of an exempt subscriber that open a connection in a minute.
    pub exempt_syns_per_minute: Option<u32>,
}

/// Alerts, and where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertPage {
    /// Those that match, the oldest first.
    pub alerts: Vec<Alert>,
    /// The value of `after` for what follows.
    pub next: u64,
    /// How many alerts after that of `after` are not kept any more, whether or not they would match.
    pub missed: u64,
}

/// What came of the readings of subscribers since the start of the daemon, and who sends alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertCounts {
    /// Readings of one beyond a threshold, for which there was an alert.
    pub made: u64,
    /// Readings of one beyond a threshold, within an hour after the alert about it.
    pub repeated: u64,
    /// Readings of one that was not examined, as too many others were.
    pub unexamined: u64,
    /// How many of the alerts that are kept wait for a sender, by its name.
    pub waiting: Vec<(String, u64)>,
}

/// The criteria of alerts; one without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlertQuery {
    /// Those about subscribers of this pool.
    pub(crate) pool: Option<String>,
    /// Those about subscribers in this prefix, or around it.
    pub(crate) within: Option<IpNet>,
}

impl Beyond {
    /// Its word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SynsPerMinute => "syns_per_minute",
            Self::Destinations => "destinations",
            Self::ExemptSynsPerMinute => "exempt_syns_per_minute",
        }
    }
}

impl AlertQuery {
    /// Whether an alert matches all criteria.
    pub(crate) fn matches(&self, alert: &Alert) -> bool {
        let Self { pool, within } = self;
        let is_within =
            |within: &IpNet| within.contains(&alert.subscriber) || alert.subscriber.contains(within);
        pool.as_ref().is_none_or(|pool| alert.pool.as_ref() == Some(pool))
            && within.as_ref().is_none_or(is_within)
    }
}

#[cfg(test)]
impl Alert {
    /// One about a subscriber of a pool, so many microseconds after the epoch.
    pub(crate) fn fake(sequence: u64, subscriber: &str, pool: &str) -> Self {
        let time = Timestamp::from_microsecond(sequence.try_into().unwrap()).unwrap();
        Self {
            sequence,
            id: ulid::Ulid::from(u128::from(sequence)).to_string(),
            time,
            subscriber: subscriber.parse().unwrap(),
            pool: Some(pool.to_owned()),
            beyond: vec![Beyond::SynsPerMinute],
            limits: AlertLimits {
                syns_per_minute: Some(600),
                destinations: None,
                exempt_syns_per_minute: None,
            },
            blocked_syns: 2213,
            monitored_syns: 0,
            exempt_syns: 0,
            destinations: 31,
            first_seen: time,
            last_seen: time,
        }
    }
}
