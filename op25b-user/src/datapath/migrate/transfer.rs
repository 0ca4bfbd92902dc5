//! Moves records into the array of a filter whose program already counts there.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use op25b_common::{names::SUBSCRIBERS, values::Subscriber};

use crate::datapath::{
    stats::{OwnRecord, SharedRecord, Side, Window},
    sys::bpf::{map::MapError, membarrier::wait_for_running_programs},
};

/// Moves the counters of subscribers that have a record on both sides. Returns how many there are.
///
/// A counter is set to zero in the old record as it is added to the new one, and moving the rest twice changes nothing: if a
/// process ends during this, the next one can repeat it, and at most one counter of one record is lost. No program may
/// write to the old map any more.
pub(crate) fn move_counts(from: Side<'_>, to: Side<'_>) -> Result<u64, MapError> {
    let mut moved = 0;
    each(from, to, |old, new| {
        moved += 1;
        move_record(old, new);
    })?;
    Ok(moved)
}

/// Moves what one record has into another one, in which the program counts.
pub(super) fn move_record(old: SharedRecord<'_>, new: SharedRecord<'_>) {
    // First: a record without a beginning would be skipped if this is repeated.
    new.cold.begin_at(old.cold.first_seen.load(Relaxed));
    for (old, new) in old.counters().into_iter().zip(new.counters()) {
        add(new, old.swap(0, Relaxed));
    }
    if let (Some(old), Some(new)) = (old.hidden, new.hidden) {
        add(new, old.swap(0, Relaxed));
    }
    new.hot
        .destinations
        .fetch_or(old.hot.destinations.load(Relaxed), Relaxed);
    new.hot
        .last_seen
        .fetch_max(old.hot.last_seen.load(Relaxed), Relaxed);
    new.cold.begin_at(old.cold.first_seen.load(Relaxed));
}

/// Adds records to those with these indexes, in which the program may count. `remove` is called with where one is from once it is
/// added: if a process ends during this, the next one can repeat it, and at most one record is counted twice.
pub(super) fn add_records<T>(
    to: Side<'_>,
    mut records: Vec<(u32, Subscriber, T)>,
    mut remove: impl FnMut(&T) -> Result<(), MapError>,
) -> Result<(), MapError> {
    records.sort_unstable_by_key(|(index, ..)| *index);
    at_indexes(to, &records, |record, new, from| {
        move_record(OwnRecord::from(record).shared(), new);
        remove(from)
    })?;
    // As after `move_counts`.
    wait_for_running_programs();
    at_indexes(to, &records, |record, new, _| {
        new.cold.begin_at(record.cold.first_seen);
        Ok(())
    })
}

/// Visits what is at these indexes, which are in ascending order.
fn at_indexes<T>(
    to: Side<'_>,
    mut records: &[(u32, Subscriber, T)],
    mut visit: impl FnMut(Subscriber, SharedRecord<'_>, &T) -> Result<(), MapError>,
) -> Result<(), MapError> {
    while let Some((first, ..)) = records.first() {
        let here = records.partition_point(|(index, ..)| index - first < WINDOW);
        let (these, others) = records.split_at(here);
        let count = these.last().map_or(0, |(last, ..)| last - first + 1);
        let window = Window::new(to, *first, count).map_err(MapError::write(SUBSCRIBERS))?;
        for (index, record, from) in these {
            if let Some(new) = window.record((index - first) as usize) {
                visit(*record, new, from)?;
            }
        }
        records = others;
    }
    Ok(())
}

/// Sets the beginning of each record back to the earlier one. This is repeated once no program run is left that began before
/// [`move_counts`]: a program that finds no beginning writes one.
pub(crate) fn move_beginnings(from: Side<'_>, to: Side<'_>) -> Result<(), MapError> {
    each(from, to, |old, new| {
        new.cold.begin_at(old.cold.first_seen.load(Relaxed));
    })
}

/// Adds to a counter, which saturates where it does in the program.
fn add(counter: &AtomicU32, count: u32) {
    let sum = |found: u32| {
        // Several processors may have counted beyond it: that stays.
        let most = Subscriber::MOST.max(found);
        (count != 0).then(|| found.saturating_add(count).min(most))
    };
    // The error means that there was nothing to add.
    let _ = counter.fetch_update(Relaxed, Relaxed, sum);
}

/// How many records are mapped at once, which is 18 MiB: mapped pages count as memory of this process.
pub(super) const WINDOW: u32 = 1 << 19;

/// Visits the subscribers that have a record on the old side and a place on the new one.
fn each(
    from: Side<'_>,
    to: Side<'_>,
    mut visit: impl FnMut(SharedRecord<'_>, SharedRecord<'_>),
) -> Result<(), MapError> {
    for (mut old, mut new, mut count) in from.record_index.in_common(to.record_index) {
        while count > 0 {
            let length = count.min(WINDOW);
            let open = |side, first| Window::new(side, first, length).map_err(MapError::write(SUBSCRIBERS));
            let (olds, news) = (open(from, old)?, open(to, new)?);
            for (old, new) in olds.records().zip(news.records()) {
                if old.cold.first_seen.load(Relaxed) != 0 {
                    visit(old, new);
                }
            }
            (old, new, count) = (old + length, new + length, count - length);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stop_where_the_programs_stop_and_never_go_back() {
        for (found, count, sum) in [
            (0, 0, 0),
            (5, 7, 12),
            (Subscriber::MOST - 1, 7, Subscriber::MOST),
            (7, u32::MAX, Subscriber::MOST),
            (Subscriber::MOST + 3, 7, Subscriber::MOST + 3),
        ] {
            let counter = AtomicU32::new(found);
            add(&counter, count);
            assert_eq!(counter.into_inner(), sum, "{found} + {count}");
        }
    }
}
