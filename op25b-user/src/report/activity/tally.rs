//! What one subscriber or one customer did in a period: the sum of buckets, in constant space.

use jiff::{Timestamp, civil::Date};

use super::calendar::Calendar;
use crate::{
    datapath::{destination_error, destinations},
    store::activity::Bucket,
};

/// How long the time is to which the most SYNs refer, in seconds.
const BUSIEST_SECONDS: u64 = 600;

/// The sum of the buckets of one subscriber or customer. They are added by ascending start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The sketch of all destinations.
    sketch: u64,
    /// The seconds of the first bucket's begin and of the last packet.
    first: i64,
    last: i64,
    pub(crate) days: u32,
    last_day: Option<Date>,
    pub(crate) hours: u32,
    last_hour: Option<i64>,
    /// The most destinations of one bucket.
    pub(crate) busiest_destinations: u32,
    /// The most SYNs in ten minutes, by the mean rate of a bucket.
    pub(crate) busiest_syns: u32,
}

/// Packets, by what was done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) blocked_syns: u64,
    pub(crate) blocked_others: u64,
    pub(crate) monitored_syns: u64,
    pub(crate) monitored_others: u64,
    pub(crate) hidden: u64,
}

impl Counts {
    pub(crate) fn of(bucket: &Bucket) -> Self {
        Self {
            blocked_syns: bucket.blocked_syns.into(),
            blocked_others: bucket.blocked_others.into(),
            monitored_syns: bucket.monitored_syns.into(),
            monitored_others: bucket.monitored_others.into(),
            hidden: bucket.hidden.into(),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.blocked_syns += other.blocked_syns;
        self.blocked_others += other.blocked_others;
        self.monitored_syns += other.monitored_syns;
        self.monitored_others += other.monitored_others;
        self.hidden += other.hidden;
    }

    /// Those that were blocked.
    pub(crate) const fn blocked(&self) -> u64 {
        self.blocked_syns + self.blocked_others
    }

    /// Those that would have been.
    pub(crate) const fn monitored(&self) -> u64 {
        self.monitored_syns + self.monitored_others
    }

    /// All with readable ports.
    pub(crate) const fn packets(&self) -> u64 {
        self.blocked() + self.monitored()
    }

    /// Those that open a connection.
    pub(crate) const fn syns(&self) -> u64 {
        self.blocked_syns + self.monitored_syns
    }
}

impl Tally {
    /// Adds a bucket. Returns its day, and whether that is another one than that of the bucket before.
    pub(crate) fn add(&mut self, bucket: &Bucket, calendar: &mut Calendar) -> (Date, bool) {
        let (first, last) = (bucket.first.as_second(), bucket.last.as_second());
        if self.last_day.is_none() {
            self.first = first;
        }
        self.last = self.last.max(last);
        let counts = Counts::of(bucket);
        self.counts.add(&counts);
        self.sketch |= bucket.destinations;
        self.busiest_destinations = self.busiest_destinations.max(destinations(bucket.destinations));
        self.busiest_syns = self.busiest_syns.max(syns_in_ten_minutes(&counts, last - first));
        // It is certain only of the last packet when it came.
        let hour = last.div_euclid(3600);
        if self.last_hour.is_none_or(|before| before < hour) {
            self.last_hour = Some(hour);
            self.hours += 1;
        }
        let day = calendar.day(bucket.last);
        let is_another = self.last_day.is_none_or(|before| before < day);
        if is_another {
            self.last_day = Some(day);
            self.days += 1;
        }
        (day, is_another)
    }

    /// About how many destinations.
    pub(crate) fn destinations(&self) -> u32 {
        destinations(self.sketch)
    }

    /// The standard error of that; `None` if it is only known that there are at least as many.
    pub(crate) fn destination_error(&self) -> Option<u32> {
        destination_error(self.sketch)
    }

    /// No packet came before.
    pub(crate) fn first(&self) -> Timestamp {
        instant(self.first)
    }

    /// When the last packet came.
    pub(crate) fn last(&self) -> Timestamp {
        instant(self.last)
    }
}

/// A bucket's time, which was one.
fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

/// How many SYNs come in ten minutes at the mean rate of a bucket whose packets came within so many seconds; those of a shorter
/// one came in ten minutes, too.
fn syns_in_ten_minutes(counts: &Counts, seconds: i64) -> u32 {
    let seconds = u64::try_from(seconds).unwrap_or(0).max(BUSIEST_SECONDS);
    u32::try_from(counts.syns() * BUSIEST_SECONDS / seconds).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn bucket(first: &str, last: &str, blocked_syns: u32, destinations: u64) -> Bucket {
        let at = |time: &str| format!("2026-11-{time}Z").parse().unwrap();
        Bucket {
            subscriber: "198.51.100.9/32".parse().unwrap(),
            start: at(first),
            first: at(first),
            last: at(last),
            blocked_syns,
            blocked_others: 1,
            monitored_syns: 2,
            monitored_others: 3,
            hidden: 4,
            destinations,
        }
    }

    #[test]
    fn a_tally_sums_counts_and_joins_destinations_and_counts_days_and_hours_of_its_last_packets() {
        let mut calendar = Calendar::new(TimeZone::fixed(jiff::tz::offset(9)));
        let mut tally = Tally::default();
        let mut days = Vec::new();
        for bucket in [
            bucket("22T14:50:00", "22T14:59:59", 10, 0b11),
            // Another day in Japan.
            bucket("22T15:00:00", "22T15:05:00", 5, 0b101),
            bucket("22T15:10:00", "22T15:15:00", 5, 0b1),
            // An hour of packets.
            bucket("23T02:00:00", "23T03:00:00", 3000, 0b1),
        ] {
            let (day, is_another) = tally.add(&bucket, &mut calendar);
            days.extend(is_another.then_some(day));
        }
        assert_eq!(days.len(), 2);
        assert_eq!((tally.days, tally.hours), (2, 3));
        let counts = tally.counts;
        assert_eq!((counts.syns(), counts.packets(), counts.hidden), (3028, 3044, 16));
        assert_eq!((counts.blocked(), counts.monitored()), (3024, 20));
        assert_eq!((tally.destinations(), tally.busiest_destinations), (3, 2));
        assert_eq!(tally.busiest_syns, 500);
        assert_eq!(tally.first().to_string(), "2026-11-22T14:50:00Z");
        assert_eq!(tally.last().to_string(), "2026-11-23T03:00:00Z");
    }
}
