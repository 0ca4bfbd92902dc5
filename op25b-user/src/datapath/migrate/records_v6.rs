//! Moves the records of IPv6 subscribers that have another place than before: out of an LRU map, or from an array into one.

use std::sync::atomic::Ordering::Relaxed;

use aya::{
    Pod,
    maps::{HashMap, Map, MapData},
};
use op25b_common::{
    names::{SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::Subscriber,
};

use super::{
    lru::{self, has_errno},
    transfer::{self, WINDOW},
};
use crate::datapath::{
    object::{Filter, LoadError},
    stats::{PlaceV6, RecordLayout, Side, Window, records_in_lru_map},
    sys::bpf::map::MapError,
};

/// How many records were moved, and how many were not, as the policy does not remember their addresses any more.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    pub(crate) moved: u64,
    pub(crate) discarded: u64,
}

/// Where a filter's IPv6 subscribers have their records.
pub(crate) struct Places<'a>(&'a Filter);

impl<'a> Places<'a> {
    pub(crate) fn of(filter: &'a Filter) -> Self {
        Self(filter)
    }

    /// Moves the records in an LRU map of this name to where they are now; if it is the filter's own one, as far as they are elsewhere.
    /// No other program may write to it any more, nor the filter's to those records.
    pub(crate) fn take_out_of<R: Pod + Into<Subscriber> + Send + Sync>(
        &self,
        name: &'static str,
        map: &mut Map,
        is_own: bool,
    ) -> Result<Moved, LoadError> {
        let mut moved = Moved::default();
        let (mut for_lru, mut for_array, mut discarded) = (Vec::new(), Vec::new(), Vec::new());
        records_in_lru_map(name, map, |prefix, record: R| {
            match self.0.records.place_v6(prefix) {
                Some(PlaceV6::Lru) if is_own => {}
                Some(PlaceV6::Lru) => for_lru.push((prefix, record.into(), ())),
                Some(PlaceV6::Array(index)) => for_array.push((index, record.into(), prefix)),
                None => discarded.push(prefix),
            }
        })?;
        moved.moved = (for_lru.len() + for_array.len()) as u64;
        let failed = MapError::write::<aya::maps::MapError>(name);
        let mut map = HashMap::<&mut MapData, u64, R>::try_from(map).map_err(&failed)?;
        let mut remove = |prefix: u64| match map.remove(&prefix) {
            // It was evicted meanwhile.
            Err(error) if has_errno(&error, libc::ENOENT) => Ok(false),
            removed => removed.map(|()| true),
        };
        if !for_array.is_empty() {
            transfer::add_records(self.array()?, for_array, |prefix| {
                remove(*prefix).map(drop).map_err(&failed)
            })?;
        }
        if !for_lru.is_empty() {
            lru::write(self.0.shared_map(SUBSCRIBERS_LRU)?, for_lru, |prefix, ()| {
                remove(prefix).map(drop)
            })?;
        }
        for prefix in discarded {
            moved.discarded += u64::from(remove(prefix).map_err(&failed)?);
        }
        Ok(moved)
    }

    /// Moves the records in an array to the LRU map that are not in the array any more. No program may write to it any more.
    pub(crate) fn take_from_array(&self, map: &MapData, before: &RecordLayout) -> Result<Moved, LoadError> {
        let mut all = Moved::default();
        let now = &self.0.records;
        if now.ipv6_index.covers(&before.ipv6_index) {
            return Ok(all);
        }
        let side = Side::new(map, before, &before.ipv6_index);
        for (first, last, record) in &before.ipv6_index.ranges {
            let (mut number, mut record, mut left) = (*first, *record, last - first + 1);
            while left > 0 {
                let count = u32::try_from(left).unwrap_or(u32::MAX).min(WINDOW);
                let window =
                    Window::new(side, record, count).map_err(MapError::write(before.array_name()))?;
                let mut for_lru = Vec::new();
                for (number, old) in (number..).zip(window.records()) {
                    if old.cold.first_seen.load(Relaxed) == 0 {
                        continue;
                    }
                    let prefix = now.prefix_v6(number);
                    match now.place_v6(prefix) {
                        // It was moved with the array.
                        Some(PlaceV6::Array(_)) => {}
                        Some(PlaceV6::Lru) => for_lru.push((prefix, old.copy(), old)),
                        None => all.discarded += 1,
                    }
                }
                if !for_lru.is_empty() {
                    all.moved += for_lru.len() as u64;
                    lru::write(self.0.shared_map(SUBSCRIBERS_LRU)?, for_lru, |_, old| {
                        old.cold.first_seen.store(0, Relaxed);
                        Ok(())
                    })?;
                }
                (number, record) = (number.wrapping_add(count.into()), record + count);
                left -= u64::from(count);
            }
        }
        Ok(all)
    }

    fn array(&self) -> Result<Side<'a>, LoadError> {
        let Self(Filter { records, .. }) = self;
        Ok(Side::new(
            self.0.map_data(SUBSCRIBERS)?,
            records,
            &records.ipv6_index,
        ))
    }
}
