//! The records of the array mapped into memory, which processors and this process write at the same time.

use std::{
    io,
    mem::offset_of,
    os::fd::AsFd as _,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

use aya::maps::MapData;
use memmap2::{MmapOptions, MmapRaw};
use op25b_common::values::{Cold, Hot, Subscriber};

use super::{record_layout::RecordLayout, record_shape::BlockLayout};
use crate::policy::RecordIndex;

/// The records of one family's subscribers in one filter's array.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) map: &'a MapData,
    pub(crate) record_index: &'a RecordIndex,
    pub(crate) blocks: BlockLayout,
}

impl<'a> Side<'a> {
    /// The records of one of a layout's indexes.
    pub(crate) fn new(map: &'a MapData, layout: &RecordLayout, record_index: &'a RecordIndex) -> Self {
        Self {
            map,
            record_index,
            blocks: layout.blocks(),
        }
    }
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
    /// What it has now.
    pub(crate) fn copy(self) -> Subscriber {
        let (hot, cold) = (self.hot, self.cold);
        Subscriber {
            hot: Hot {
                destinations: hot.destinations.load(Relaxed),
                blocked_syns: hot.blocked_syns.load(Relaxed),
                last_seen: hot.last_seen.load(Relaxed),
            },
            cold: Cold {
                first_seen: cold.first_seen.load(Relaxed),
                blocked_others: cold.blocked_others.load(Relaxed),
                monitored_syns: cold.monitored_syns.load(Relaxed),
                monitored_others: cold.monitored_others.load(Relaxed),
            },
            hidden: self.hidden.map_or(0, |hidden| hidden.load(Relaxed)),
            unused: 0,
        }
    }

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

/// A record of this process alone, to be used as one that is shared.
#[derive(Default)]
pub(crate) struct OwnRecord {
    pub(super) hot: SharedHot,
    pub(super) cold: SharedCold,
    pub(super) hidden: AtomicU32,
}

impl OwnRecord {
    pub(crate) fn shared(&self) -> SharedRecord<'_> {
        SharedRecord {
            hot: &self.hot,
            cold: &self.cold,
            hidden: Some(&self.hidden),
        }
    }
}

impl From<Subscriber> for OwnRecord {
    fn from(
        Subscriber {
            hot, cold, hidden, ..
        }: Subscriber,
    ) -> Self {
        Self {
            hot: SharedHot {
                destinations: hot.destinations.into(),
                blocked_syns: hot.blocked_syns.into(),
                last_seen: hot.last_seen.into(),
            },
            cold: SharedCold {
                first_seen: cold.first_seen.into(),
                blocked_others: cold.blocked_others.into(),
                monitored_syns: cold.monitored_syns.into(),
                monitored_others: cold.monitored_others.into(),
            },
            hidden: hidden.into(),
        }
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

    pub(crate) fn records(&self) -> impl Iterator<Item = SharedRecord<'_>> {
        (0..self.count).filter_map(|number| self.record(number))
    }

    /// The record after so many from the first one on, if it is one of these.
    #[expect(
        clippy::cast_ptr_alignment,
        reason = "blocks begin at pages, and their parts where layouts have them"
    )]
    pub(crate) fn record(&self, number: usize) -> Option<SharedRecord<'_>> {
        let BlockLayout {
            records,
            bytes,
            cold,
            hidden,
        } = self.blocks;
        let record = self.first + (number < self.count).then_some(number)?;
        let (block, place) = (record / records * bytes, record % records);
        // SAFETY: within the blocks that are mapped, whose parts are at these offsets. An array map's values begin at a
        // page and follow one another, so that all are aligned; any bytes are atomics, and this process has no other
        // references to them.
        unsafe {
            let block = self.mapping.as_ptr().add(block);
            Some(SharedRecord {
                hot: &*block.cast::<SharedHot>().add(place),
                cold: &*block.add(cold).cast::<SharedCold>().add(place),
                hidden: hidden.map(|hidden| &*block.add(hidden).cast::<AtomicU32>().add(place)),
            })
        }
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
