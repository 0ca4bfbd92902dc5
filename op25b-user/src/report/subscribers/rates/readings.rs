//! Earlier readings of all records, of which a later one is the difference.

use std::{net::IpAddr, time::Duration};

// There may be millions of records, and this hashes faster.
use hashbrown::HashMap;
use ipnet::IpNet;
use op25b_common::values::Subscriber;

use super::document::Recent;

/// A reading is compared with one that is at least this old: the packets of a shorter time are too few for a rate.
const SHORTEST: Duration = Duration::from_millis(700);

/// The two newest readings that are far enough apart. Whoever asks has the same ones, so that many who watch take no more memory and
/// do not shorten each other's time.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    older: Option<Reading>,
    newer: Option<Reading>,
}

/// What all records had counted at one time.
#[derive(Debug)]
pub(super) struct Reading {
    /// Of the boot-time clock.
    at: Duration,
    v4: HashMap<u32, Counted>,
    v6: HashMap<u128, Counted>,
}

/// What one record had counted.
#[derive(Clone, Copy, Debug)]
struct Counted {
    first_seen: u32,
    hidden: u32,
    blocked: u64,
    monitored: u64,
}

impl Readings {
    /// The newest reading that is old enough to be compared with one at a time.
    pub(super) fn before(&self, now: Duration) -> Option<&Reading> {
        let mut readings = self.newer.iter().chain(&self.older);
        readings.find(|reading| reading.at + SHORTEST <= now)
    }

    /// Keeps a reading, unless it is too close to the one before.
    pub(super) fn keep(&mut self, reading: Reading) {
        let is_apart = |newer: &Reading| newer.at + SHORTEST <= reading.at;
        if self.newer.as_ref().is_none_or(is_apart) {
            self.older = self.newer.replace(reading);
        }
    }
}

impl Reading {
    /// One at a time, with room for as many records as the one before has.
    pub(super) fn new(at: Duration, before: Option<&Self>) -> Self {
        let room = |of: fn(&Self) -> usize| before.map_or(0, of);
        Self {
            at,
            v4: HashMap::with_capacity(room(|before| before.v4.len())),
            v6: HashMap::with_capacity(room(|before| before.v6.len())),
        }
    }

    pub(super) fn at(&self) -> Duration {
        self.at
    }

    pub(super) fn add(&mut self, net: IpNet, record: &Subscriber) {
        let counted = Counted::of(record);
        match net.addr() {
            IpAddr::V4(address) => self.v4.insert(address.to_bits(), counted),
            IpAddr::V6(address) => self.v6.insert(address.to_bits(), counted),
        };
    }

    /// What a record has counted since this reading. A record that is not in it counts as new if it began after it. If it began before
    /// that, it is of a filter or a time that was not read, and when its packets came is not known.
    pub(super) fn since(&self, net: IpNet, record: &Subscriber) -> Recent {
        let now = Counted::of(record);
        let then = match net.addr() {
            IpAddr::V4(address) => self.v4.get(&address.to_bits()),
            IpAddr::V6(address) => self.v6.get(&address.to_bits()),
        };
        match then {
            Some(then) if then.first_seen == now.first_seen => Recent {
                blocked: since(now.blocked, then.blocked),
                monitored: since(now.monitored, then.monitored),
                hidden: since(now.hidden.into(), then.hidden.into()),
            },
            _ if u64::from(now.first_seen) >= self.at.as_secs() => Recent {
                blocked: now.blocked,
                monitored: now.monitored,
                hidden: now.hidden.into(),
            },
            _ => Recent::default(),
        }
    }
}

/// What was counted since a count, which may have begun anew at 0.
const fn since(now: u64, then: u64) -> u64 {
    match now.checked_sub(then) {
        Some(counted) => counted,
        None => now,
    }
}

impl Counted {
    fn of(record: &Subscriber) -> Self {
        let sum = |one: u32, other: u32| u64::from(one) + u64::from(other);
        Self {
            first_seen: record.cold.first_seen,
            hidden: record.hidden,
            blocked: sum(record.hot.blocked_syns, record.cold.blocked_others),
            monitored: sum(record.cold.monitored_syns, record.cold.monitored_others),
        }
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{Cold, Hot};

    use super::*;

    fn record(first_seen: u32, blocked_syns: u32, monitored_others: u32) -> Subscriber {
        Subscriber {
            hot: Hot {
                blocked_syns,
                ..Hot::default()
            },
            cold: Cold {
                first_seen,
                monitored_others,
                ..Cold::default()
            },
            ..Subscriber::default()
        }
    }

    fn reading(at: u64, records: &[(&str, Subscriber)]) -> Reading {
        let mut reading = Reading::new(Duration::from_millis(at), None);
        for (net, record) in records {
            reading.add(net.parse().unwrap(), record);
        }
        reading
    }

    fn recent(blocked: u64, monitored: u64) -> Recent {
        Recent {
            blocked,
            monitored,
            hidden: 0,
        }
    }

    #[test]
    fn what_is_recent_is_the_difference_and_of_a_new_record_all_of_it() {
        let before = reading(
            100_000,
            &[
                ("198.51.100.7/32", record(50, 10, 5)),
                ("2001:db8:7::/64", record(60, 3, 0)),
            ],
        );
        for (net, now, expected) in [
            ("198.51.100.7/32", record(50, 17, 5), recent(7, 0)),
            ("198.51.100.8/32", record(101, 4, 0), recent(4, 0)),
            ("2001:db8:7::/64", record(60, 3, 9), recent(0, 9)),
            // It was erased, and has begun anew.
            ("2001:db8:7::/64", record(102, 2, 0), recent(2, 0)),
        ] {
            assert_eq!(before.since(net.parse().unwrap(), &now), expected, "{net}");
        }
    }

    #[test]
    fn counts_that_begin_anew_or_come_from_elsewhere_make_no_absurd_rate() {
        let before = reading(100_000, &[("198.51.100.7/32", record(50, 1_000_000, 70))]);
        let net = |text: &str| text.parse().unwrap();
        // What was monitored is erased once the pool is enforced; another filter has counted less.
        let less = before.since(net("198.51.100.7/32"), &record(50, 1_000_002, 1));
        assert_eq!(less, recent(2, 1));
        // A filter that was not read before has old records.
        let migrated = before.since(net("198.51.100.9/32"), &record(40, 5_000_000, 0));
        assert_eq!(migrated, recent(0, 0));
        let other = before.since(net("198.51.100.7/32"), &record(40, 5_000_000, 0));
        assert_eq!(other, recent(0, 0));
    }

    #[test]
    fn readings_that_follow_each_other_closely_are_compared_with_the_one_before() {
        let mut readings = Readings::default();
        let before = |readings: &Readings, at: u64| {
            let before = readings.before(Duration::from_millis(at));
            before.map(|reading| reading.at.as_millis())
        };
        assert_eq!(before(&readings, 1000), None);
        readings.keep(reading(1000, &[]));
        assert_eq!(before(&readings, 1300), None);
        readings.keep(reading(1300, &[]));
        assert_eq!(before(&readings, 2000), Some(1000));
        readings.keep(reading(2000, &[]));
        // Somebody else asks a little later.
        assert_eq!(before(&readings, 2300), Some(1000));
        readings.keep(reading(2300, &[]));
        assert_eq!(before(&readings, 3000), Some(2000));
    }
}
