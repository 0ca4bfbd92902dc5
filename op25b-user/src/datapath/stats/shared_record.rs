//! The records of IPv4 subscribers mapped into memory, which processors and this process write at the same time.

use std::{
    io,
    mem::offset_of,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};
use op25b_common::values::{Cold, Hot};

use super::record_layout::BlockLayout;
use crate::policy::RecordIndex;

/// The records of IPv4 addresses in one filter's map.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) map: &'a MapData,
    pub(crate) record_index: &'a RecordIndex,
    pub(crate) blocks: BlockLayout,
}

/// A [`op25b_common::values::Subscriber`] that processors and this process write at the same time.
#[derive(Clone, Copy)]
pub(crate) struct SharedRecord<'a> {
    pub(crate) hot: &'a SharedHot,
    pub(crate) cold: &'a SharedCold,
    /// Not in the records of earlier versions.
    pub(crate) hidden: Option<&'a AtomicU32>,
}

/// Its [`Hot`] half.
#[repr(C)]
#[derive(Default)]
pub(crate) struct SharedHot {
    pub(crate) destinations: AtomicU64,
    pub(crate) blocked_syns: AtomicU32,
    pub(crate) last_seen: AtomicU32,
}

/// Its [`Cold`] half.
#[repr(C)]
#[derive(Default)]
pub(crate) struct SharedCold {
    pub(crate) first_seen: AtomicU32,
    pub(crate) blocked_others: AtomicU32,
    pub(crate) monitored_syns: AtomicU32,
    pub(crate) monitored_others: AtomicU32,
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

impl<'a> SharedRecord<'a> {
    /// Its counters, without that of packets that hide their ports.
    pub(crate) fn counters(self) -> [&'a AtomicU32; 4] {
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
    pub(crate) fn begin_at(&self, seen: u32) {
        let earlier = |found: u32| (seen != 0 && (found == 0 || seen < found)).then_some(seen);
        // The error means that there was nothing to change.
        let _ = self.first_seen.fetch_update(Relaxed, Relaxed, earlier);
    }
}

/// Some records of a map mapped into memory: the blocks that hold them.
pub(crate) struct Window {
    mapping: MmapRaw,
    blocks: BlockLayout,
    /// The first record, in the first block, and how many there are.
    first: usize,
    count: usize,
}

impl Window {
    pub(crate) fn new(side: Side<'_>, first: u32, count: u32) -> io::Result<Self> {
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
    pub(crate) fn records(&self) -> impl Iterator<Item = SharedRecord<'_>> {
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
                SharedRecord {
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
    fn a_record_begins_at_the_earlier_time_and_never_is_no_time() {
        for (found, seen, begins) in [(0, 0, 0), (0, 9, 9), (9, 0, 9), (9, 8, 8), (8, 9, 8)] {
            let record = SharedCold::default();
            record.first_seen.store(found, Relaxed);
            record.begin_at(seen);
            assert_eq!(record.first_seen.into_inner(), begins, "{found}, {seen}");
        }
    }
}
