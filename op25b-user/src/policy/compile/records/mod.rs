//! The records of subscribers: which of them have one, in the array or in the LRU map, and which of the array.

mod index;
mod lru;
mod places;
#[cfg(test)]
mod tests;

use op25b_common::values::{NEVER, NO_PHASES, NO_RULE, RuleIndex, UnixSeconds};

use self::places::Places;
pub use self::{
    index::{MOST_IN_ARRAY, RecordIndex},
    lru::LruAddresses,
};
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
    /// Where the subscribers' records are; none if they have none.
    pub(crate) place: Option<Place>,
}

impl Pooled {
    pub(crate) const NONE: Self = Self {
        pool: NO_RULE,
        enforce_from: NEVER,
        phases: NO_PHASES,
        place: None,
    };
}

/// Where the records of a prefix's subscribers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the array; with what to add to the number of a subscriber to get the index of its record, modulo 2³².
    Array(u32),
    /// In the LRU map.
    Lru,
}

/// How many bits of an address number its subscriber: of IPv4 all, of IPv6 the policy's `ipv6_prefix`.
pub(crate) fn subscriber_bits(family: AddressFamily, ipv6_prefix: u8) -> u8 {
    match family {
        AddressFamily::V4 => 32,
        AddressFamily::V6 => ipv6_prefix,
    }
}

/// Which subscribers of both families have a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) v4: RecordIndex,
    pub(crate) v6: RecordIndex,
    pub(crate) lru: LruAddresses,
}

impl Recorded {
    /// Assigns records to the subscribers of one family's pools, whose prefixes are in ascending order. Those of IPv6 follow those of
    /// IPv4, which come first.
    ///
    /// As long as there are enough, a prefix gets records in the array for all its subscribers, and those inside it have them there, too.
    /// Where there are not, its IPv6 subscribers are in the LRU map, and those of IPv4 have none; a later or an inner prefix may still
    /// get records. A subscriber of whom several prefixes are parts has one record.
    pub(crate) fn assign(
        &mut self,
        family: AddressFamily,
        ipv6_prefix: u8,
        pools: &[PoolPrefix],
    ) -> Vec<(Bits, Pooled)> {
        let bits = subscriber_bits(family, ipv6_prefix);
        let mut places = Places::new(family, bits, self.v4.end);
        let mut around: Covering<Option<Place>> = Covering::new();
        let mut recorded = Vec::new();
        let pooled = pools.iter().map(|pool| {
            let outer = around.enter(pool.bits).copied().flatten();
            let place = match outer {
                // Its subscribers are its own.
                Some(Place::Lru) if pool.is_remembered && pool.bits.length() <= bits => {
                    places.assign(pool.bits)
                }
                Some(outer) => Some(outer),
                None if pool.is_remembered => places.assign(pool.bits),
                None => None,
            };
            around.push(pool.bits, place);
            let own = place.filter(|_| pool.is_remembered);
            recorded.push((pool.bits, own));
            let pooled = Pooled {
                pool: pool.pool,
                enforce_from: pool.enforce_from,
                phases: pool.phases,
                place: own,
            };
            (pool.bits, pooled)
        });
        let pooled = pooled.collect();
        let ranges = longest_prefix_ranges(&recorded);
        let index = RecordIndex::of(&ranges, bits);
        match family {
            AddressFamily::V4 => self.v4 = index,
            AddressFamily::V6 => (self.v6, self.lru) = (index, LruAddresses::of(&ranges)),
        }
        pooled
    }
}

/// The first and the last address of a range, in the leftmost of 128 bits, and where their subscribers' records are.
type Range = (u128, u128, Place);

/// The ranges of addresses whose longest prefix, of these in ascending order, has a value. Adjacent ranges with one value are
/// one: the result depends on the addresses, not on how they are divided into prefixes.
fn longest_prefix_ranges(prefixes: &[(Bits, Option<Place>)]) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let mut add = |first: u128, end: Option<u128>, value: Option<Place>| {
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
    let mut around: Vec<(u128, Option<Place>)> = Vec::new();
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
