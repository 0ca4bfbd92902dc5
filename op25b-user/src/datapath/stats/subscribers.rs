//! The records of single subscribers, read from the program's maps.

use std::io;

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, PerCpuArray, PerCpuValues},
};
use ipnet::IpNet;
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS},
    values::{Cold, Hot, MISS_SLOTS, Subscriber, SubscriberBlock},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::record_layout::RecordLayout;
use crate::{
    datapath::sys::bpf::{map::MapError, mapping},
    lpm::AddressFamily,
    policy::RecordIndex,
};

/// How often IPv6 packets found no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Misses {
    /// A record was created: as many as that, less those that exist, were evicted for others.
    pub begun: u64,
    /// There was no room for a record: the packet is in none.
    pub lost: u64,
}

/// The subscribers' records of one filter, whichever process loaded it.
#[derive(Debug)]
pub struct SubscriberRecords {
    pub(crate) layout: RecordLayout,
    pub(crate) array: MapData,
    pub(crate) lru: Map,
    pub(crate) misses: Map,
}

impl SubscriberRecords {
    /// How many bits of an IPv6 address identify its subscriber.
    #[must_use]
    pub fn ipv6_prefix(&self) -> u8 {
        self.layout.ipv6_prefix
    }

    /// Visits each address or IPv6 prefix that has a record: those in the array in ascending order, IPv4 first, then those in the LRU map
    /// in none.
    pub fn each(&self, mut visit: impl FnMut(IpNet, Subscriber)) -> Result<(), MapError> {
        self.each_in_array_since(0, &mut visit)?;
        records_in_lru_map(self.layout.lru_name(), &self.lru, |prefix, subscriber| {
            visit(self.net_v6(prefix), subscriber);
        })
    }

    /// Visits the subscribers in the array that had a packet at a time, as [`Hot::last_seen`], or later, in ascending order.
    pub(super) fn each_in_array_since(
        &self,
        since: u32,
        mut visit: impl FnMut(IpNet, Subscriber),
    ) -> Result<(), MapError> {
        for (family, index) in self.layout.indexes() {
            records_in_array(&self.array, index, since, |number, record| {
                visit(self.layout.subscriber(family, number), record);
            })?;
        }
        Ok(())
    }

    /// The IPv6 subscriber with these first 64 bits.
    pub(super) fn net_v6(&self, prefix: u64) -> IpNet {
        self.layout
            .subscriber(AddressFamily::V6, self.layout.number_v6(prefix))
    }

    /// How often IPv6 packets found no record.
    pub fn misses_v6(&self) -> Result<Misses, MapError> {
        misses_v6(&self.misses)
    }
}

/// Visits the subscribers in the array that had a packet at a time, as [`Hot::last_seen`], or later, by their numbers in ascending order.
pub(crate) fn records_in_array(
    map: &MapData,
    record_index: &RecordIndex,
    since: u32,
    mut visit: impl FnMut(u64, Subscriber),
) -> Result<(), MapError> {
    const RECORDS: usize = SubscriberBlock::RECORDS;
    let failed = MapError::read::<io::Error>(SUBSCRIBERS);
    let info = map.info().map_err(MapError::read(SUBSCRIBERS))?;
    let blocks = info.max_entries() as usize;
    for (first, last, record) in &record_index.ranges {
        let begin = *record as usize;
        #[expect(clippy::cast_possible_truncation, reason = "as many as there are records")]
        let end = (begin + (last - first) as usize + 1).min(blocks * RECORDS);
        let mut number = begin / RECORDS;
        // Not all of it at once: mapped pages count as memory of this process.
        while number * RECORDS < end {
            let window = mapping::Window::<SubscriberBlock>::new(map, number, end.div_ceil(RECORDS));
            let window = window.map_err(&failed)?;
            for (number, block) in (number..).zip(window.iter()) {
                let first_here = begin.max(number * RECORDS);
                for index in first_here..end.min((number + 1) * RECORDS) {
                    // SAFETY: in the block, which the window keeps mapped.
                    if let Some(record) = unsafe { record_in(block, index % RECORDS, since) } {
                        visit(first + (index - begin) as u64, record);
                    }
                }
            }
            number = window.end();
        }
    }
    Ok(())
}

/// The record with an index of the array, if its subscriber has one.
pub(super) fn record_in_array(map: &MapData, index: u32) -> Result<Option<Subscriber>, MapError> {
    const RECORDS: usize = SubscriberBlock::RECORDS;
    let index = index as usize;
    let number = index / RECORDS;
    let window = mapping::Window::<SubscriberBlock>::new(map, number, number + 1);
    let window = window.map_err(MapError::read::<io::Error>(SUBSCRIBERS))?;
    // SAFETY: the window keeps the block mapped.
    Ok(window
        .iter()
        .next()
        .and_then(|block| unsafe { record_in(block, index % RECORDS, 0) }))
}

