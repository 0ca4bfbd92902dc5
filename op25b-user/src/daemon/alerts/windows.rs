//! What each subscriber did within the last minute, from the readings of its record.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use ipnet::IpNet;
use op25b_common::values::Subscriber;

use crate::{datapath::destinations, policy::Alerts, report::Beyond};

/// For how long segments are counted together, in seconds.
const MINUTE: u32 = 60;
/// How long there is no other alert about a subscriber, and how long after its last packet it is remembered, in seconds.
const HOUR: u32 = 3600;
/// The most subscribers in memory; others are not examined until there is room.
const MOST: usize = 1 << 18;

/// The subscribers that had a packet within the last hour. Times are as the kernel notes them.
#[derive(Default)]
pub(super) struct Windows(HashMap<IpNet, Window>);

/// What was read of a subscriber.
struct Window {
    /// What its record had counted: the last reading, and those within the minute before it.
    readings: VecDeque<Reading>,
    /// When there was an alert.
    alerted: Option<u32>,
}

/// What a record had counted at a time: segments that open a connection.
#[derive(Clone, Copy)]
struct Reading {
    at: u32,
    blocked: u32,
    monitored: u32,
}

/// What comes of a reading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// The subscriber is beyond no threshold.
    Within,
    /// It is, and there is to be an alert.
    Beyond(Excess),
    /// It is, and there was an alert within the last hour.
    Repeated,
    /// It was not examined: there are too many in memory.
    NoRoom,
}

/// That a subscriber is beyond thresholds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excess {
    pub(super) beyond: Vec<Beyond>,
    /// What was counted within the last minute.
    pub(super) blocked: u32,
    pub(super) monitored: u32,
}

impl Windows {
    /// Notes what was read of a record that had a packet since the reading before.
    pub(super) fn note(
        &mut self,
        subscriber: IpNet,
        record: &Subscriber,
        (since, now): (u32, u32),
        limits: Alerts,
    ) -> Noted {
        let reading = Reading::of(record, now);
        let has_room = self.0.len() < MOST;
        let window = match self.0.entry(subscriber) {
            Entry::Occupied(window) => window.into_mut(),
            Entry::Vacant(place) if has_room => {
                // Of one that is older it is not known when it counted what it has.
                let before = if record.cold.first_seen >= since {
                    Reading::nothing(since)
                } else {
                    Reading { at: since, ..reading }
                };
                place.insert(Window {
                    readings: VecDeque::from([before]),
                    alerted: None,
                })
            }
            Entry::Vacant(_) => return Noted::NoRoom,
        };
        let (blocked, monitored) = window.add(reading, since);
        let is_beyond =
            |threshold: Option<u32>, count: u64| threshold.is_some_and(|most| count > most.into());
        let mut beyond = Vec::new();
        if is_beyond(limits.syns_per_minute, u64::from(blocked) + u64::from(monitored)) {
            beyond.push(Beyond::SynsPerMinute);
        }
        if is_beyond(limits.destinations, destinations(record.hot.destinations).into()) {
            beyond.push(Beyond::Destinations);
        }
        if beyond.is_empty() {
            return Noted::Within;
        }
        if window.alerted.is_some_and(|at| now.saturating_sub(at) < HOUR) {
            return Noted::Repeated;
        }
        window.alerted = Some(now);
        Noted::Beyond(Excess {
            beyond,
            blocked,
            monitored,
        })
    }

    /// Drops those that had no packet for an hour.
    pub(super) fn drop_silent(&mut self, now: u32) {
        self.0.retain(|_, window| {
            let last = window.readings.back().map_or(0, |reading| reading.at);
            now <= last.saturating_add(HOUR)
        });
    }

    /// Forgets subscribers.
    pub(super) fn forget(&mut self, which: impl Fn(IpNet) -> bool) {
        self.0.retain(|subscriber, _| !which(*subscriber));
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.0 = HashMap::new();
    }
}

impl Window {
    /// Adds a reading, and returns what was counted within the last minute: never more, as a count whose time is not known is left out.
    fn add(&mut self, reading: Reading, since: u32) -> (u32, u32) {
        if let Some(last) = self.readings.back().copied() {
            if reading.blocked < last.blocked || reading.monitored < last.monitored {
                // What it had counted was removed, or a part of it.
                self.readings.clear();
                self.readings.push_back(Reading {
                    at: since,
                    blocked: last.blocked.min(reading.blocked),
                    monitored: last.monitored.min(reading.monitored),
                });
            } else if last.at < since {
                // It had no packet meanwhile: it was not read.
                self.readings.push_back(Reading { at: since, ..last });
            }
        }
        self.readings.push_back(reading);
        while let Some(first) = self.readings.front()
            && first.at.saturating_add(MINUTE) < reading.at
        {
            self.readings.pop_front();
        }
        let first = self.readings.front().copied().unwrap_or(reading);
        (
            reading.blocked.saturating_sub(first.blocked),
            reading.monitored.saturating_sub(first.monitored),
        )
    }
}

impl Reading {
    fn of(record: &Subscriber, at: u32) -> Self {
        Self {
            at,
            blocked: record.hot.blocked_syns,
            monitored: record.cold.monitored_syns,
        }
    }

