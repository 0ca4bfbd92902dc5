//! Moves the IPv4 records of one filter's map into another's, while the program of the other already counts.

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
    values::{Cold, Hot, Subscriber},
};

use crate::{
    datapath::{stats::BlockLayout, sys::map::MapError},
    policy::RecordIndex,
};

/// The records of IPv4 addresses in one filter's map.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) map: &'a MapData,
    pub(crate) record_index: &'a RecordIndex,
    pub(crate) blocks: BlockLayout,
}

/// Moves the counters of addresses that have a record on both sides. Returns how many there are.
///
/// A counter is set to zero in the old record as it is added to the new one, and moving the rest twice changes nothing: if a
/// process ends during this, the next one can repeat it, and at most one counter of one record is lost. No program may
/// write to the old map any more.
pub(crate) fn move_counts(from: Side<'_>, to: Side<'_>) -> Result<u64, MapError> {
    let mut moved = 0;
    each(from, to, |old, new| {
        moved += 1;
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
    })?;
    Ok(moved)
}

/// Sets the beginning of each record back to the earlier one. This is repeated once no program run is left that began before
/// [`move_counts`]: a program that finds no beginning writes one.
pub(crate) fn move_beginnings(from: Side<'_>, to: Side<'_>) -> Result<(), MapError> {
    each(from, to, |old, new| {
        new.cold.begin_at(old.cold.first_seen.load(Relaxed));
    })
}

/// A [`Subscriber`] that processors and this process write at the same time.
#[derive(Clone, Copy)]
struct Shared<'a> {
    hot: &'a SharedHot,
    cold: &'a SharedCold,
    /// Not in the records of earlier versions.
    hidden: Option<&'a AtomicU32>,
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
    /// Sets the beginning to `seen` if that is earlier; 0 means never, as in [`Cold::first_seen`].
    fn begin_at(&self, seen: u32) {
        let earlier = |found: u32| (seen != 0 && (found == 0 || seen < found)).then_some(seen);
        // The error means that there was nothing to change.
        let _ = self.first_seen.fetch_update(Relaxed, Relaxed, earlier);
    }
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

/// Visits the addresses that have a record on the old side and a place on the new one.
fn each(from: Side<'_>, to: Side<'_>, mut visit: impl FnMut(Shared<'_>, Shared<'_>)) -> Result<(), MapError> {
    /// How many are mapped at once, which is 18 MiB of either map: mapped pages count as memory of this process.
    const WINDOW: u32 = 1 << 19;
    for (mut old, mut new, mut count) in from.record_index.in_common(to.record_index) {
        while count > 0 {
            let length = count.min(WINDOW);
            let open =
                |side, first| Window::new(side, first, length).map_err(MapError::write(SUBSCRIBERS_V4));
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

/// Some records of a map mapped into memory: the blocks that hold them.
struct Window {
    mapping: MmapRaw,
    blocks: BlockLayout,
    /// The first record, in the first block, and how many there are.
    first: usize,
    count: usize,
}

impl Window {
    fn new(side: Side<'_>, first: u32, count: u32) -> io::Result<Self> {
        let BlockLayout { records, bytes, .. } = side.blocks;
        let (first, count) = (first as usize, count as usize);
        let blocks = first / records..(first + count).div_ceil(records);
        let mapping = MmapOptions::new()
            .offset((blocks.start * bytes) as u64)
            .len(blocks.len() * bytes)
            .map_raw(&side.map.fd().as_fd())?;
        Ok(Self {
            mapping,
            blocks: side.blocks,
            first: first % records,
            count,
        })
    }

    #[expect(
        clippy::cast_ptr_alignment,
        reason = "blocks begin at pages, and their parts where layouts have them"
    )]
    fn records(&self) -> impl Iterator<Item = Shared<'_>> {
        let BlockLayout {
            records,
            bytes,
            cold,
            hidden,
        } = self.blocks;
        (self.first..self.first + self.count).map(move |record| {
            let (block, place) = (record / records * bytes, record % records);
            // SAFETY: within the blocks that are mapped, whose parts are at these offsets. An array map's values begin at a
            // page and follow one another, so that all are aligned; any bytes are atomics, and this process has no other
            // references to them.
            unsafe {
                let block = self.mapping.as_ptr().add(block);
                Shared {
                    hot: &*block.cast::<SharedHot>().add(place),
                    cold: &*block.add(cold).cast::<SharedCold>().add(place),
                    hidden: hidden.map(|hidden| &*block.add(hidden).cast::<AtomicU32>().add(place)),
                }
            }
        })
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
