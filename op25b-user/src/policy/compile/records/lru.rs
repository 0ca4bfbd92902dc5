//! The IPv6 addresses whose subscribers have their records in the LRU map.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::{Place, Range};

/// The IPv6 addresses of remembered pools whose subscribers are too many for the array. The serialized form is the first and the last
/// one of each range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LruAddresses(pub(super) Vec<(Ipv6Addr, Ipv6Addr)>);

impl LruAddresses {
    pub(super) fn of(ranges: &[Range]) -> Self {
        let address = Ipv6Addr::from_bits;
        let ranges = ranges.iter().filter(|(.., place)| *place == Place::Lru);
        Self(
            ranges
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

    /// Whether all addresses from `first` to `last` are among these.
    pub(crate) fn contain(&self, first: Ipv6Addr, last: Ipv6Addr) -> bool {
        let before = self.0.partition_point(|(_, end)| *end < first);
        self.0
            .get(before)
            .is_some_and(|(begin, end)| *begin <= first && last <= *end)
    }

    /// Whether all of `other` are among these.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(first, last)| self.contain(*first, *last))
    }
}
