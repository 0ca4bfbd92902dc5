//! Entries of the tries of destinations.

use op25b_common::{keys::DestinationKey, values::DestinationEntry};

use super::merge::Destination;
use crate::lpm::Bits;

/// One entry of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrieEntry<K, V> {
    /// The length of the key in bits.
    pub prefix_len: u32,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
}

/// The entries of a trie; `address` converts its addresses.
pub(crate) fn destinations<A>(
    destinations: impl Iterator<Item = Destination>,
    address: fn(Bits) -> A,
) -> Vec<TrieEntry<DestinationKey<A>, DestinationEntry>> {
    destinations
        .map(|(set, bits, value)| TrieEntry {
            prefix_len: DestinationKey::<A>::SET_BITS + u32::from(bits.length()),
            key: DestinationKey::new(set, address(bits)),
            value,
        })
        .collect()
}
