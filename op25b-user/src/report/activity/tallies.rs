//! The tallies of all subscribers or customers, and what they are by day, in memory that grows with their number alone.

use std::{cmp::Reverse, collections::BTreeMap, hash::Hash};

use hashbrown::HashMap;
use ipnet::IpNet;
use jiff::{civil::Date, tz::TimeZone};

use super::{
    calendar::Calendar,
    tally::{Counts, Tally},
};
use crate::store::activity::Bucket;

/// Tallies by subscriber or customer. Buckets are added by ascending start.
#[derive(Debug)]
pub(crate) struct Tallies<K> {
    /// Where the tally of each is. That table grows by copies of itself, so it has no more than that.
    places: HashMap<K, u32>,
    entries: Vec<Entry<K>>,
    days: BTreeMap<Date, Day>,
    calendar: Calendar,
}

/// The tally of a subscriber or a customer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<K> {
    pub(crate) key: K,
    /// The subscriber of the last bucket.
    pub(crate) subscriber: IpNet,
    /// The number of its pool.
    pub(crate) pool: Option<usize>,
    pub(crate) tally: Tally,
}

/// What happened on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) counts: Counts,
    /// How many subscribers or customers were active.
    pub(crate) active: u64,
}

impl<K: Copy + Eq + Hash + Ord> Tallies<K> {
    pub(crate) fn new(time_zone: TimeZone) -> Self {
        Self {
            places: HashMap::new(),
            entries: Vec::new(),
            days: BTreeMap::new(),
            calendar: Calendar::new(time_zone),
        }
    }

    /// Adds a bucket of a subscriber in a pool, if it is in one.
    pub(crate) fn add(&mut self, key: K, bucket: &Bucket, pool: Option<usize>) {
        let place = *self.places.entry(key).or_insert_with(|| {
            self.entries.push(Entry {
                key,
                subscriber: bucket.subscriber,
                pool,
                tally: Tally::default(),
            });
            // There are no 2^32 subscribers: their tallies would not fit into memory.
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        let entry = &mut self.entries[place as usize];
        (entry.subscriber, entry.pool) = (bucket.subscriber, pool);
        let (day, is_another) = entry.tally.add(bucket, &mut self.calendar);
        let day = self.days.entry(day).or_default();
        day.counts.add(&Counts::of(bucket));
        day.active += u64::from(is_another);
    }

    /// The tallies, those with the most packets first, and the days.
    pub(crate) fn finish(self) -> (Vec<Entry<K>>, BTreeMap<Date, Day>) {
        let Self {
            mut entries, days, ..
        } = self;
        entries.sort_unstable_by_key(|Entry { key, tally, .. }| {
            (
                Reverse(tally.counts.packets()),
                Reverse(tally.counts.hidden),
                *key,
            )
        });
        (entries, days)
    }
}
