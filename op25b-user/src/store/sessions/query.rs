//! Which sessions are asked for.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::exemption::search::Pattern;

/// A filter for sessions; a field without a value matches all. A session without an end may have lasted until any time after it
/// was last seen, and matches all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// Those that may have lasted at this time.
    pub at: Option<Timestamp>,
    /// Those that may have lasted at this time or later.
    pub since: Option<Timestamp>,
    /// Those that began before this time.
    pub until: Option<Timestamp>,
    /// Those of a prefix that overlaps this one.
    pub within: Option<IpNet>,
    /// Those of customers with this in their names.
    pub customer: Option<Pattern>,
}

impl SessionQuery {
    /// The first second of the time that is searched, and the last one.
    pub(super) fn seconds(&self) -> (i64, i64) {
        let first = [self.at, self.since].into_iter().flatten().max();
        // A time before which is within its second.
        let before = self.until.map(|until| {
            let second = until.as_second();
            if until.subsec_nanosecond() > 0 {
                second
            } else {
                second.saturating_sub(1)
            }
        });
        let last = [self.at.map(Timestamp::as_second), before]
            .into_iter()
            .flatten()
            .min();
        (
            first.map_or(i64::MIN, Timestamp::as_second),
            last.unwrap_or(i64::MAX),
        )
    }
}
