//! The index of subscriber records: which addresses have one, and which of the array an IPv4 address has.

use std::net::{Ipv4Addr, Ipv6Addr};

use op25b_common::values::{NEVER, NO_PHASES, NO_RULE, RuleIndex, UnixSeconds};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::lpm::{AddressFamily, Bits, Covering};

/// A prefix of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolPrefix {
    pub(crate) bits: Bits,
    pub(crate) pool: RuleIndex,
    pub(crate) enforce_from: UnixSeconds,
    pub(crate) phases: u32,
    /// Whether the pool's subscribers have records.
    pub(crate) is_remembered: bool,
}

/// The part of a class that pools determine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pooled {
    pub(crate) pool: RuleIndex,
    pub(crate) enforce_from: UnixSeconds,
    pub(crate) phases: u32,
    pub(crate) subscribers: u32,
    pub(crate) is_counted: bool,
}

impl Pooled {
    pub(crate) const NONE: Self = Self {
        pool: NO_RULE,
        enforce_from: NEVER,
        phases: NO_PHASES,
        subscribers: 0,
        is_counted: false,
    };
}

/// Which subscribers of both families have a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) v4: RecordIndex,
    pub(crate) v6: RecordedPrefixes,
}

impl Recorded {
    /// Assigns records to the addresses of one family's pools, which are in ascending order.
    pub(crate) fn assign(&mut self, family: AddressFamily, pools: &[PoolPrefix]) -> Vec<(Bits, Pooled)> {
        let mut offsets = Offsets::default();
        // The offset from an address to its record's index, where the outermost remembered prefix around has one.
        let mut around: Covering<Option<u32>> = Covering::new();
        let mut recorded = Vec::new();
        let pooled = pools.iter().map(|pool| {
            let outer = around.enter(pool.bits).copied().flatten();
            let offset = match (outer, family) {
                (Some(offset), _) => Some(offset),
                (None, _) if !pool.is_remembered => None,
                (None, AddressFamily::V4) => offsets.reserve(pool.bits),
                // They are found by a hash.
                (None, AddressFamily::V6) => Some(0),
            };
            around.push(pool.bits, offset);
            let own = offset.filter(|_| pool.is_remembered);
            recorded.push((pool.bits, own));
            let pooled = Pooled {
                pool: pool.pool,
                enforce_from: pool.enforce_from,
                phases: pool.phases,
                subscribers: own.unwrap_or_default(),
                is_counted: own.is_some(),
            };
            (pool.bits, pooled)
        });
        let pooled = pooled.collect();
        let ranges = longest_prefix_ranges(&recorded);
        match family {
            AddressFamily::V4 => self.v4 = RecordIndex::of(&ranges),
            AddressFamily::V6 => self.v6 = RecordedPrefixes::of(&ranges),
        }
        pooled
    }
}

/// Assigns ranges of records to IPv4 prefixes.
#[derive(Default)]
struct Offsets {
    reserved: usize,
}

impl Offsets {
    /// What to add to an address of a prefix to get its record's index, if enough records are left.
    fn reserve(&mut self, bits: Bits) -> Option<u32> {
        let (first, last) = bits.v4_range();
        let count = (last - first) as usize + 1;
        if self.reserved + count > MOST_ADDRESSES {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far below 32 bits, see MOST_ADDRESSES"
        )]
        let record = self.reserved as u32;
        self.reserved += count;
        Some(record.wrapping_sub(first))
    }
}

/// The first and the last address of a range, and the offset from its addresses to their records.
type Range = (u128, u128, u32);

/// The ranges of addresses whose longest prefix, of these in ascending order, has a value. Adjacent ranges with one value are
/// one: the result depends on the addresses, not on how they are divided into prefixes.
fn longest_prefix_ranges(prefixes: &[(Bits, Option<u32>)]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let mut add = |first: u128, end: Option<u128>, value: Option<u32>| {
        let (Some(value), Some(last)) = (value, end) else {
            return;
        };
        if first > last {
            return;
        }
        match ranges.last_mut() {
            Some((_, end, before)) if *before == value && end.checked_add(1) == Some(first) => *end = last,
            _ => ranges.push((first, last, value)),
        }
    };
    // The prefixes around the address that was reached: the last address of each, and its value.
    let mut around: Vec<(u128, Option<u32>)> = Vec::new();
    // Addresses before this one are done; none if that was the last one there is.
    let mut next = Some(0);
    for (bits, value) in prefixes {
        while let Some((last, outer)) = around.pop_if(|(last, _)| *last < bits.first()) {
            if let Some(first) = next {
                add(first, Some(last), outer);
            }
            next = last.checked_add(1);
        }
        if let (Some((_, outer)), Some(first)) = (around.last(), next) {
            add(first, bits.first().checked_sub(1), *outer);
        }
        next = Some(bits.first());
        around.push((bits.last(), *value));
    }
    while let Some((last, outer)) = around.pop() {
        if let Some(first) = next {
            add(first, Some(last), outer);
        }
        next = last.checked_add(1);
    }
    ranges
}

