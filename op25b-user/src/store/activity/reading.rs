//! What was read of a subscriber's record in the kernel when a bucket of it ended.

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;

/// What a record in the kernel has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// When the record began, as the kernel notes it: another record of the same subscriber began at another time.
    pub first_seen: u32,
    /// Blocked segments that open a connection.
    pub blocked_syns: u32,
    /// Other blocked segments.
    pub blocked_others: u32,
    /// Segments that open a connection and would have been blocked.
    pub monitored_syns: u32,
    /// Other segments that would have been blocked.
    pub monitored_others: u32,
    /// Packets that hide their ports.
    pub hidden: u32,
}

impl Counted {
    /// What a record has counted.
    #[must_use]
    pub const fn of(record: &Subscriber) -> Self {
        Self {
            first_seen: record.cold.first_seen,
            blocked_syns: record.hot.blocked_syns,
            blocked_others: record.cold.blocked_others,
            monitored_syns: record.cold.monitored_syns,
            monitored_others: record.cold.monitored_others,
            hidden: record.hidden,
        }
    }

    /// The counters.
    pub(super) const fn counters(&self) -> [u32; 5] {
        [
            self.blocked_syns,
            self.blocked_others,
            self.monitored_syns,
            self.monitored_others,
            self.hidden,
        ]
    }

    /// Whether a counter is where counters stop.
    pub(super) fn has_stopped(&self) -> bool {
        self.counters().iter().any(|counter| *counter >= Subscriber::MOST)
    }

    /// What was counted since `before`: all of it, if this is another record. A counter that is less than before has begun anew: what
    /// was counted while a pool was monitored may have been erased.
    pub(super) fn since(&self, before: Option<&Self>) -> [u32; 5] {
        let now = self.counters();
        let Some(before) = before.filter(|before| before.first_seen == self.first_seen) else {
            return now;
        };
        let mut difference = now;
        for (counter, before) in difference.iter_mut().zip(before.counters()) {
            *counter = counter.checked_sub(before).unwrap_or(*counter);
        }
        difference
    }
}

/// Up to when the kernel was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadUntil {
    /// As it notes times in records.
    pub noted: u32,
    /// By the clock.
    pub at: Timestamp,
}

/// What was read of a subscriber's record when a bucket of it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The subscriber.
    pub subscriber: IpNet,
    /// When the bucket began.
    pub start: Timestamp,
    /// No packet of the bucket came before this second.
    pub first: Timestamp,
    /// When the last packet came.
    pub last: Timestamp,
    /// What the record has counted, in this bucket and before.
    pub counted: Counted,
    /// The sketch of the bucket's destinations.
    pub destinations: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(first_seen: u32, blocked_syns: u32, hidden: u32) -> Counted {
        Counted {
            first_seen,
            blocked_syns,
            hidden,
            ..Counted::default()
        }
    }

    #[test]
    fn the_difference_is_that_to_the_same_record_and_all_of_another_one() {
        let now = counted(7, 5, 9);
        assert_eq!(now.since(None), [5, 0, 0, 0, 9]);
        assert_eq!(now.since(Some(&counted(7, 5, 2))), [0, 0, 0, 0, 7]);
        // Evicted and begun again, or after a reboot.
        assert_eq!(now.since(Some(&counted(6, 1, 1))), [5, 0, 0, 0, 9]);
        // One counter was erased.
        assert_eq!(now.since(Some(&counted(7, 6, 1))), [5, 0, 0, 0, 8]);
    }
}