    const fn nothing(at: u32) -> Self {
        Self {
            at,
            blocked: 0,
            monitored: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Alerts = Alerts {
        syns_per_minute: Some(100),
        destinations: None,
    };

    /// A subscriber whose record is read every five seconds in which it had a packet.
    struct Read {
        windows: Windows,
        record: Subscriber,
        /// When all records were read last.
        since: u32,
    }

    impl Read {
        /// One whose record begins at a time.
        fn new(begin: u32) -> Self {
            let mut record = Subscriber::default();
            record.cold.first_seen = begin;
            Self {
                windows: Windows::default(),
                record,
                since: begin,
            }
        }

        /// Counts so many blocked segments until a time, and reads them; returns how many there were within the last minute if there is
        /// an alert.
        fn pass(&mut self, now: u32, blocked: u32) -> Option<u32> {
            self.record.hot.blocked_syns += blocked;
            match self.read(now) {
                Noted::Beyond(excess) => Some(excess.blocked),
                _ => None,
            }
        }

        fn read(&mut self, now: u32) -> Noted {
            let net = "198.51.100.20/32".parse().unwrap();
            let times = (self.since, now);
            self.since = now;
            self.windows.drop_silent(now);
            self.windows.note(net, &self.record, times, LIMITS)
        }
    }

    fn excess(noted: Noted) -> Excess {
        match noted {
            Noted::Beyond(excess) => excess,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn more_than_the_threshold_within_a_minute_is_an_alert_once_an_hour() {
        let mut read = Read::new(1000);
        assert_eq!(read.pass(1005, 100), None);
        assert_eq!(read.pass(1010, 1), Some(101));
        for time in (1015..1010 + HOUR).step_by(5) {
            read.record.hot.blocked_syns += 50;
            assert_eq!(read.read(time), Noted::Repeated, "{time}");
        }
        assert_eq!(read.pass(1010 + HOUR, 50), Some(600));
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count() {
        let mut read = Read::new(1000);
        assert_eq!(read.pass(1005, 100), None);
        // The reading of 1005 is the first of this minute: what came before it is not in it.
        assert_eq!(read.pass(1065, 100), None);
        assert_eq!(read.pass(1066, 0), None);
        // Without a packet there is no reading: the count stands until the next one.
        read.since = 1190;
        assert_eq!(read.pass(1195, 100), None);
        assert_eq!(read.pass(1200, 1), Some(101));
    }

    #[test]
    fn what_a_record_had_counted_before_it_is_first_read_is_of_an_unknown_time() {
        let mut read = Read::new(1000);
        read.record.hot.blocked_syns = 1_000_000;
        read.since = 2000;
        assert_eq!(read.pass(2005, 90), None);
        assert_eq!(read.pass(2010, 100), None);
        assert_eq!(read.pass(2015, 1), Some(101));
        // A record that began since the last reading of all is new.
        let mut read = Read::new(1000);
        read.record.cold.monitored_syns = 101;
        let excess = excess(read.read(1005));
        assert_eq!((excess.blocked, excess.monitored), (0, 101));
    }

    #[test]
    fn a_record_that_was_removed_or_a_part_of_it_begins_anew() {
        let mut read = Read::new(1000);
        assert_eq!(read.pass(1005, 90), None);
        read.record.hot.blocked_syns = 5;
        assert_eq!(read.pass(1010, 0), None);
        assert_eq!(read.pass(1015, 100), None);
        assert_eq!(read.pass(1020, 1), Some(101));
    }

    #[test]
    fn destinations_are_those_of_the_records_sketch() {
        let mut windows = Windows::default();
        let limits = Alerts {
            syns_per_minute: Some(100),
            destinations: Some(10),
        };
        let net = "198.51.100.20/32".parse().unwrap();
        let mut record = Subscriber::default();
        record.cold.first_seen = 1000;
        record.hot.blocked_syns = 30;
        record.hot.destinations = 0b11_1111_1111;
        // So many bits are about one more.
        assert_eq!(destinations(record.hot.destinations), 11);
        let found = excess(windows.note(net, &record, (1000, 1005), limits));
        assert_eq!(found.beyond, [Beyond::Destinations]);
        let fewer = Alerts {
            destinations: Some(11),
            ..limits
        };
        let noted = Windows::default().note(net, &record, (1000, 1005), fewer);
        assert_eq!(noted, Noted::Within);
        record.hot.blocked_syns = 101;
        let found = excess(Windows::default().note(net, &record, (1000, 1005), limits));
        assert_eq!(found.beyond, [Beyond::SynsPerMinute, Beyond::Destinations]);
    }

    #[test]
    fn who_was_silent_for_an_hour_or_is_to_be_forgotten_is_not_remembered() {
        let mut read = Read::new(1000);
        assert_eq!(read.pass(1005, 101), Some(101));
        read.windows.drop_silent(1005 + HOUR);
        assert_eq!(read.windows.0.len(), 1);
        read.windows.drop_silent(1006 + HOUR);
        assert_eq!(read.windows.0.len(), 0);
        assert_eq!(read.pass(1010, 0), None);
        let of = |text: &str| text.parse::<IpNet>().unwrap();
        read.windows.forget(|net| of("198.51.101.0/24").contains(&net));
        assert_eq!(read.windows.0.len(), 1);
        read.windows.forget(|net| of("198.51.100.0/24").contains(&net));
        assert_eq!(read.windows.0.len(), 0);
    }
}
