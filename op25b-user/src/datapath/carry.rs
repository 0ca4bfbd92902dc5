//! Subscribers' records from the maps of the filters before to the next one's, while the next one already counts.

use std::{
    io,
    mem::offset_of,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};
use op25b_common::values::Subscriber;

use crate::policy::Places;

/// The records of IPv4 addresses in one filter's map.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) map: &'a MapData,
    pub(super) places: &'a Places,
}

/// Moves what was counted of addresses that have a record on both sides; of how many there was one.
///
/// What is counted leaves the old record as it comes into the new one, and of the rest repeating it changes nothing: so
/// who died over this can be followed by someone who does it again. No packet may come to the old map any more.
pub(super) fn move_counts(from: Side<'_>, to: Side<'_>) -> io::Result<u64> {
    let mut moved = 0;
    each(from, to, |old, new| {
        moved += 1;
        for (old, new) in old.counters().into_iter().zip(new.counters()) {
            add(new, old.swap(0, Relaxed));
        }
        new.destinations.fetch_or(old.destinations.load(Relaxed), Relaxed);
        new.last_seen.fetch_max(old.last_seen.load(Relaxed), Relaxed);
        new.begin_at(old.first_seen.load(Relaxed));
    })?;
    Ok(moved)
}

/// Has the records begin as early as they did before. To be done once more when no processor is in the midst of a packet
/// that it began before [`move_counts`]: the program that found no beginning writes one.
pub(super) fn move_beginnings(from: Side<'_>, to: Side<'_>) -> io::Result<()> {
    each(from, to, |old, new| new.begin_at(old.first_seen.load(Relaxed)))
}

/// A [`Subscriber`] that several processors and this process write.
#[repr(C)]
struct Shared {
    blocked_syns: AtomicU32,
    blocked_others: AtomicU32,
    monitored_syns: AtomicU32,
    monitored_others: AtomicU32,
    first_seen: AtomicU32,
    last_seen: AtomicU32,
    destinations: AtomicU64,
}

const _: () = {
    assert!(
        size_of::<Shared>() == size_of::<Subscriber>() && align_of::<Shared>() == align_of::<Subscriber>()
    );
    assert!(offset_of!(Shared, blocked_syns) == offset_of!(Subscriber, blocked_syns));
    assert!(offset_of!(Shared, blocked_others) == offset_of!(Subscriber, blocked_others));
    assert!(offset_of!(Shared, monitored_syns) == offset_of!(Subscriber, monitored_syns));
    assert!(offset_of!(Shared, monitored_others) == offset_of!(Subscriber, monitored_others));
    assert!(offset_of!(Shared, first_seen) == offset_of!(Subscriber, first_seen));
    assert!(offset_of!(Shared, last_seen) == offset_of!(Subscriber, last_seen));
    assert!(offset_of!(Shared, destinations) == offset_of!(Subscriber, destinations));
};

impl Shared {
    fn counters(&self) -> [&AtomicU32; 4] {
        [
            &self.blocked_syns,
            &self.blocked_others,
            &self.monitored_syns,
            &self.monitored_others,
        ]
    }

    /// 0 is never, as in [`Subscriber::first_seen`].
    fn begin_at(&self, seen: u32) {
        let earlier = |found: u32| (seen != 0 && (found == 0 || seen < found)).then_some(seen);
        // Nothing to be done is no error.
        let _ = self.first_seen.fetch_update(Relaxed, Relaxed, earlier);
    }
}

/// Adds to a counter, which stops where the program's additions make it stop.
fn add(counter: &AtomicU32, count: u32) {
    let sum = |found: u32| {
        // What several processors have added beyond it stays.
        let most = Subscriber::MOST.max(found);
        (count != 0).then(|| found.saturating_add(count).min(most))
    };
    // Nothing to be added is no error.
    let _ = counter.fetch_update(Relaxed, Relaxed, sum);
}

/// Goes through the records that hold something on the old side and have a place on the new one.
fn each(from: Side<'_>, to: Side<'_>, mut visit: impl FnMut(&Shared, &Shared)) -> io::Result<()> {
    /// How many are mapped at once, which is 16 MiB of either map: what is mapped counts as this process's memory.
    const WINDOW: u32 = 1 << 19;
    for (mut old, mut new, mut count) in from.places.in_common(to.places) {
        while count > 0 {
            let length = count.min(WINDOW);
            let (olds, news) = (
                Window::new(from.map, old, length)?,
                Window::new(to.map, new, length)?,
            );
            for (old, new) in olds.records().iter().zip(news.records()) {
                if old.first_seen.load(Relaxed) != 0 {
                    visit(old, new);
                }
            }
            (old, new, count) = (old + length, new + length, count - length);
        }
    }
    Ok(())
}

/// Some records of a map as memory.
struct Window(MmapRaw);

impl Window {
    fn new(map: &MapData, first: u32, count: u32) -> io::Result<Self> {
        let size = size_of::<Shared>();
        MmapOptions::new()
            .offset(u64::from(first) * size as u64)
            .len(count as usize * size)
            .map_raw(&map.fd().as_fd())
            .map(Self)
    }

    fn records(&self) -> &[Shared] {
        let count = self.0.len() / size_of::<Shared>();
        // SAFETY: an array map's values begin at a page and follow one another, so that this one is aligned as records are;
        // any bytes are a record of atomics, and nobody in this process has other references to them.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Shared {
        Shared {
            blocked_syns: AtomicU32::new(0),
            blocked_others: AtomicU32::new(0),
            monitored_syns: AtomicU32::new(0),
            monitored_others: AtomicU32::new(0),
            first_seen: AtomicU32::new(0),
            last_seen: AtomicU32::new(0),
            destinations: AtomicU64::new(0),
        }
    }

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

    #[test]
    fn a_record_begins_at_the_earlier_time_and_never_is_no_time() {
        for (found, seen, begins) in [(0, 0, 0), (0, 9, 9), (9, 0, 9), (9, 8, 8), (8, 9, 8)] {
            let record = record();
            record.first_seen.store(found, Relaxed);
            record.begin_at(seen);
            assert_eq!(record.first_seen.into_inner(), begins, "{found}, {seen}");
        }
    }
}