/// The record of each address of the IPv4 pools that are remembered.
///
/// Records are in the order of the outermost remembered prefixes and their addresses. The addresses of an inner prefix that is
/// not remembered have none; what would be theirs is not used. The serialized form is the first and the last address of
/// each range, and the record of the first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(Ipv4Addr, Ipv4Addr, u32)>", try_from = "Vec<WrittenRange>")]
pub struct RecordIndex {
    /// The first address of each range, its last one, and the record of the first one; in ascending order, and adjacent
    /// ranges are one.
    pub ranges: Vec<(u32, u32, u32)>,
    /// How many records there are, with those that are not used.
    pub addresses: usize,
}

/// The serialized form of a [`RecordIndex`] is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the ranges of addresses are not in ascending order, or too many")]
pub struct InvalidRecordIndex;

/// A range as it is serialized.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum WrittenRange {
    Placed(Ipv4Addr, Ipv4Addr, u32),
    /// Version 2 of the records: they follow those of the range before.
    Next(Ipv4Addr, Ipv4Addr),
}

impl From<RecordIndex> for Vec<(Ipv4Addr, Ipv4Addr, u32)> {
    fn from(index: RecordIndex) -> Self {
        let ranges = index.ranges.into_iter();
        ranges
            .map(|(first, last, record)| (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last), record))
            .collect()
    }
}

impl TryFrom<Vec<WrittenRange>> for RecordIndex {
    type Error = InvalidRecordIndex;

    fn try_from(ranges: Vec<WrittenRange>) -> Result<Self, InvalidRecordIndex> {
        let mut index = Self::default();
        for range in ranges {
            let (first, last, record) = match range {
                WrittenRange::Placed(first, last, record) => (first, last, record as usize),
                WrittenRange::Next(first, last) => (first, last, index.addresses),
            };
            let (first, last) = (first.to_bits(), last.to_bits());
            let is_after = index.ranges.last().is_none_or(|(_, end, _)| *end < first);
            let count = last.checked_sub(first).ok_or(InvalidRecordIndex)? as usize + 1;
            if !is_after || record < index.addresses || record + count > MOST_ADDRESSES {
                return Err(InvalidRecordIndex);
            }
            index.append(first, last, record);
        }
        Ok(index)
    }
}

impl RecordIndex {
    fn of(ranges: &[Range]) -> Self {
        let mut index = Self::default();
        for (first, last, offset) in ranges {
            let (first, last) = ((first >> 96) as u32, (last >> 96) as u32);
            index.append(first, last, first.wrapping_add(*offset) as usize);
        }
        index
    }

    /// Appends a range whose first record is this one, which is not before the end of those that are used.
    fn append(&mut self, first: u32, last: u32, record: usize) {
        let follows = record == self.addresses;
        self.addresses = record + (last - first) as usize + 1;
        match self.ranges.last_mut() {
            Some((_, end, _)) if follows && end.checked_add(1) == Some(first) => *end = last,
            _ => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "far below 32 bits, see MOST_ADDRESSES"
                )]
                let record = record as u32;
                self.ranges.push((first, last, record));
            }
        }
    }

    /// Whether every address that has a record in another index has one in this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let common = self.in_common(other);
        let common: u64 = common.iter().map(|(.., count)| u64::from(*count)).sum();
        let all = other.ranges.iter();
        common
            == all
                .map(|(first, last, _)| u64::from(last - first) + 1)
                .sum::<u64>()
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

/// The IPv6 addresses of the pools that are remembered. The serialized form is the first and the last one of each range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPrefixes(Vec<(Ipv6Addr, Ipv6Addr)>);

