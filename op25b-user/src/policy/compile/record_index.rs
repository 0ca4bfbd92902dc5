//! The index of subscriber records: the record of each address of the IPv4 pools.

use std::net::Ipv4Addr;

use op25b_common::values::{NEVER, NO_RULE, RuleIndex, UnixSeconds};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::lpm::{AddressFamily, Bits, Covering};

/// A prefix of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolPrefix {
    pub(crate) bits: Bits,
    pub(crate) pool: RuleIndex,
    pub(crate) enforce_from: UnixSeconds,
}

/// The part of a class that pools determine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooled {
    pub(crate) pool: RuleIndex,
    pub(crate) enforce_from: UnixSeconds,
    pub(crate) subscribers: u32,
    pub(crate) is_counted: bool,
}

impl Pooled {
    pub(crate) const NONE: Self = Self {
        pool: NO_RULE,
        enforce_from: NEVER,
        subscribers: 0,
        is_counted: false,
    };
}

/// The record of each address of the IPv4 pools.
///
/// Records are in the order of the outermost pools' prefixes and their addresses. The serialized form is the first and the
/// last address of each range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(Ipv4Addr, Ipv4Addr)>", try_from = "Vec<(Ipv4Addr, Ipv4Addr)>")]
pub struct RecordIndex {
    /// The first address of each range, its last one, and the record of the first one; in ascending order, and adjacent
    /// ranges are one.
    pub ranges: Vec<(u32, u32, u32)>,
    /// How many IPv4 addresses have a record.
    pub addresses: usize,
}

/// The serialized form of a [`RecordIndex`] is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the ranges of addresses are not in ascending order, or too many")]
pub struct InvalidRecordIndex;

impl From<RecordIndex> for Vec<(Ipv4Addr, Ipv4Addr)> {
    fn from(index: RecordIndex) -> Self {
        let ranges = index.ranges.into_iter();
        ranges
            .map(|(first, last, _)| (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last)))
            .collect()
    }
}

impl TryFrom<Vec<(Ipv4Addr, Ipv4Addr)>> for RecordIndex {
    type Error = InvalidRecordIndex;

    fn try_from(ranges: Vec<(Ipv4Addr, Ipv4Addr)>) -> Result<Self, InvalidRecordIndex> {
        let mut index = Self::default();
        for (first, last) in ranges {
            let (first, last) = (first.to_bits(), last.to_bits());
            let is_after = index.ranges.last().is_none_or(|(_, end, _)| *end < first);
            let count = last.checked_sub(first).ok_or(InvalidRecordIndex)? as usize + 1;
            if !is_after || index.addresses + count > MOST_ADDRESSES {
                return Err(InvalidRecordIndex);
            }
            index.append(first, last);
        }
        Ok(index)
    }
}

impl RecordIndex {
    /// Assigns records to the addresses of one family's pools, which are in ascending order.
    pub(crate) fn assign(&mut self, family: AddressFamily, pools: &[PoolPrefix]) -> Vec<(Bits, Pooled)> {
        let mut around: Covering<Pooled> = Covering::new();
        let pooled = pools.iter().map(|pool| {
            let (subscribers, is_counted) = match (family, around.enter(pool.bits)) {
                (_, Some(outer)) => (outer.subscribers, outer.is_counted),
                (AddressFamily::V6, None) => (0, true),
                (AddressFamily::V4, None) => self.add(pool.bits),
            };
            let pooled = Pooled {
                pool: pool.pool,
                enforce_from: pool.enforce_from,
                subscribers,
                is_counted,
            };
            around.push(pool.bits, pooled);
            (pool.bits, pooled)
        });
        pooled.collect()
    }

    /// Assigns records to a range, if enough are left.
    fn add(&mut self, bits: Bits) -> (u32, bool) {
        let (first, last) = bits.v4_range();
        let count = (last - first) as usize + 1;
        if self.addresses + count > MOST_ADDRESSES {
            return (0, false);
        }
        let record = self.append(first, last);
        (record.wrapping_sub(first), true)
    }

    /// Assigns the next records to a range, for which enough are left; returns the first one.
    fn append(&mut self, first: u32, last: u32) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far below 32 bits, see MOST_ADDRESSES"
        )]
        let record = self.addresses as u32;
        self.addresses += (last - first) as usize + 1;
        match self.ranges.last_mut() {
            // Adjacent ranges are one: the index depends on the addresses, not on how they are divided into prefixes.
            Some((_, end, _)) if end.checked_add(1) == Some(first) => *end = last,
            _ => self.ranges.push((first, last, record)),
        }
        record
    }

    /// The ranges of addresses that have a record in both indexes: the first record in this one, the first one in the other,
    /// and the number of addresses.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Vec<(u32, u32, u32)> {
        let (mut mine, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut common = Vec::new();
        while let (Some((first, last, record)), Some((their_first, their_last, their_record))) =
            (mine.peek(), theirs.peek())
        {
            let (from, to) = (*first.max(their_first), *last.min(their_last));
            if from <= to {
                common.push((
                    record + (from - first),
                    their_record + (from - their_first),
                    to - from + 1,
                ));
            }
            if last < their_last {
                mine.next();
            } else {
                theirs.next();
            }
        }
        common
    }
}

/// The limit on IPv4 addresses with a record, which is 576 MiB of records.
pub const MOST_ADDRESSES: usize = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn index(ranges: &[(u32, u32)]) -> Result<RecordIndex, InvalidRecordIndex> {
        let ranges = ranges.iter();
        ranges
            .map(|(first, last)| (Ipv4Addr::from_bits(*first), Ipv4Addr::from_bits(*last)))
            .collect::<Vec<_>>()
            .try_into()
    }

    #[test]
    fn what_is_written_down_is_read_back() {
        let whole = index(&[(8, 15), (16, 19), (100, 100), (u32::MAX, u32::MAX)]).unwrap();
        assert_eq!(
            whole.ranges,
            [(8, 19, 0), (100, 100, 12), (u32::MAX, u32::MAX, 13)]
        );
        assert_eq!(whole.addresses, 14);
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<RecordIndex>(&text).unwrap(), whole);
    }

    #[test]
    fn ranges_out_of_order_or_too_large_are_refused() {
        for bad in [
            &[(8, 7)][..],
            &[(8, 15), (15, 16)],
            &[(8, 15), (0, 1)],
            &[(0, u32::MAX)],
            &[(0, 1 << 23), (1 << 24, (1 << 24) + (1 << 23))],
        ] {
            assert_eq!(index(bad), Err(InvalidRecordIndex), "{bad:?}");
        }
    }

    #[test]
    fn addresses_in_common_are_found_with_both_their_records() {
        let one = index(&[(10, 19), (30, 39), (50, 59)]).unwrap();
        let other = index(&[(0, 11), (15, 34), (36, 36), (59, 70)]).unwrap();
        // By looking up each address.
        let record = |index: &RecordIndex, address: u32| {
            let mut ranges = index.ranges.iter();
            let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&address));
            range.map(|(first, _, record)| record + (address - first))
        };
        let expected: Vec<_> = (0..100)
            .filter_map(|address| Some((record(&one, address)?, record(&other, address)?)))
            .collect();
        let found: Vec<_> = one
            .in_common(&other)
            .into_iter()
            .flat_map(|(from, to, count)| (0..count).map(move |step| (from + step, to + step)))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(one.in_common(&one), [(0, 0, 10), (10, 10, 10), (20, 20, 10)]);
        assert!(one.in_common(&RecordIndex::default()).is_empty());
    }
}
