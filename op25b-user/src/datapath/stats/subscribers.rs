//! The records of single subscribers, read from the program's maps.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use aya::{
    Pod,
    maps::{HashMap, Map, MapData, PerCpuArray, PerCpuValues},
};
use ipnet::{IpNet, Ipv6Net};
use op25b_common::{
    names::{MISSES_V6, SUBSCRIBERS_V4, SUBSCRIBERS_V6},
    values::{Cold, Hot, MISS_SLOTS, Subscriber, SubscriberBlock},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::record_layout::RecordLayout;
use crate::{
    datapath::sys::{map::MapError, mapping},
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
    pub(crate) v4: MapData,
    pub(crate) v6: Map,
    pub(crate) misses: Map,
}

impl SubscriberRecords {
    /// How many bits of an IPv6 address identify its subscriber.
    #[must_use]
    pub fn ipv6_prefix(&self) -> u8 {
        self.layout.ipv6_prefix
    }

    /// Visits each address or IPv6 prefix that has a record: IPv4 in ascending order, IPv6 in none.
    pub fn each(&self, mut visit: impl FnMut(IpNet, Subscriber)) -> Result<(), MapError> {
        self.each_v4_since(0, &mut visit)?;
        records_v6(&self.v6, |prefix, subscriber| {
            visit(self.net_v6(prefix), subscriber);
        })
    }

    /// Visits the IPv4 addresses that had a packet at a time, as [`Hot::last_seen`], or later, in ascending order.
    pub(super) fn each_v4_since(
        &self,
        since: u32,
        mut visit: impl FnMut(IpNet, Subscriber),
    ) -> Result<(), MapError> {
        records_v4_since(&self.v4, &self.layout.ipv4, since, |address, subscriber| {
            visit(IpNet::from(IpAddr::V4(address)), subscriber);
        })
    }

    /// The IPv6 subscriber with these first 64 bits.
    pub(super) fn net_v6(&self, prefix: u64) -> IpNet {
        let address = Ipv6Addr::from_bits(u128::from(prefix) << 64);
        let net = Ipv6Net::new(address, self.ipv6_prefix());
        net.unwrap_or_else(|_| Ipv6Net::from(address)).into()
    }

    /// How often IPv6 packets found no record.
    pub fn misses_v6(&self) -> Result<Misses, MapError> {
        misses_v6(&self.misses)
    }
}

/// Visits the IPv4 addresses that have a record, in ascending order.
pub(crate) fn records_v4(
    map: &MapData,
    record_index: &RecordIndex,
    visit: impl FnMut(Ipv4Addr, Subscriber),
) -> Result<(), MapError> {
    records_v4_since(map, record_index, 0, visit)
}

/// Visits the IPv4 addresses that had a packet at a time, as [`op25b_common::values::Hot::last_seen`], or later, in ascending order.
pub(crate) fn records_v4_since(
    map: &MapData,
    record_index: &RecordIndex,
    since: u32,
    mut visit: impl FnMut(Ipv4Addr, Subscriber),
) -> Result<(), MapError> {
    const RECORDS: usize = SubscriberBlock::RECORDS;
    let failed = MapError::read::<io::Error>(SUBSCRIBERS_V4);
    let info = map.info().map_err(MapError::read(SUBSCRIBERS_V4))?;
    let blocks = info.max_entries() as usize;
    for (first, last, record) in &record_index.ranges {
        let begin = *record as usize;
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
                        #[expect(
                            clippy::cast_possible_truncation,
                            reason = "within the range, which has 32 bits"
                        )]
                        let address = first + (index - begin) as u32;
                        visit(Ipv4Addr::from_bits(address), record);
                    }
                }
            }
            number = window.end();
        }
    }
    Ok(())
}

/// The record of an IPv4 address, if it has one.
pub(super) fn record_v4(
    map: &MapData,
    record_index: &RecordIndex,
    address: Ipv4Addr,
) -> Result<Option<Subscriber>, MapError> {
    const RECORDS: usize = SubscriberBlock::RECORDS;
    let address = address.to_bits();
    let after = record_index
        .ranges
        .partition_point(|(first, ..)| *first <= address);
    let range = after
        .checked_sub(1)
        .and_then(|before| record_index.ranges.get(before));
    let Some((first, _, record)) = range.filter(|(_, last, _)| address <= *last) else {
        return Ok(None);
    };
    let index = (*record + (address - first)) as usize;
    let number = index / RECORDS;
    let window = mapping::Window::<SubscriberBlock>::new(map, number, number + 1);
    let window = window.map_err(MapError::read::<io::Error>(SUBSCRIBERS_V4))?;
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

/// Visits the IPv6 prefixes that have a record, each as its first 64 bits, in no order.
pub(crate) fn records_v6<R: Pod>(map: &Map, mut visit: impl FnMut(u64, R)) -> Result<(), MapError> {
    let failed = MapError::read::<aya::maps::MapError>(SUBSCRIBERS_V6);
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