impl RecordedPrefixes {
    fn of(ranges: &[Range]) -> Self {
        let address = Ipv6Addr::from_bits;
        Self(
            ranges
                .iter()
                .map(|(first, last, _)| (address(*first), address(*last)))
                .collect(),
        )
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of these addresses is in a range from `first` to `last`.
    pub(crate) fn overlap(&self, first: Ipv6Addr, last: Ipv6Addr) -> bool {
        let before = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(before).is_some_and(|(begin, _)| *begin <= last)
    }

    /// Whether all of `other` are among these.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(first, last)| {
            let before = self.0.partition_point(|(_, end)| end < first);
            self.0
                .get(before)
                .is_some_and(|(begin, end)| begin <= first && last <= end)
        })
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
            .map(|(first, last)| WrittenRange::Next(Ipv4Addr::from_bits(*first), Ipv4Addr::from_bits(*last)))
            .collect::<Vec<_>>()
            .try_into()
    }

    /// The records of these pools, whose prefixes are in ascending order; true for one that is remembered.
    fn recorded(pools: &[(&str, bool)]) -> (Recorded, Vec<Pooled>) {
        let prefixes: Vec<PoolPrefix> = (0..)
            .zip(pools)
            .map(|(pool, (prefix, is_remembered))| PoolPrefix {
                bits: Bits::new(prefix.parse().unwrap()).1,
                pool,
                enforce_from: NEVER,
                phases: NO_PHASES,
                is_remembered: *is_remembered,
            })
            .collect();
        let family = Bits::new(pools[0].0.parse().unwrap()).0;
        let mut recorded = Recorded::default();
        let pooled = recorded.assign(family, &prefixes);
        (recorded, pooled.into_iter().map(|(_, pooled)| pooled).collect())
    }

    fn v4(address: &str) -> u32 {
        address.parse::<Ipv4Addr>().unwrap().to_bits()
    }

    #[test]
    fn only_addresses_whose_pool_is_remembered_have_a_record() {
        let (found, pooled) = recorded(&[
            ("10.0.0.0/8", false),
            ("10.1.0.0/16", true),
            ("10.1.2.0/24", false),
            ("10.1.2.128/25", true),
            ("10.2.0.0/16", true),
            ("192.0.2.0/24", true),
            ("192.0.2.128/25", false),
        ]);
        assert_eq!(
            found.v4.ranges,
            [
                (v4("10.1.0.0"), v4("10.1.1.255"), 0),
                (v4("10.1.2.128"), v4("10.2.255.255"), 0x280),
                (v4("192.0.2.0"), v4("192.0.2.127"), 0x2_0000),
            ]
        );
        // The end of the last prefix is not remembered, and takes no memory.
        assert_eq!(found.v4.addresses, 0x2_0080);
        let counted: Vec<_> = pooled.iter().map(|pooled| pooled.is_counted).collect();
        assert_eq!(counted, [false, true, false, true, true, true, false]);
        for (pooled, address, record) in [
            (&pooled[1], "10.1.0.0", 0),
            (&pooled[3], "10.1.2.128", 0x280),
            (&pooled[4], "10.2.0.1", 0x1_0001),
            (&pooled[5], "192.0.2.127", 0x2_007f),
        ] {
            assert_eq!(v4(address).wrapping_add(pooled.subscribers), record, "{address}");
        }
        let text = serde_json::to_string(&found.v4).unwrap();
        assert_eq!(serde_json::from_str::<RecordIndex>(&text).unwrap(), found.v4);
    }

    #[test]
    fn nothing_takes_memory_where_nothing_is_remembered() {
        for prefix in ["0.0.0.0/0", "::/0"] {
            let (found, pooled) = recorded(&[(prefix, false)]);
            assert_eq!(found, Recorded::default());
            assert!(!pooled[0].is_counted);
        }
    }

    #[test]
    fn ranges_reach_to_the_last_address_there_is() {
        let (found, _) = recorded(&[("::/0", true), ("ffff::/16", false), ("ffff:ffff::/32", true)]);
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let last = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
        let expected = [
            (address("::"), address("fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
            (address("ffff:ffff::"), last),
        ];
        assert_eq!(found.v6.0, expected);
        let (found, _) = recorded(&[("::/0", true), ("ffff::/16", true)]);
        assert_eq!(found.v6.0, [(address("::"), last)]);
    }

    #[test]
    fn prefixes_are_found_by_the_addresses_that_they_have_in_common() {
        let (one, _) = recorded(&[("2001:db8::/32", true), ("2001:db8:5::/48", false)]);
        let (other, _) = recorded(&[("2001:db8:4::/48", true), ("2001:db8:6::/48", true)]);
        let (inner, _) = recorded(&[("2001:db8:5:1::/64", true)]);
        for (whole, part, covers) in [
            (&one, &other, true),
            (&other, &one, false),
            (&one, &inner, false),
            (&one, &one, true),
            (&one, &Recorded::default(), true),
            (&Recorded::default(), &one, false),
        ] {
            assert_eq!(whole.v6.covers(&part.v6), covers, "{whole:?} {part:?}");
        }
        for (first, last, overlap) in [
            ("2001:db7:ffff::", "2001:db7:ffff::ffff", false),
            ("2001:db7::", "2001:db8::", true),
            ("2001:db8:5::", "2001:db8:5:ffff::", false),
            ("2001:db8:5::", "2001:db8:6::", true),
            ("2001:db9::", "2001:db9::1", false),
        ] {
            let found = one.v6.overlap(first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(found, overlap, "{first} {last}");
        }
    }

    #[test]
    fn an_index_covers_the_addresses_that_it_has() {
        let one = index(&[(10, 19), (30, 39)]).unwrap();
        for (other, covers) in [
            (&[(10, 19), (30, 39)][..], true),
            (&[(12, 13), (39, 39)], true),
            (&[], true),
            (&[(19, 20)], false),
            (&[(10, 39)], false),
        ] {
            assert_eq!(one.covers(&index(other).unwrap()), covers, "{other:?}");
        }
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
