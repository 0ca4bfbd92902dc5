//! The layout of the subscribers' records, and which of their maps the next filter can share.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZero,
    path::Path,
};

use aya::maps::{MapInfo, MapType};
use ipnet::IpNet;
use op25b_common::{
    RECORD_VERSION,
    names::{MISSES_V6, SUBSCRIBERS, SUBSCRIBERS_LRU},
    values::{MISS_SLOTS, Subscriber},
};
use serde::{Deserialize, Deserializer, Serialize};

use super::record_shape::{BlockLayout, SubscriberV2};
use crate::{
    datapath::sys::bpf::map::{Shape, max_entries, per_cpu_lru_entries},
    lpm::AddressFamily,
    policy::{Compiled, LruAddresses, RecordIndex, Subscribers, subscriber_bits},
};

/// A version of records that are migrated: a record ends with its cold half.
const VERSION_2: u32 = 2;

/// A version of records that are migrated, and read: all of IPv6 are in the LRU map.
const VERSION_3: u32 = 3;

/// The maps with the records and what belongs to them.
pub(crate) const RECORD_MAPS: [&str; 3] = [SUBSCRIBERS, SUBSCRIBERS_LRU, MISSES_V6];

/// How many records the LRU map has on a machine with so many possible CPUs, if subscribers with these addresses have theirs in it; as
/// few as the kernel allows if none has.
///
/// The kernel divides them among all possible CPUs, and a CPU begins records in its own part alone: where a NIC spreads its
/// packets over 4 queues of a machine with 96 possible CPUs, 92 parts stay empty.
pub(crate) fn lru_entries(addresses: &LruAddresses, possible_cpus: NonZero<usize>) -> u32 {
    const EACH: usize = 1 << 16;
    const LEAST: usize = 1 << 18;
    /// About 112 MiB of kernel memory.
    const MOST: usize = 1 << 20;
    let wanted = if addresses.is_empty() {
        1
    } else {
        EACH.saturating_mul(possible_cpus.get()).clamp(LEAST, MOST)
    };
    per_cpu_lru_entries(wanted, possible_cpus)
}

/// Which subscriber's record is where. It is part of the filter's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordLayout {
    /// The version of a record's fields.
    version: u32,
    /// How many bits of an IPv6 address identify its subscriber.
    pub(crate) ipv6_prefix: u8,
    /// Which IPv4 addresses have a record in the array, in the order of the records.
    pub(crate) ipv4: RecordIndex,
    /// Which IPv6 subscribers have one there.
    #[serde(default)]
    pub(crate) ipv6_index: RecordIndex,
    /// Which IPv6 addresses' subscribers have one in the LRU map; not known of version 2.
    #[serde(default, rename = "ipv6")]
    pub(crate) lru: LruAddresses,
}

/// Where the record of an IPv6 subscriber is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceV6 {
    /// In the array, with this index.
    Array(u32),
    /// In the LRU map.
    Lru,
}

