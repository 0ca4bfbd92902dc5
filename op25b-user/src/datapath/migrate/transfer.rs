//! Subscribers' records from the maps of the filters before to the next one's, while the next one already counts.

use std::{
    io,
    mem::offset_of,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};
use op25b_common::{
    names::SUBSCRIBERS_V4,
    values::{Cold, Hot, Subscriber, SubscriberBlock},
};

use crate::{datapath::sys::map::MapError, policy::RecordIndex};

/// The records of IPv4 addresses in one filter's map.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) map: &'a MapData,
    pub(crate) record_index: &'a RecordIndex,
}

/// Moves what was counted of addresses that have a record on both sides; of how many there was one.
///
/// What is counted leaves the old record as it comes into the new one, and of the rest repeating it changes nothing: so
/// who died over this can be followed by someone who does it again, and one number of one record is lost at most. No packet
/// may come to the old map any more.
pub(crate) fn move_counts(from: Side<'_>, to: Side<'_>) -> Result<u64, MapError> {
    let mut moved = 0;
    each(from, to, |old, new| {
        moved += 1;
        // First, since what has no beginning is no record: not to who does this again.
        new.cold.begin_at(old.cold.first_seen.load(Relaxed));
        for (old, new) in old.counters().into_iter().zip(new.counters()) {
            add(new, old.swap(0, Relaxed));
        }
        new.hot
            .destinations
            .fetch_or(old.hot.destinations.load(Relaxed), Relaxed);
        new.hot
            .last_seen
            .fetch_max(old.hot.last_seen.load(Relaxed), Relaxed);
        new.cold.begin_at(old.cold.first_seen.load(Relaxed));
    })?;
    Ok(moved)
}

/// Has the records begin as early as they did before. To be done once more when no processor is in the midst of a packet
/// that it began before [`move_counts`]: the program that found no beginning writes one.
pub(crate) fn move_beginnings(from: Side<'_>, to: Side<'_>) -> Result<(), MapError> {
    each(from, to, |old, new| {
        new.cold.begin_at(old.cold.first_seen.load(Relaxed));
    })
}

/// A [`Subscriber`] that several processors and this process write.
#[derive(Clone, Copy)]
struct Shared<'a> {
    hot: &'a SharedHot,
    cold: &'a SharedCold,
}

/// Its [`Hot`] half.
#[repr(C)]
#[derive(Default)]
struct SharedHot {
    destinations: AtomicU64,
    blocked_syns: AtomicU32,
    last_seen: AtomicU32,
}

/// Its [`Cold`] half.
#[repr(C)]
#[derive(Default)]
struct SharedCold {
    first_seen: AtomicU32,
    blocked_others: AtomicU32,
    monitored_syns: AtomicU32,
    monitored_others: AtomicU32,
}

/// A [`SubscriberBlock`] of them.
#[repr(C)]
struct SharedBlock {
    hot: [SharedHot; SubscriberBlock::RECORDS],
    cold: [SharedCold; SubscriberBlock::RECORDS],
}

const _: () = {
    assert!(size_of::<SharedHot>() == size_of::<Hot>() && align_of::<SharedHot>() == align_of::<Hot>());
    assert!(offset_of!(SharedHot, destinations) == offset_of!(Hot, destinations));
    assert!(offset_of!(SharedHot, blocked_syns) == offset_of!(Hot, blocked_syns));
    assert!(offset_of!(SharedHot, last_seen) == offset_of!(Hot, last_seen));
    assert!(size_of::<SharedCold>() == size_of::<Cold>() && align_of::<SharedCold>() == align_of::<Cold>());
    assert!(offset_of!(SharedCold, first_seen) == offset_of!(Cold, first_seen));
    assert!(offset_of!(SharedCold, blocked_others) == offset_of!(Cold, blocked_others));
    assert!(offset_of!(SharedCold, monitored_syns) == offset_of!(Cold, monitored_syns));
    assert!(offset_of!(SharedCold, monitored_others) == offset_of!(Cold, monitored_others));
    assert!(size_of::<SharedBlock>() == size_of::<SubscriberBlock>());
    assert!(offset_of!(SharedBlock, cold) == offset_of!(SubscriberBlock, cold));
};

impl<'a> Shared<'a> {
    fn counters(self) -> [&'a AtomicU32; 4] {
        [
            &self.hot.blocked_syns,
            &self.cold.blocked_others,
            &self.cold.monitored_syns,
            &self.cold.monitored_others,
        ]
    }
}

impl SharedCold {
    /// 0 is never, as in [`Cold::first_seen`].
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
fn each(from: Side<'_>, to: Side<'_>, mut visit: impl FnMut(Shared<'_>, Shared<'_>)) -> Result<(), MapError> {
    /// How many are mapped at once, which is 16 MiB of either map: what is mapped counts as this process's memory.
    const WINDOW: u32 = 1 << 19;
    for (mut old, mut new, mut count) in from.record_index.in_common(to.record_index) {
        while count > 0 {
            let length = count.min(WINDOW);
            let open = |map, first| Window::new(map, first, length).map_err(MapError::write(SUBSCRIBERS_V4));
            let (olds, news) = (open(from.map, old)?, open(to.map, new)?);
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

/// Some records of a map as memory: the blocks that hold them.
struct Window {
    mapping: MmapRaw,
    /// The first record, in the first block, and how many there are.
    first: usize,
    count: usize,
}

impl Window {
    fn new(map: &MapData, first: u32, count: u32) -> io::Result<Self> {
        const RECORDS: usize = SubscriberBlock::RECORDS;
        let (first, count) = (first as usize, count as usize);
        let blocks = first / RECORDS..(first + count).div_ceil(RECORDS);
        let mapping = MmapOptions::new()
            .offset((blocks.start * size_of::<SharedBlock>()) as u64)
            .len(blocks.len() * size_of::<SharedBlock>())
            .map_raw(&map.fd().as_fd())?;
        Ok(Self {
            mapping,
            first: first % RECORDS,
            count,
        })
    }

    fn records(&self) -> impl Iterator<Item = Shared<'_>> {
        let count = self.mapping.len() / size_of::<SharedBlock>();
        // SAFETY: an array map's values begin at a page and follow one another, so that this one is aligned as blocks are;
        // any bytes are a block of atomics, and nobody in this process has other references to them.
        let blocks: &[SharedBlock] =
            unsafe { std::slice::from_raw_parts(self.mapping.as_ptr().cast(), count) };
        let records = blocks.iter().flat_map(|block| block.hot.iter().zip(&block.cold));
        let shared = records.map(|(hot, cold)| Shared { hot, cold });
        shared.skip(self.first).take(self.count)
    }
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

    #[test]
    fn a_record_begins_at_the_earlier_time_and_never_is_no_time() {
        for (found, seen, begins) in [(0, 0, 0), (0, 9, 9), (9, 0, 9), (9, 8, 8), (8, 9, 8)] {
            let record = SharedCold::default();
            record.first_seen.store(found, Relaxed);
            record.begin_at(seen);
            assert_eq!(record.first_seen.into_inner(), begins, "{found}, {seen}");
        }
    }
}
