//! The index of the array: which record each subscriber of a family has.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Place, Range};

/// Which record of the array each subscriber of one family has.
///
/// The number of an IPv4 subscriber is its address, that of an IPv6 one its prefix. Records are in the order of the outermost remembered
/// prefixes and their subscribers. Those of an inner prefix that is not remembered have none; what would be theirs is not used. The
/// serialized form is that of the ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(u64, u64, u32)>", try_from = "Vec<WrittenRange>")]
pub struct RecordIndex {
    /// The first number of each range, its last one, and the record of the first one; in ascending order, and adjacent
    /// ranges are one.
    pub ranges: Vec<(u64, u64, u32)>,
    /// The record after the last one that is used; 0 if there is none.
    pub end: usize,
}

/// The serialized form of a [`RecordIndex`] is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the ranges of subscribers are not in ascending order, or too many")]
pub struct InvalidRecordIndex;

/// A range as it is serialized.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum WrittenRange {
    Numbered(u64, u64, u32),
    /// Version 3 of the records.
    Placed(Ipv4Addr, Ipv4Addr, u32),
    /// Version 2 of the records: they follow those of the range before.
    Next(Ipv4Addr, Ipv4Addr),
}

impl From<RecordIndex> for Vec<(u64, u64, u32)> {
    fn from(index: RecordIndex) -> Self {
        index.ranges
    }
}

impl TryFrom<Vec<WrittenRange>> for RecordIndex {
    type Error = InvalidRecordIndex;

    fn try_from(ranges: Vec<WrittenRange>) -> Result<Self, InvalidRecordIndex> {
        let mut index = Self::default();
        for range in ranges {
            let number = |address: Ipv4Addr| u64::from(address.to_bits());
            let (first, last, record) = match range {
                WrittenRange::Numbered(first, last, record) => (first, last, record as usize),
                WrittenRange::Placed(first, last, record) => (number(first), number(last), record as usize),
                WrittenRange::Next(first, last) => (number(first), number(last), index.end),
            };
            let is_after = index.ranges.last().is_none_or(|(_, end, _)| *end < first);
            let more = last
                .checked_sub(first)
                .and_then(|more| usize::try_from(more).ok());
            let end = more
                .and_then(|more| record.checked_add(more))
                .ok_or(InvalidRecordIndex)?;
            // Those of the other family may be before them.
            if !is_after || record < index.end || end >= 2 * MOST_IN_ARRAY {
                return Err(InvalidRecordIndex);
            }
            index.append(first, last, record);
        }
        Ok(index)
    }
}

impl RecordIndex {
    /// That of the ranges in the array, of subscribers whose numbers are so many bits of their addresses.
    pub(super) fn of(ranges: &[Range], bits: u8) -> Self {
        let mut index = Self::default();
        #[expect(clippy::cast_possible_truncation, reason = "the number has at most 64 bits")]
        let number = |address: u128| (address >> (u128::BITS - u32::from(bits))) as u64;
        for (first, last, place) in ranges {
            if let Place::Array(offset) = place {
                let first = number(*first);
                #[expect(clippy::cast_possible_truncation, reason = "the sum is modulo 2^32")]
                let record = (first as u32).wrapping_add(*offset);
                index.append(first, number(*last), record as usize);
            }
        }
        index
    }

    /// Appends a range whose first number has this record. Of a subscriber that consists of several ranges, the first number may be the
    /// last one of the range before.
    fn append(&mut self, first: u64, last: u64, record: usize) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far below 32 bits, see MOST_IN_ARRAY"
        )]
        let (record, count) = (record as u32, (last - first) as usize + 1);
        self.end = self.end.max(record as usize + count);
        match self.ranges.last_mut() {
            Some((begin, end, of_begin))
                if first <= end.saturating_add(1)
                    && record.checked_sub(*of_begin).map(u64::from) == Some(first - *begin) =>
            {
                *end = last.max(*end);
            }
            _ => self.ranges.push((first, last, record)),
        }
    }

    /// The record of the subscriber with this number.
    pub(crate) fn record_of(&self, number: u64) -> Option<u32> {
        let next = self.ranges.partition_point(|(_, last, _)| *last < number);
        let (first, _, record) = self.ranges.get(next).filter(|(first, ..)| *first <= number)?;
        #[expect(clippy::cast_possible_truncation, reason = "within the range")]
        Some(record + (number - first) as u32)
    }

    /// Whether every subscriber that has a record in another index has one in this.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let common = self.in_common(other);
        let common: u64 = common.iter().map(|(.., count)| u64::from(*count)).sum();
        let all = other.ranges.iter();
        common == all.map(|(first, last, _)| last - first + 1).sum::<u64>()
    }

    /// The ranges of subscribers that have a record in both indexes: the first record in this one, the first one in the other,
    /// and how many there are.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> Vec<(u32, u32, u32)> {
        let (mut mine, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        let mut common = Vec::new();
        while let (Some((first, last, record)), Some((their_first, their_last, their_record))) =
            (mine.peek(), theirs.peek())
        {
            let (from, to) = (*first.max(their_first), *last.min(their_last));
            if from <= to {
                #[expect(clippy::cast_possible_truncation, reason = "as many as there are records")]
                let [mine, theirs, count] =
                    [from - first, from - their_first, to - from + 1].map(|count| count as u32);
                common.push((record + mine, their_record + theirs, count));
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

/// How many subscribers of one family have a record in the array at most, which are 576 MiB of records.
pub const MOST_IN_ARRAY: usize = 1 << 24;

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
            [(8, 19, 0), (100, 100, 12), (u32::MAX.into(), u32::MAX.into(), 13)]
        );
        assert_eq!(whole.end, 14);
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
            &[(0, 1 << 24), (1 << 25, (1 << 25) + (1 << 24))],
        ] {
            assert_eq!(index(bad), Err(InvalidRecordIndex), "{bad:?}");
        }
    }

    #[test]
    fn addresses_in_common_are_found_with_both_their_records() {
        let one = index(&[(10, 19), (30, 39), (50, 59)]).unwrap();
        let other = index(&[(0, 11), (15, 34), (36, 36), (59, 70)]).unwrap();
        // By looking up each address.
        let record = |index: &RecordIndex, address: u64| {
            let mut ranges = index.ranges.iter();
            let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&address));
            range.map(|(first, _, record)| record + u32::try_from(address - first).unwrap())
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