impl RecordLayout {
    /// The layout of a filter that this op25b loads.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: compiled.ipv6_prefix,
            ipv4: compiled.record_index.clone(),
            ipv6_index: compiled.record_index_v6.clone(),
            lru: compiled.lru_v6.clone(),
        }
    }

    /// One without a record.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: 64,
            ipv4: RecordIndex::default(),
            ipv6_index: RecordIndex::default(),
            lru: LruAddresses::default(),
        }
    }

    /// Reads the layout from a description; `None` if it is of a version whose records cannot even be migrated.
    pub(crate) fn if_understood<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Self>, D::Error> {
        // Through a value: whatever stands here, the rest of the description is read.
        let value = serde_json::Value::deserialize(json)?;
        let layout = serde_json::from_value::<Self>(value).ok();
        let is_understood = |layout: &Self| {
            matches!(layout.version, VERSION_2 | VERSION_3 | RECORD_VERSION)
                && Subscribers::IPV6_PREFIXES.contains(&layout.ipv6_prefix)
        };
        Ok(layout.filter(is_understood))
    }

    /// Whether a program of this op25b can share the maps.
    pub(crate) fn is_current(&self) -> bool {
        self.version == RECORD_VERSION
    }

    /// Whether the records themselves are those of this op25b, wherever they are.
    pub(crate) fn has_current_records(&self) -> bool {
        self.version != VERSION_2
    }

    /// Whether there may be IPv6 records.
    pub(crate) fn may_have_v6(&self) -> bool {
        !self.has_current_records() || !self.lru.is_empty() || !self.ipv6_index.ranges.is_empty()
    }

    /// How the array is divided.
    pub(crate) fn blocks(&self) -> BlockLayout {
        if self.has_current_records() {
            BlockLayout::CURRENT
        } else {
            BlockLayout::VERSION_2
        }
    }

    /// The name of the array, which had records of IPv4 alone before.
    pub(crate) fn array_name(&self) -> &'static str {
        if self.is_current() {
            SUBSCRIBERS
        } else {
            "SUBSCRIBERS_V4"
        }
    }

    /// The name of the LRU map.
    pub(crate) fn lru_name(&self) -> &'static str {
        if self.is_current() {
            SUBSCRIBERS_LRU
        } else {
            "SUBSCRIBERS_V6"
        }
    }

    /// The records in the array by family.
    pub(crate) fn indexes(&self) -> [(AddressFamily, &RecordIndex); 2] {
        [
            (AddressFamily::V4, &self.ipv4),
            (AddressFamily::V6, &self.ipv6_index),
        ]
    }

    /// How many records the array has at least.
    pub(crate) fn records_in_array(&self) -> usize {
        self.ipv4.end.max(self.ipv6_index.end)
    }

    /// The subscriber with this number.
    pub(crate) fn subscriber(&self, family: AddressFamily, number: u64) -> IpNet {
        let bits = subscriber_bits(family, self.ipv6_prefix);
        let address = u128::from(number) << (u128::BITS - u32::from(bits));
        let address = match family {
            AddressFamily::V4 => IpAddr::from(Ipv4Addr::from_bits((address >> 96) as u32)),
            AddressFamily::V6 => Ipv6Addr::from_bits(address).into(),
        };
        IpNet::new(address, bits).unwrap_or_else(|_| address.into())
    }

    /// The number of the IPv6 subscriber with these first 64 bits.
    pub(crate) fn number_v6(&self, prefix: u64) -> u64 {
        prefix >> (u64::BITS - u32::from(self.ipv6_prefix))
    }

    /// The first 64 bits of the IPv6 subscriber with this number.
    pub(crate) fn prefix_v6(&self, number: u64) -> u64 {
        number << (u64::BITS - u32::from(self.ipv6_prefix))
    }

    /// Where the IPv6 subscriber with these first 64 bits has a record, if it has one: one of its addresses is in a pool that is
    /// remembered.
    pub(crate) fn place_v6(&self, prefix: u64) -> Option<PlaceV6> {
        if let Some(record) = self.ipv6_index.record_of(self.number_v6(prefix)) {
            return Some(PlaceV6::Array(record));
        }
        let first = u128::from(prefix) << 64;
        let last = first | u128::MAX >> self.ipv6_prefix;
        let is_in_lru = self
            .lru
            .overlap(Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last));
        is_in_lru.then_some(PlaceV6::Lru)
    }

    /// The maps that are pinned in a directory, laid out like this, which a filter with the layout `next` can share on a
    /// machine with so many possible CPUs.
    pub(crate) fn reusable(
        &self,
        directory: &Path,
        next: &Self,
        possible_cpus: NonZero<usize>,
    ) -> Vec<&'static str> {
        let mut maps = Vec::new();
        if !self.is_current() {
            return maps;
        }
        let is_same_prefix = self.ipv6_prefix == next.ipv6_prefix;
        let has_v6 = !self.ipv6_index.ranges.is_empty();
        if self.indexes() == next.indexes() && (is_same_prefix || !has_v6) && self.array_fits(directory) {
            maps.push(SUBSCRIBERS);
        }
        if is_same_prefix && next.lru_fits(directory, possible_cpus) {
            maps.extend([SUBSCRIBERS_LRU, MISSES_V6]);
        }
        maps
    }

    /// Whether the array that is pinned in a directory has the shape of this layout.
    pub(crate) fn array_fits(&self, directory: &Path) -> bool {
        let BlockLayout { records, bytes, .. } = self.blocks();
        let blocks = max_entries(self.records_in_array().div_ceil(records));
        shape(MapType::Array, 4, bytes, blocks).is_pinned_at(&directory.join(self.array_name()))
    }

    /// Whether the LRU map that is pinned in a directory has records of this version, however many.
    pub(crate) fn has_lru_records(&self, directory: &Path) -> bool {
        let value_size = if self.has_current_records() {
            size_of::<Subscriber>()
        } else {
            size_of::<SubscriberV2>()
        };
        MapInfo::from_pin(directory.join(self.lru_name()))
            .is_ok_and(|map| shape(MapType::LruHash, 8, value_size, map.max_entries()).fits(&map))
    }

    /// Whether the LRU map that is pinned in a directory is as large as this layout needs.
    fn lru_fits(&self, directory: &Path, possible_cpus: NonZero<usize>) -> bool {
        let misses = shape(MapType::PerCpuArray, 4, 8, max_entries(MISS_SLOTS));
        lru_shape(&self.lru, possible_cpus).is_pinned_at(&directory.join(SUBSCRIBERS_LRU))
            && misses.is_pinned_at(&directory.join(MISSES_V6))
    }
}

