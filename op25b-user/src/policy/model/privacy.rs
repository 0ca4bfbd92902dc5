//! How long is kept what is recorded of subscribers, and who has to say why it is read.

use jiff::SignedDuration;

/// How long is kept what is recorded of subscribers, and who has to say why it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Privacy {
    /// How long after a subscriber's last packet what is recorded of them is kept; `None` for ever.
    pub retain: Option<SignedDuration>,
    /// The same in a pool that is only monitored; and how long after the date of its enforcement what was recorded until then is kept.
    pub monitor_retain: Option<SignedDuration>,
    /// Whether who reads the records of subscribers must give a reason.
    pub require_reason: bool,
}

impl Privacy {
    /// The shortest time that something is kept: what is too old is removed within an hour.
    pub const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

    /// The shorter of the times, for what is of pools in any mode.
    #[must_use]
    pub fn shortest(self) -> Option<SignedDuration> {
        self.retain.into_iter().chain(self.monitor_retain).min()
    }

    /// The longer of the times: what is older than this is kept of no pool; `None` if something is kept for ever.
    #[must_use]
    pub fn longest(self) -> Option<SignedDuration> {
        Some(self.retain?.max(self.monitor_retain?))
    }
}

impl Default for Privacy {
    fn default() -> Self {
        let retain = Some(SignedDuration::from_hours(90 * 24));
        Self {
            retain,
            monitor_retain: retain,
            require_reason: false,
        }
    }
}
