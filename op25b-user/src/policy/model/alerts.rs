//! From what on there is an alert about a subscriber.

use std::ops::RangeInclusive;

/// The thresholds beyond which there is an alert about a subscriber. Without them there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// The most segments that open a connection in a minute.
    pub syns_per_minute: Option<u32>,
    /// The most destinations in a bucket of the history.
    pub destinations: Option<u32>,
    /// The most segments of an exempt subscriber that open a connection in a minute.
    pub exempt_syns_per_minute: Option<u32>,
}

impl Alerts {
    /// The numbers of segments that can be set.
    pub const SYNS: RangeInclusive<u64> = 1..=1_000_000;
    /// The numbers of destinations that can be set: a record does not distinguish more.
    pub const DESTINATIONS: RangeInclusive<u64> = 1..=250;
}
