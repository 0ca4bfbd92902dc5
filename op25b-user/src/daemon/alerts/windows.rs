//! What each subscriber did within the last minute, from the readings of its record.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use super::{
    alerted::Alerted,
    counted::{Counted, Syns},
};
use crate::{policy::Alerts, report::Beyond};
use ipnet::IpNet;

/// For how long segments are counted together, in seconds.
const MINUTE: u32 = 60;
/// How long after its last packet a subscriber is remembered, in seconds.
const HOUR: u32 = 3600;
/// The most subscribers in memory; others are not examined until there is room.
const MOST: usize = 1 << 18;

/// The subscribers that had a packet within the last hour. Times are as the kernel notes them.
#[derive(Default)]
pub(super) struct Windows(HashMap<IpNet, Window>);

/// What had been counted of a subscriber: the last reading, and those within the minute before it.
struct Window(VecDeque<Reading>);

/// What had been counted at a time.
#[derive(Clone, Copy)]
struct Reading {
    at: u32,
    syns: Syns,
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
    pub(super) syns: Syns,
    /// When that began.
    pub(super) since: u32,
}

impl Windows {
    /// Notes what was read of a subscriber that had a packet since the reading before.
    pub(super) fn note(
        &mut self,
        subscriber: IpNet,
        counted: &Counted,
        (since, now): (u32, u32),
        limits: Alerts,
        alerted: &mut Alerted,
    ) -> Noted {
        let reading = Reading {
            at: now,
            syns: counted.syns,
        };
        let has_room = self.0.len() < MOST;
        let window = match self.0.entry(subscriber) {
            Entry::Occupied(window) => window.into_mut(),
            Entry::Vacant(place) if has_room => {
                // Of one that is older it is not known when it counted what it has.
                let syns = if counted.begun >= since {
                    Syns::default()
                } else {
                    reading.syns
                };
                place.insert(Window(VecDeque::from([Reading { at: since, syns }])))
            }
            Entry::Vacant(_) => return Noted::NoRoom,
        };
        let first = window.add(reading, since);
        let syns = reading.syns.less(first.syns);
        let beyond = beyond(limits, syns, counted.destinations);
        if beyond.is_empty() {
            return Noted::Within;
        }
        if !alerted.begin(subscriber, now) {
            return Noted::Repeated;
        }
        Noted::Beyond(Excess {
            beyond,
            syns,
            since: first.at,
        })
    }

    /// Drops those that had no packet for an hour.
    pub(super) fn drop_silent(&mut self, now: u32) {
        self.drop_unread(now.saturating_sub(HOUR));
    }

    /// Drops those of which nothing was read at a time or later.
    pub(super) fn drop_unread(&mut self, since: u32) {
        self.0
            .retain(|_, window| window.0.back().is_some_and(|last| last.at >= since));
    }

    /// Forgets subscribers.
    pub(super) fn forget(&mut self, which: impl Fn(IpNet) -> bool) {
        self.0.retain(|subscriber, _| !which(*subscriber));
    }
}

/// The thresholds that are exceeded.
fn beyond(limits: Alerts, syns: Syns, destinations: u32) -> Vec<Beyond> {
    let Alerts {
        syns_per_minute,
        destinations: most_destinations,
        exempt_syns_per_minute,
    } = limits;
    let not_exempt = u64::from(syns.blocked) + u64::from(syns.monitored);
    let thresholds = [
        (Beyond::SynsPerMinute, syns_per_minute, not_exempt),
        (Beyond::Destinations, most_destinations, destinations.into()),
        (
            Beyond::ExemptSynsPerMinute,
            exempt_syns_per_minute,
            syns.exempt.into(),
        ),
    ];
    let exceeded = thresholds
        .into_iter()
        .filter(|(_, most, count)| most.is_some_and(|most| *count > most.into()));
    exceeded.map(|(beyond, ..)| beyond).collect()
}

