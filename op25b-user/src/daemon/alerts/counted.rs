//! What is read of a subscriber: counts of segments that open a connection, and about how many destinations.

use op25b_common::values::Subscriber;

use crate::datapath::destinations;

/// Segments that open a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Syns {
    pub(super) blocked: u32,
    pub(super) monitored: u32,
    pub(super) exempt: u32,
}

/// What is read of a subscriber.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    /// What has been counted of it.
    pub(super) syns: Syns,
    /// The number of its destinations, about.
    pub(super) destinations: u32,
    /// Since when it is counted.
    pub(super) begun: u32,
}

impl Counted {
    /// What the record of a subscriber has.
    pub(super) fn of(record: &Subscriber) -> Self {
        Self {
            syns: Syns {
                blocked: record.hot.blocked_syns,
                monitored: record.cold.monitored_syns,
                exempt: 0,
            },
            destinations: destinations(record.hot.destinations),
            begun: record.cold.first_seen,
        }
    }
}

impl Syns {
    /// What was counted besides these.
    pub(super) fn less(self, before: Self) -> Self {
        self.with(before, u32::saturating_sub)
    }

    /// Of each kind the smaller number.
    pub(super) fn least(self, other: Self) -> Self {
        self.with(other, u32::min)
    }

    /// Whether there are fewer of any kind.
    pub(super) fn is_less_than(self, other: Self) -> bool {
        self.least(other) != other
    }

    fn with(self, other: Self, combine: impl Fn(u32, u32) -> u32) -> Self {
        Self {
            blocked: combine(self.blocked, other.blocked),
            monitored: combine(self.monitored, other.monitored),
            exempt: combine(self.exempt, other.exempt),
        }
    }
}
