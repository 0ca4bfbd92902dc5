//! Erases subscribers' records, or a part of them, while the program counts.

use std::sync::atomic::Ordering::Relaxed;

use aya::maps::{HashMap, MapData};
use ipnet::IpNet;
use op25b_common::{
    names::{SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::Subscriber,
};

use super::{
    shared_record::{SharedRecord, Side, Window},
    subscribers::{SubscriberRecords, records_in_lru_map},
};
use crate::datapath::sys::bpf::{map::MapError, membarrier::wait_for_running_programs};

/// What is erased of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Erasure {
    /// Nothing.
    Nothing,
    /// What was counted while the pool was only monitored.
    Monitored,
    /// All of it.
    Whole,
}

/// How many records were erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    /// As a whole.
    pub(crate) whole: u64,
    /// As far as they were of the time of monitoring.
    pub(crate) monitored: u64,
}

/// How many records are mapped, and at most held, at once.
const WINDOW: u32 = 1 << 16;

impl SubscriberRecords {
    /// Erases what is decided of each record. A record in which the program counts meanwhile is one that begins with what it counts, or
    /// stays.
    pub(crate) fn erase(
        &mut self,
        decide: impl Fn(IpNet, &Subscriber) -> Erasure,
    ) -> Result<Erased, MapError> {
        let mut erased = Erased::default();
        for (family, record_index) in self.layout.indexes() {
            let side = Side::new(&self.array, &self.layout, record_index);
            for (first, last, record) in &record_index.ranges {
                let (mut number, mut record, mut left) = (*first, *record, last - first + 1);
                while left > 0 {
                    let count = u32::try_from(left).unwrap_or(u32::MAX).min(WINDOW);
                    let window = Window::new(side, record, count).map_err(MapError::write(SUBSCRIBERS))?;
                    let subscriber = |place: u64| self.layout.subscriber(family, number + place);
                    erase_in(&window, subscriber, &decide, &mut erased);
                    (number, record) = (number.wrapping_add(count.into()), record + count);
                    left -= u64::from(count);
                }
            }
        }
        self.erase_in_lru_map(decide, &mut erased)?;
        Ok(erased)
    }

    /// A packet that arrives between the last look at a record and its removal is not counted, as one of a record that is evicted.
    fn erase_in_lru_map(
        &mut self,
        decide: impl Fn(IpNet, &Subscriber) -> Erasure,
        erased: &mut Erased,
    ) -> Result<(), MapError> {
        /// `BPF_EXIST`, of the kernel's flags of an update.
        const ONLY_EXISTING: u64 = 2;
        let mut found = Vec::new();
        records_in_lru_map(SUBSCRIBERS_LRU, &self.lru, |prefix, record| {
            let erasure = decide(self.net_v6(prefix), &record);
            if erasure != Erasure::Nothing {
                found.push((prefix, record, erasure));
            }
        })?;
        let failed = MapError::write::<aya::maps::MapError>(SUBSCRIBERS_LRU);
        let mut map = HashMap::<&mut MapData, u64, Subscriber>::try_from(&mut self.lru).map_err(&failed)?;
        for (prefix, seen, erasure) in found {
            let mut now = match map.get(&prefix, 0) {
                Ok(now) => now,
                // It was evicted meanwhile.
                Err(aya::maps::MapError::KeyNotFound) => continue,
                Err(error) => return Err(failed(error)),
            };
            let written = if erasure == Erasure::Monitored {
                erased.monitored += 1;
                (now.cold.monitored_syns, now.cold.monitored_others) = (0, 0);
                map.insert(prefix, now, ONLY_EXISTING)
            } else if now.hot.last_seen == seen.hot.last_seen {
                erased.whole += 1;
                map.remove(&prefix)
            } else {
                // It is active again.
                continue;
            };
            match written {
                Err(aya::maps::MapError::SyscallError(error))
                    if error.io_error.raw_os_error() == Some(libc::ENOENT) => {}
                outcome => outcome.map_err(&failed)?,
            }
        }
        Ok(())
    }
}

/// Erases records of subscribers, given by their places in the window.
fn erase_in(
    window: &Window,
    subscriber: impl Fn(u64) -> IpNet,
    decide: &impl Fn(IpNet, &Subscriber) -> Erasure,
    erased: &mut Erased,
) {
    let mut whole = Vec::new();
    for (place, record) in (0..).zip(window.records()) {
        let seen = record.copy();
        if seen.cold.first_seen == 0 || seen.hot.last_seen == 0 {
            continue;
        }
        match decide(subscriber(place), &seen) {
            Erasure::Nothing => {}
            Erasure::Monitored => {
                // Nothing is monitored any more, so nothing adds to these.
                record.cold.monitored_syns.store(0, Relaxed);
                record.cold.monitored_others.store(0, Relaxed);
                erased.monitored += 1;
            }
            Erasure::Whole => whole.push((record, seen)),
        }
    }
    if whole.is_empty() {
        return;
    }
    // A program that had counted before the record was copied has now also written the time of its packet.
    wait_for_running_programs();
    whole.retain(|(record, seen)| erase_if_unchanged(*record, seen));
    wait_for_running_programs();
    for (record, _) in &whole {
        settle(*record);
    }
    erased.whole += whole.len() as u64;
}