impl Window {
    /// Adds a reading, and returns the one that the last minute begins with: what was counted since then is never more than in that minute,
    /// as a count whose time is not known is left out.
    fn add(&mut self, reading: Reading, since: u32) -> Reading {
        if let Some(last) = self.0.back().copied() {
            if reading.syns.is_less_than(last.syns) {
                // What had been counted was removed, or a part of it.
                self.0.clear();
                self.0.push_back(Reading {
                    at: since,
                    syns: reading.syns.least(last.syns),
                });
            } else if last.at < since {
                // It had no packet meanwhile: it was not read.
                self.0.push_back(Reading { at: since, ..last });
            }
        }
        self.0.push_back(reading);
        while let Some(first) = self.0.front()
            && first.at.saturating_add(MINUTE) < reading.at
        {
            self.0.pop_front();
        }
        self.0.front().copied().unwrap_or(reading)
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::Subscriber;

    use super::*;
    use crate::datapath::destinations;

    const LIMITS: Alerts = Alerts {
        syns_per_minute: Some(100),
        destinations: None,
        exempt_syns_per_minute: None,
    };

    /// A subscriber whose record is read every five seconds in which it had a packet.
    struct Read {
        windows: Windows,
        alerted: Alerted,
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
                alerted: Alerted::default(),
                record,
                since: begin,
            }
        }

        /// Counts so many blocked segments until a time, and reads them; returns how many there were within the last minute if there is
        /// an alert.
        fn pass(&mut self, now: u32, blocked: u32) -> Option<u32> {
            self.record.hot.blocked_syns += blocked;
            match self.read(now) {
                Noted::Beyond(excess) => Some(excess.syns.blocked),
                _ => None,
            }
        }

        fn read(&mut self, now: u32) -> Noted {
            let net = "198.51.100.20/32".parse().unwrap();
            let times = (self.since, now);
            self.since = now;
            self.windows.drop_silent(now);
            self.windows
                .note(net, &Counted::of(&self.record), times, LIMITS, &mut self.alerted)
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
        assert_eq!((excess.syns.blocked, excess.syns.monitored), (0, 101));
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
            destinations: Some(10),
            ..LIMITS
        };
        let note = |windows: &mut Windows, record: &Subscriber, limits| {
            let net = "198.51.100.20/32".parse().unwrap();
            let counted = Counted::of(record);
            windows.note(net, &counted, (1000, 1005), limits, &mut Alerted::default())
        };
        let mut record = Subscriber::default();
        record.cold.first_seen = 1000;
        record.hot.blocked_syns = 30;
        record.hot.destinations = 0b11_1111_1111;
        // So many bits are about one more.
        assert_eq!(destinations(record.hot.destinations), 11);
        let found = excess(note(&mut windows, &record, limits));
        assert_eq!(found.beyond, [Beyond::Destinations]);
        let fewer = Alerts {
            destinations: Some(11),
            ..limits
        };
        let noted = note(&mut Windows::default(), &record, fewer);
        assert_eq!(noted, Noted::Within);
        record.hot.blocked_syns = 101;
        let found = excess(note(&mut Windows::default(), &record, limits));
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

    #[test]
    fn an_exempt_subscriber_has_a_threshold_of_its_own_and_counts_as_long_as_it_is_read() {
        let limits = Alerts {
            syns_per_minute: Some(10),
            destinations: Some(10),
            exempt_syns_per_minute: Some(100),
        };
        let (mut windows, mut alerted) = (Windows::default(), Alerted::default());
        let mut read = |(since, now): (u32, u32), exempt| {
            let counted = Counted {
                syns: Syns {
                    exempt,
                    ..Syns::default()
                },
                destinations: 0,
                begun: since,
            };
            let net = "198.51.100.8/32".parse().unwrap();
            let noted = windows.note(net, &counted, (since, now), limits, &mut alerted);
            windows.drop_unread(now);
            noted
        };
        assert_eq!(read((1000, 1005), 100), Noted::Within);
        let found = excess(read((1005, 1010), 101));
        assert_eq!(
            (found.beyond, found.syns.exempt, found.since),
            (vec![Beyond::ExemptSynsPerMinute], 101, 1000)
        );
        assert_eq!(read((1010, 1015), 101), Noted::Repeated);
        // It is quiet for two hours, and read all the same: what it had counted is not taken for new.
        for now in (1020..8220).step_by(5) {
            read((now - 5, now), 101);
        }
        assert_eq!(read((8215, 8220), 102), Noted::Within);
        windows.drop_unread(8221);
        assert_eq!(windows.0.len(), 0);
    }
}
