//! What one subscriber did in a bucket, and which buckets are asked for.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

/// What a subscriber did in a bucket of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// An IPv4 address, or an IPv6 prefix.
    pub subscriber: IpNet,
    /// When the bucket begins; of the part after a cut, when that was.
    pub start: Timestamp,
    /// No packet of it came before this second. The daemon reads the kernel every few seconds, so the first packet may have
    /// come as much later; and this may as much precede `start`.
    pub first: Timestamp,
    /// The second in which the last packet came.
    pub last: Timestamp,
    /// Blocked segments that open a connection.
    pub blocked_syns: u32,
    /// Other blocked segments.
    pub blocked_others: u32,
    /// Segments that open a connection and would have been blocked, were the pool enforced.
    pub monitored_syns: u32,
    /// Other segments that would have been blocked.
    pub monitored_others: u32,
    /// Packets that hide their ports.
    pub hidden: u32,
    /// The sketch of the destinations of this bucket alone; [`crate::datapath::destinations`] estimates their number.
    pub destinations: u64,
}

/// A filter for buckets; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketQuery {
    /// Those of subscribers that overlap one of these; of all subscribers, if there is none.
    pub within: Vec<IpNet>,
    /// Those with a packet at this time or later.
    pub since: Option<Timestamp>,
    /// Those with a packet before this time.
    pub until: Option<Timestamp>,
}

/// Which time a history has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Covered {
    /// The oldest bucket has no packet from before this; none if there is no bucket.
    pub oldest: Option<Timestamp>,
    /// Up to when the kernel was read.
    pub read_until: Option<Timestamp>,
}