/// Takes what a record had from it, so that what the program counts meanwhile stays. Returns whether it was still as it was seen.
fn erase_if_unchanged(record: SharedRecord<'_>, seen: &Subscriber) -> bool {
    let is_unchanged = record.hot.last_seen.load(Relaxed) == seen.hot.last_seen;
    if is_unchanged {
        for step in STEPS {
            step(record, seen);
        }
    }
    is_unchanged
}

/// The steps of erasing a record, between any two of which the program may count a packet.
const STEPS: [fn(SharedRecord<'_>, &Subscriber); 4] = [
    |record, seen| {
        let begin = &record.cold.first_seen;
        // The error means that the record has begun anew.
        let _ = begin.compare_exchange(seen.cold.first_seen, 0, Relaxed, Relaxed);
    },
    |record, seen| {
        let counted = [
            seen.hot.blocked_syns,
            seen.cold.blocked_others,
            seen.cold.monitored_syns,
            seen.cold.monitored_others,
        ];
        for (counter, count) in record.counters().into_iter().zip(counted) {
            counter.fetch_sub(count, Relaxed);
        }
        if let Some(hidden) = record.hidden {
            hidden.fetch_sub(seen.hidden, Relaxed);
        }
    },
    |record, seen| {
        record.hot.destinations.fetch_and(!seen.hot.destinations, Relaxed);
    },
    |record, seen| {
        let last = &record.hot.last_seen;
        // The error means that the program has written a later time.
        let _ = last.compare_exchange(seen.hot.last_seen, 0, Relaxed, Relaxed);
    },
];

/// Gives a record a beginning in which the program counted while it was erased. No program that began before that runs any more.
fn settle(record: SharedRecord<'_>) {
    record.cold.begin_at(record.hot.last_seen.load(Relaxed));
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{Cold, Hot};

    use super::{super::shared_record::OwnRecord, *};

    /// A record of long ago.
    fn old() -> OwnRecord {
        Subscriber {
            hot: Hot {
                destinations: 0b1010,
                blocked_syns: 7,
                last_seen: 900,
            },
            cold: Cold {
                first_seen: 100,
                monitored_others: 3,
                ..Cold::default()
            },
            hidden: 2,
            unused: 0,
        }
        .into()
    }

    impl OwnRecord {
        /// Counts a blocked SYN to another destination as the program does.
        fn count_packet(&self, now: u32) {
            self.hot.blocked_syns.fetch_add(1, Relaxed);
            if self.hot.last_seen.load(Relaxed) != now {
                if self.cold.first_seen.load(Relaxed) == 0 {
                    self.cold.first_seen.store(now, Relaxed);
                }
                self.hot.last_seen.store(now, Relaxed);
            }
            self.hot.destinations.fetch_or(1, Relaxed);
        }
    }

    #[test]
    fn a_record_without_a_new_packet_is_gone_completely() {
        let fixture = old();
        let seen = fixture.shared().copy();
        assert!(erase_if_unchanged(fixture.shared(), &seen));
        settle(fixture.shared());
        let empty = fixture.shared().copy();
        assert_eq!((empty.hot.last_seen, empty.cold.first_seen), (0, 0));
        assert_eq!(
            (empty.hot.blocked_syns, empty.cold.monitored_others, empty.hidden),
            (0, 0, 0)
        );
        assert_eq!(empty.hot.destinations, 0);
    }

    #[test]
    fn a_packet_at_any_moment_begins_a_record_that_has_it_and_nothing_else() {
        for moment in 0..=STEPS.len() {
            let fixture = old();
            let seen = fixture.shared().copy();
            for (number, step) in STEPS.into_iter().enumerate() {
                if number == moment {
                    fixture.count_packet(5000);
                }
                step(fixture.shared(), &seen);
            }
            if moment == STEPS.len() {
                fixture.count_packet(5000);
            }
            settle(fixture.shared());
            let record = fixture.shared().copy();
            assert_eq!(record.hot.blocked_syns, 1, "{moment}");
            assert_eq!(record.hot.destinations, 1, "{moment}");
            assert_eq!(
                (record.cold.first_seen, record.hot.last_seen),
                (5000, 5000),
                "{moment}"
            );
            assert_eq!((record.cold.monitored_others, record.hidden), (0, 0), "{moment}");
        }
    }

    #[test]
    fn a_record_that_has_counted_since_it_was_seen_stays() {
        let fixture = old();
        let seen = fixture.shared().copy();
        fixture.count_packet(5000);
        assert!(!erase_if_unchanged(fixture.shared(), &seen));
        assert_eq!(fixture.shared().copy().hot.blocked_syns, 8);
    }
}
