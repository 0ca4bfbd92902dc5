//! Assigns records of the array to prefixes, as long as there are enough.

use super::{MOST_IN_ARRAY, Place};
use crate::lpm::{AddressFamily, Bits};

/// The places of one family's subscribers.
pub(super) struct Places {
    family: AddressFamily,
    /// How many bits of an address number its subscriber.
    bits: u8,
    /// The first record that nobody has, and how many there are from there on.
    next: usize,
    left: usize,
    /// The prefix that got records last, and what to add to its subscribers' numbers.
    last: Option<(Bits, u32)>,
}

impl Places {
    /// Those of a family whose first record is `first`.
    pub(super) fn new(family: AddressFamily, bits: u8, first: usize) -> Self {
        Self {
            family,
            bits,
            next: first,
            left: MOST_IN_ARRAY,
            last: None,
        }
    }

    /// The place of a prefix's subscribers; prefixes come in ascending order.
    pub(super) fn assign(&mut self, prefix: Bits) -> Option<Place> {
        // A subscriber as a whole, if it is a part of one: the parts beside it have the same record.
        let whole = prefix.shortened(prefix.length().min(self.bits));
        let offset = match self.last {
            Some((last, offset)) if last.covers(whole) => Some(offset),
            _ => self.reserve(whole),
        };
        match offset {
            Some(offset) => Some(Place::Array(offset)),
            None => match self.family {
                AddressFamily::V4 => None,
                AddressFamily::V6 => Some(Place::Lru),
            },
        }
    }

    /// What to add to the number of a prefix's subscriber to get its record's index, if enough records are left.
    fn reserve(&mut self, whole: Bits) -> Option<u32> {
        let number = |address: u128| address >> (u128::BITS - u32::from(self.bits));
        let (first, last) = (number(whole.first()), number(whole.last()));
        let count = usize::try_from(last - first).ok()?.checked_add(1)?;
        self.left = self.left.checked_sub(count)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "records are far below 32 bits, see MOST_IN_ARRAY, and the sum is modulo 2^32"
        )]
        let offset = (self.next as u32).wrapping_sub(first as u32);
        self.next += count;
        self.last = Some((whole, offset));
        Some(offset)
    }
}