/// One of the records in a block, if it had a packet at a time or later.
///
/// # Safety
///
/// The block can be read, though the program may write to it meanwhile; `place` is less than [`SubscriberBlock::RECORDS`].
unsafe fn record_in(block: *const SubscriberBlock, place: usize, since: u32) -> Option<Subscriber> {
    // SAFETY: within the block. Any bytes are a value, and one that changes meanwhile is torn at worst.
    unsafe {
        let hot = (&raw const (*block).hot).cast::<Hot>().add(place);
        // Only this is read of most records, of which there may be millions.
        let last_seen = (&raw const (*hot).last_seen).read_volatile();
        if last_seen == 0 || last_seen < since {
            return None;
        }
        let cold = (&raw const (*block).cold)
            .cast::<Cold>()
            .add(place)
            .read_volatile();
        let hidden = (&raw const (*block).hidden)
            .cast::<u32>()
            .add(place)
            .read_volatile();
        let record = Subscriber {
            hot: hot.read_volatile(),
            cold,
            hidden,
            unused: 0,
        };
        // Of one that has just begun, there may be one part only.
        (cold.first_seen != 0).then_some(record)
    }
}

/// Visits the IPv6 prefixes that have a record in an LRU map of this name, each as its first 64 bits, in no order.
pub(crate) fn records_in_lru_map<R: Pod>(
    name: &'static str,
    map: &Map,
    mut visit: impl FnMut(u64, R),
) -> Result<(), MapError> {
    let failed = MapError::read::<aya::maps::MapError>(name);
    let map = HashMap::<&MapData, u64, R>::try_from(map).map_err(&failed)?;
    for entry in &map {
        match entry {
            Ok((prefix, subscriber)) => visit(prefix, subscriber),
            // It was evicted meanwhile.
            Err(aya::maps::MapError::KeyNotFound) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// How often IPv6 packets found no record.
pub(crate) fn misses_v6(map: &Map) -> Result<Misses, MapError> {
    let read = || -> Result<Misses, aya::maps::MapError> {
        let map = PerCpuArray::<&MapData, u64>::try_from(map)?;
        let slots = map.len();
        let sum = |index| Ok::<u64, aya::maps::MapError>(map.get(&index, 0)?.iter().sum());
        // Earlier versions have no slots for what was migrated.
        let both = |index| match MIGRATED_MISSES + index {
            migrated if migrated < slots => Ok(sum(index)? + sum(migrated)?),
            _ => sum(index),
        };
        Ok(Misses {
            begun: both(0)?,
            lost: both(1)?,
        })
    };
    read().map_err(MapError::read(MISSES_V6))
}

/// The first of the slots in [`MISSES_V6`] that the program does not write to.
#[expect(clippy::cast_possible_truncation, reason = "there are four")]
const MIGRATED_MISSES: u32 = MISS_SLOTS as u32 / 2;

/// Moves what was counted in another map of misses, in which no program counts any more.
pub(crate) fn move_misses(from: &mut Map, to: &mut Map) -> Result<(), MapError> {
    let Misses { begun, lost } = misses_v6(from)?;
    let write = || -> Result<(), aya::maps::MapError> {
        let mut to = PerCpuArray::<&mut MapData, u64>::try_from(to)?;
        for (slot, packets) in (MIGRATED_MISSES..).zip([begun, lost]) {
            let mut values: Vec<u64> = to.get(&slot, 0)?.iter().copied().collect();
            if let Some(value) = values.first_mut() {
                *value += packets;
            }
            to.set(slot, PerCpuValues::try_from(values)?, 0)?;
        }
        // So that another process, if this one ends here, does not count them again.
        let mut from = PerCpuArray::<&mut MapData, u64>::try_from(from)?;
        for slot in 0..from.len() {
            let none = vec![0; from.get(&slot, 0)?.len()];
            from.set(slot, PerCpuValues::try_from(none)?, 0)?;
        }
        Ok(())
    };
    write().map_err(MapError::write(MISSES_V6))
}

/// Estimates the number of destinations from a subscriber's sketch; numbers above about 250 are not distinguished.
///
/// Linear counting (Whang, Vander-Zanden and Taylor, 1990): the share of the 64 bits that is still clear gives the number of
/// hashes that were drawn.
#[must_use]
pub fn destinations(sketch: u64) -> u32 {
    let clear = f64::from(sketch.count_zeros().max(1));
    let estimate = -64.0 * (clear / 64.0).ln();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 267"
    )]
    let rounded = estimate.round() as u32;
    rounded
}

/// The standard error of [`destinations`], from the same paper. `None` if it is not known how many there are: all 64 bits are set.
#[must_use]
pub fn destination_error(sketch: u64) -> Option<u32> {
    const BITS: f64 = 64.0;
    if sketch == u64::MAX {
        return None;
    }
    let load = f64::from(destinations(sketch)) / BITS;
    let error = (BITS * (load.exp() - load - 1.0)).sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 64"
    )]
    let rounded = error.round() as u32;
    Some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_destinations_are_told_apart_and_many_are_many() {
        assert_eq!([0, 1, 0b11].map(destinations), [0, 1, 2]);
        assert!((60..=100).contains(&destinations(u64::MAX >> 18)));
        assert!(destinations(u64::MAX) > 250);
    }
}
