//! The bucket that is open: what was read of the records that had packets in it.

use std::{
    collections::{HashMap, hash_map::Entry},
    mem,
};

use ipnet::IpNet;
use jiff::SignedDuration;
use op25b_common::values::Subscriber;

use super::times::{Times, timestamp};
use crate::store::activity::{Counted, Reading};

/// The most subscribers in memory: with more, those that there are are written before the bucket ends.
const MOST: usize = 1 << 18;

/// The bucket that is open.
pub(super) struct OpenBucket {
    /// When it began, in Unix seconds.
    start: i64,
    /// The same as the kernel notes times: since then sketches are of this bucket. 0 if no bucket has begun.
    begin: u32,
    active: HashMap<IpNet, Active>,
    /// Parts that have ended with a cut, in the order of time.
    parts: Vec<(IpNet, Active)>,
    cuts: HashMap<IpNet, Cut>,
    /// What was read of records when the part before ended, if a packet may come in the same second.
    before: HashMap<IpNet, Counted>,
}

/// What was read of a subscriber that is active. Times are as the kernel notes them.
#[derive(Clone, Copy, Debug)]
struct Active {
    counted: Counted,
    /// No packet came earlier.
    first: u32,
    last: u32,
    destinations: u64,
    /// When its part began, if the bucket was cut.
    cut: Option<u32>,
}

/// Where the bucket of a subscriber was cut.
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: u32,
    /// The sketch at that time: what is in it may be of the part before.
    destinations: u64,
}

impl OpenBucket {
    pub(super) fn new(start: i64, begin: u32) -> Self {
        Self {
            start,
            begin,
            active: HashMap::new(),
            parts: Vec::new(),
            cuts: HashMap::new(),
            before: HashMap::new(),
        }
    }

    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    pub(super) const fn begin(&self) -> u32 {
        self.begin
    }

    /// Whether there are so many subscribers that some have to be written.
    pub(super) fn is_full(&self) -> bool {
        self.active.len() + self.parts.len() >= MOST
    }

    /// Notes what was read of a record that had a packet since the last time that all were read.
    pub(super) fn note(&mut self, subscriber: IpNet, record: &Subscriber, since: u32) {
        let (counted, last) = (Counted::of(record), record.hot.last_seen);
        let cut = self.cuts.get(&subscriber).copied();
        let first = since.max(record.cold.first_seen).max(cut.map_or(0, |cut| cut.at));
        let first = first.min(last);
        let earlier = cut.map_or(0, |cut| cut.destinations);
        let destinations = record.hot.destinations & !earlier;
        match self.active.entry(subscriber) {
            Entry::Occupied(mut active) => {
                let active = active.get_mut();
                active.counted = counted;
                active.first = active.first.min(first);
                active.last = last;
                active.destinations |= destinations;
            }
            Entry::Vacant(place) if self.before.get(&subscriber) != Some(&counted) => {
                place.insert(Active {
                    counted,
                    first,
                    last,
                    destinations,
                    cut: cut.map(|cut| cut.at),
                });
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Ends the part of a subscriber, of whose record this was read now.
    pub(super) fn cut(&mut self, subscriber: IpNet, record: Option<&Subscriber>, since: u32, now: u32) {
        if let Some(record) = record.filter(|record| record.hot.last_seen >= since) {
            self.note(subscriber, record, since);
        }
        if let Some(ended) = self.active.remove(&subscriber) {
            self.parts.push((subscriber, ended));
        }
        let destinations = record.map_or(0, |record| record.hot.destinations);
        self.cuts.insert(
            subscriber,
            Cut {
                at: now,
                destinations,
            },
        );
        if let Some(record) = record {
            self.before.insert(subscriber, Counted::of(record));
        }
    }

    /// The subscribers that are active and overlap a prefix.
    pub(super) fn active_in(&self, net: IpNet) -> Vec<IpNet> {
        let overlaps = |subscriber: &&IpNet| net.contains(*subscriber) || subscriber.contains(&net);
        self.active.keys().filter(overlaps).copied().collect()
    }

    /// What is to be written.
    pub(super) fn readings(&self, times: Times, length: SignedDuration) -> Vec<Reading> {
        let ended = self.parts.iter().map(|(subscriber, active)| (subscriber, active));
        ended
            .chain(&self.active)
            .map(|(subscriber, active)| self.reading(*subscriber, active, times, length))
            .collect()
    }

    fn reading(&self, subscriber: IpNet, active: &Active, times: Times, length: SignedDuration) -> Reading {
        let last = times.last(active.last);
        let start = match active.cut {
            Some(cut) => times.first(cut),
            // It was active while no daemon ran, and not since.
            None if last < self.start => Times::bucket_of(last, length),
            None => self.start,
        };
        Reading {
            subscriber,
            start: timestamp(start),
            first: timestamp(times.first(active.first)),
            last: timestamp(last),
            counted: active.counted,
            destinations: active.destinations,
        }
    }

    /// Goes on after what was noted was written. All records were read at `read`.
    pub(super) fn written(&mut self, read: u32) {
        self.parts.clear();
        let active = mem::take(&mut self.active).into_iter();
        // These are read again, although no packet may come any more.
        let again = active.filter(|(_, active)| active.last >= read);
        self.before = again
            .map(|(subscriber, active)| (subscriber, active.counted))
            .collect();
    }

    /// Begins another bucket after this one was written.
    pub(super) fn next(&mut self, start: i64, begin: u32) {
        self.start = start;
        self.begin = begin;
        self.cuts.clear();
    }
}
