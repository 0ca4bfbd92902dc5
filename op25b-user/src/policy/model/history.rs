//! How the history of activity is kept.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use crate::byte_size::ByteSize;

/// How the history of activity is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// The length of a bucket.
    pub bucket: SignedDuration,
    /// How long buckets are kept.
    pub keep: SignedDuration,
    /// How large the file may become.
    pub max_size: ByteSize,
}

impl History {
    /// The valid lengths of a bucket. Shorter ones would be as short as the time between two readings of the kernel.
    pub const BUCKETS: RangeInclusive<SignedDuration> =
        SignedDuration::from_mins(1)..=SignedDuration::from_hours(24);
    /// The smallest size of the file that can be asked for.
    pub const LEAST_SIZE: ByteSize = ByteSize::mib(16);
}

impl Default for History {
    fn default() -> Self {
        Self {
            bucket: SignedDuration::from_mins(10),
            keep: SignedDuration::from_hours(90 * 24),
            max_size: ByteSize::mib(2048),
        }
    }
}
