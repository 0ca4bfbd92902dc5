//! Proves that each subscriber of a remembered pool has the record of the index, or one in the LRU map, and nobody else's.

use std::net::Ipv6Addr;

use op25b_common::values::{Class, RecordPlace};

use super::{Difference, difference};
use crate::{
    lpm::AddressFamily,
    policy::{compile::Compiled, model::Policy, subscriber_bits},
};

/// What the tables say, and what they should.
type Wrong = (&'static str, &'static str);

const NONE: u32 = RecordPlace::None as u32;
const ARRAY: u32 = RecordPlace::Array as u32;
const LRU: u32 = RecordPlace::Lru as u32;

/// Compares the records of a range of sources, all of this class.
pub(super) fn prove(
    policy: &Policy,
    compiled: &Compiled,
    family: AddressFamily,
    (first, last): (u128, u128),
    class: &Class,
) -> Result<(), Wrong> {
    let pool = policy.pools.get(class.pool as usize);
    let is_remembered = pool.is_some_and(|pool| policy.subscribers.remember.includes(&pool.name));
    let bits = subscriber_bits(family, compiled.ipv6_prefix);
    #[expect(clippy::cast_possible_truncation, reason = "the number has at most 64 bits")]
    let number = |address: u128| (address >> (u128::BITS - u32::from(bits))) as u64;
    let (first_number, last_number) = (number(first), number(last));
    let index = match family {
        AddressFamily::V4 => &compiled.record_index,
        AddressFamily::V6 => &compiled.record_index_v6,
    };
    let next = index.ranges.partition_point(|(_, end, _)| *end < first_number);
    let found = index.ranges.get(next).filter(|(begin, ..)| *begin <= last_number);
    #[expect(clippy::cast_possible_truncation, reason = "the sum is modulo 2^32")]
    let of_first = (first_number as u32).wrapping_add(class.subscribers);
    match class.record_place {
        ARRAY | LRU if !is_remembered => Err(("its subscribers are remembered", "they are not")),
        ARRAY => match found {
            Some((begin, end, record))
                if *begin <= first_number
                    && last_number <= *end
                    && u64::from(*record) + (first_number - begin) == u64::from(of_first) =>
            {
                Ok(())
            }
            _ => Err((
                "a subscriber is counted in another record",
                "each has the record of the index",
            )),
        },
        // None of them has a record in the array besides.
        LRU if family == AddressFamily::V6 && found.is_none() => {
            let address = Ipv6Addr::from_bits;
            if compiled.lru_v6.contain(address(first), address(last)) {
                Ok(())
            } else {
                Err(("its subscribers are in the LRU map", "they are not to be there"))
            }
        }
        // IPv4 pools that need more records than there can be have none.
        NONE if family == AddressFamily::V4 && found.is_none() => Ok(()),
        // Another part of a subscriber may be in a pool that is remembered.
        NONE if family == AddressFamily::V6 && !is_remembered => Ok(()),
        NONE => Err(("its subscribers are not remembered", "they are")),
        _ => Err((
            "its subscribers are counted in no known way",
            "in the array, in the LRU map or not at all",
        )),
    }
}

/// Proves that no record is that of two subscribers.
pub(super) fn prove_apart(compiled: &Compiled) -> Result<(), Difference> {
    let mut taken = 0;
    for (family, index) in [
        (AddressFamily::V4, &compiled.record_index),
        (AddressFamily::V6, &compiled.record_index_v6),
    ] {
        let bits = subscriber_bits(family, compiled.ipv6_prefix);
        let address = |number: u64| u128::from(number) << (u128::BITS - u32::from(bits));
        for (first, last, record) in &index.ranges {
            if u64::from(*record) < taken {
                return Err(difference(
                    "sources",
                    family,
                    (address(*first), address(*last)),
                    "a subscriber has another one's record",
                    "each has its own",
                ));
            }
            taken = u64::from(*record) + (last - first) + 1;
        }
    }
    Ok(())
}