fn lru_shape(addresses: &LruAddresses, possible_cpus: NonZero<usize>) -> Shape {
    shape(
        MapType::LruHash,
        8,
        size_of::<Subscriber>(),
        lru_entries(addresses, possible_cpus),
    )
}

#[expect(clippy::cast_possible_truncation, reason = "a value has a few dozen KiB")]
fn shape(kind: MapType, key_size: u32, value_size: usize, max_entries: u32) -> Shape {
    Shape {
        kind,
        key_size,
        value_size: value_size as u32,
        max_entries,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some addresses in the LRU map.
    fn some() -> LruAddresses {
        serde_json::from_str(r#"[["2001:db8::", "2001:db8::ffff"]]"#).unwrap()
    }

    #[test]
    fn the_lru_map_is_recognized_however_many_cpus_are_possible() {
        for addresses in [some(), LruAddresses::default()] {
            for possible_cpus in (1..=1024).filter_map(NonZero::new) {
                let asked_for = lru_entries(&addresses, possible_cpus);
                // What `htab_map_alloc` makes of that in a map without a common LRU list.
                let cpus = u32::try_from(possible_cpus.get()).unwrap();
                let created = asked_for.div_ceil(cpus) * cpus;
                let expected = lru_shape(&addresses, possible_cpus).max_entries;
                assert_eq!(expected, created, "{possible_cpus}");
            }
        }
    }

    #[test]
    fn an_ipv6_subscriber_has_a_record_if_one_of_its_addresses_is_remembered() {
        let layout = RecordLayout {
            ipv6_prefix: 56,
            ipv6_index: serde_json::from_str("[[9008357687951362, 9008357687951363, 7]]").unwrap(),
            lru: some(),
            ..RecordLayout::empty()
        };
        for (prefix, place) in [
            (0x2001_0db8_0000_0000, Some(PlaceV6::Lru)),
            (0x2001_0db8_0000_0100, None),
            (0x2001_0db8_0000_0200, Some(PlaceV6::Array(7))),
            (0x2001_0db8_0000_0300, Some(PlaceV6::Array(8))),
            (0x2001_0db8_0000_0400, None),
            (0x2001_0db7_ffff_ff00, None),
        ] {
            assert_eq!(layout.place_v6(prefix), place, "{prefix:x}");
            assert_eq!(layout.prefix_v6(layout.number_v6(prefix)), prefix);
        }
        let six = layout.subscriber(AddressFamily::V6, 0x20_010d_b800_0002);
        assert_eq!(six.to_string(), "2001:db8:0:200::/56");
        let four = layout.subscriber(AddressFamily::V4, 0xc000_0201);
        assert_eq!(four.to_string(), "192.0.2.1/32");
    }

    #[test]
    fn layouts_of_versions_3_and_4_are_understood_and_one_with_a_prefix_that_cannot_be_is_not() {
        let read = |json: &str| {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            RecordLayout::if_understood(&mut deserializer).unwrap()
        };
        let three = r#"{"version": 3, "ipv6_prefix": 64, "ipv4": [["192.0.2.0", "192.0.2.255", 0]],
            "ipv6": [["2001:db8::", "2001:db8::ffff"]]}"#;
        let layout = read(three).unwrap();
        assert_eq!((layout.records_in_array(), layout.lru.clone()), (256, some()));
        assert!(!layout.is_current() && layout.has_current_records());
        assert_eq!(layout.place_v6(0x2001_0db8_0000_0000), Some(PlaceV6::Lru));
        let written = serde_json::to_string(&RecordLayout {
            version: RECORD_VERSION,
            ..layout.clone()
        });
        let four = read(&written.unwrap()).unwrap();
        assert!(four.is_current() && four.ipv4 == layout.ipv4 && four.lru == layout.lru);
        assert_eq!(read(&three.replace("64", "0")), None);
        assert_eq!(read(&three.replace("64", "65")), None);
    }

    #[test]
    fn each_cpu_keeps_thousands_of_ipv6_records_and_the_memory_is_bounded() {
        for (possible_cpus, entries) in [
            (1, 262_144),
            (2, 262_144),
            (3, 262_146),
            (4, 262_144),
            (6, 393_216),
            (16, 1_048_576),
            (96, 1_048_608),
            (1024, 1_048_576),
        ] {
            let possible_cpus = NonZero::new(possible_cpus).unwrap();
            assert_eq!(lru_entries(&some(), possible_cpus), entries, "{possible_cpus}");
            let none = lru_entries(&LruAddresses::default(), possible_cpus);
            assert_eq!(none as usize, possible_cpus.get());
        }
    }
}
