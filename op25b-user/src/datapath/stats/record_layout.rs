//! The layout of the subscribers' records, and which of their maps the next filter can share.

use std::{mem::offset_of, net::Ipv6Addr, num::NonZero, path::Path};

use aya::maps::{MapInfo, MapType};
use op25b_common::{
    RECORD_VERSION,
    names::{MISSES_V6, SUBSCRIBERS_V4, SUBSCRIBERS_V6},
    values::{Cold, Hot, MISS_SLOTS, Subscriber, SubscriberBlock},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    datapath::sys::map::{Shape, max_entries, per_cpu_lru_entries},
    policy::{Compiled, RecordIndex, RecordedPrefixes},
};

/// The version of records before the current one, which are migrated: a record ends with its cold half.
const VERSION_2: u32 = 2;

/// The maps with the records and what belongs to them.
pub(crate) const RECORD_MAPS: [&str; 3] = [SUBSCRIBERS_V4, SUBSCRIBERS_V6, MISSES_V6];

/// How many IPv6 subscribers have a record at most, on a machine with so many possible CPUs, if some are `remembered`; as few
/// as the kernel allows if none is.
///
/// The kernel divides them among all possible CPUs, and a CPU begins records in its own part alone: where a NIC spreads its
/// packets over 4 queues of a machine with 96 possible CPUs, 92 parts stay empty.
pub(crate) fn subscribers_v6_entries(remembered: &RecordedPrefixes, possible_cpus: NonZero<usize>) -> u32 {
    const EACH: usize = 1 << 16;
    const LEAST: usize = 1 << 18;
    /// About 112 MiB of kernel memory.
    const MOST: usize = 1 << 20;
    let wanted = if remembered.is_empty() {
        1
    } else {
        EACH.saturating_mul(possible_cpus.get()).clamp(LEAST, MOST)
    };
    per_cpu_lru_entries(wanted, possible_cpus)
}

/// Where the parts of a record are in a map value with the records of several IPv4 addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLayout {
    /// How many records a value has.
    pub(crate) records: usize,
    /// Its size.
    pub(crate) bytes: usize,
    /// Where the first [`Cold`] half begins; the first [`Hot`] half is at the beginning.
    pub(crate) cold: usize,
    /// Where the first [`Subscriber::hidden`] is.
    pub(crate) hidden: Option<usize>,
}

impl BlockLayout {
    /// That of this op25b.
    pub(crate) const CURRENT: Self = Self {
        records: SubscriberBlock::RECORDS,
        bytes: size_of::<SubscriberBlock>(),
        cold: offset_of!(SubscriberBlock, cold),
        hidden: Some(offset_of!(SubscriberBlock, hidden)),
    };

    /// That of records of version 2: 256 hot halves, and as many cold ones.
    const VERSION_2: Self = Self {
        records: 256,
        bytes: 256 * size_of::<SubscriberV2>(),
        cold: 256 * size_of::<Hot>(),
        hidden: None,
    };
}

/// A record of version 2, as the map of IPv6 records had it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct SubscriberV2 {
    hot: Hot,
    cold: Cold,
}

// SAFETY: `repr(C)` of integers, without padding; any bit pattern is valid.
unsafe impl aya::Pod for SubscriberV2 {}

impl From<SubscriberV2> for Subscriber {
    fn from(SubscriberV2 { hot, cold }: SubscriberV2) -> Self {
        Self {
            hot,
            cold,
            ..Self::default()
        }
    }
}

/// Which subscriber's record is where. It is part of the filter's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordLayout {
    /// The version of a record's fields.
    version: u32,
    /// How many bits of an IPv6 address identify its subscriber.
    pub(crate) ipv6_prefix: u8,
    /// Which IPv4 addresses have a record, in the order of the records.
    pub(crate) ipv4: RecordIndex,
    /// Which IPv6 addresses' subscribers have one; not known of version 2.
    #[serde(default)]
    pub(crate) ipv6: RecordedPrefixes,
}

impl RecordLayout {
    /// The layout of a filter that this op25b loads.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: compiled.ipv6_prefix,
            ipv4: compiled.record_index.clone(),
            ipv6: compiled.recorded_v6.clone(),
        }
    }

    /// One without a record.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: 64,
            ipv4: RecordIndex::default(),
            ipv6: RecordedPrefixes::default(),
        }
    }

    /// Reads the layout from a description; `None` if it is of a version whose records cannot even be migrated.
    pub(crate) fn if_understood<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Self>, D::Error> {
        // Through a value: whatever stands here, the rest of the description is read.
        let value = serde_json::Value::deserialize(json)?;
        let layout = serde_json::from_value::<Self>(value).ok();
        Ok(layout.filter(|layout| matches!(layout.version, VERSION_2 | RECORD_VERSION)))
    }

    /// Whether a program of this op25b can share the maps.
    pub(crate) fn is_current(&self) -> bool {
        self.version == RECORD_VERSION
    }

    /// Whether there may be IPv6 records.
    pub(crate) fn may_have_v6(&self) -> bool {
        !self.is_current() || !self.ipv6.is_empty()
    }

    /// How the map of IPv4 records is divided.
    pub(crate) fn blocks(&self) -> BlockLayout {
        if self.is_current() {
            BlockLayout::CURRENT
        } else {
            BlockLayout::VERSION_2
        }
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
        if self.ipv4 == next.ipv4 && self.v4_fits(directory) {
            maps.push(SUBSCRIBERS_V4);
        }
        if self.ipv6_prefix == next.ipv6_prefix && next.v6_fits(directory, possible_cpus) {
            maps.extend([SUBSCRIBERS_V6, MISSES_V6]);
        }
        maps
    }

    /// Whether the map of IPv4 records that is pinned in a directory has the shape of this layout.
    pub(crate) fn v4_fits(&self, directory: &Path) -> bool {
        let BlockLayout { records, bytes, .. } = self.blocks();
        let blocks = max_entries(self.ipv4.addresses.div_ceil(records));
        shape(MapType::Array, 4, bytes, blocks).is_pinned_at(&directory.join(SUBSCRIBERS_V4))
    }

    /// Whether the map of IPv6 records that is pinned in a directory has records of this version, however many.
    pub(crate) fn has_v6_records(&self, directory: &Path) -> bool {
        let value_size = if self.is_current() {
            size_of::<Subscriber>()
        } else {
            size_of::<SubscriberV2>()
        };
        MapInfo::from_pin(directory.join(SUBSCRIBERS_V6))
            .is_ok_and(|map| shape(MapType::LruHash, 8, value_size, map.max_entries()).fits(&map))
    }

    /// Whether the map of IPv6 records that is pinned in a directory is as large as this layout needs.
    fn v6_fits(&self, directory: &Path, possible_cpus: NonZero<usize>) -> bool {
        let misses = shape(MapType::PerCpuArray, 4, 8, max_entries(MISS_SLOTS));
        v6_shape(&self.ipv6, possible_cpus).is_pinned_at(&directory.join(SUBSCRIBERS_V6))
            && misses.is_pinned_at(&directory.join(MISSES_V6))
    }

    /// Whether the IPv6 subscriber with these first 64 bits has a record: one of its addresses is in a pool that is remembered.
    pub(crate) fn remembers_v6(&self, prefix: u64) -> bool {
        let first = u128::from(prefix) << 64;
        let last = first | u128::MAX >> self.ipv6_prefix;
        self.ipv6
            .overlap(Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last))
    }
}

fn v6_shape(remembered: &RecordedPrefixes, possible_cpus: NonZero<usize>) -> Shape {
    shape(
        MapType::LruHash,
        8,
        size_of::<Subscriber>(),
        subscribers_v6_entries(remembered, possible_cpus),
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

    /// Some addresses that are remembered.
    fn some() -> RecordedPrefixes {
        serde_json::from_str(r#"[["2001:db8::", "2001:db8::ffff"]]"#).unwrap()
    }

    #[test]
    fn the_map_of_ipv6_records_is_recognized_however_many_cpus_are_possible() {
        for remembered in [some(), RecordedPrefixes::default()] {
            for possible_cpus in (1..=1024).filter_map(NonZero::new) {
                let asked_for = subscribers_v6_entries(&remembered, possible_cpus);
                // What `htab_map_alloc` makes of that in a map without a common LRU list.
                let cpus = u32::try_from(possible_cpus.get()).unwrap();
                let created = asked_for.div_ceil(cpus) * cpus;
                let expected = v6_shape(&remembered, possible_cpus).max_entries;
                assert_eq!(expected, created, "{possible_cpus}");
            }
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_remembered_if_one_of_its_addresses_is() {
        let layout = RecordLayout {
            ipv6_prefix: 56,
            ipv6: some(),
            ..RecordLayout::empty()
        };
        for (prefix, is_remembered) in [
            (0x2001_0db8_0000_0000, true),
            (0x2001_0db8_0000_0100, false),
            (0x2001_0db7_ffff_ff00, false),
        ] {
            assert_eq!(layout.remembers_v6(prefix), is_remembered, "{prefix:x}");
        }
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
            assert_eq!(
                subscribers_v6_entries(&some(), possible_cpus),
                entries,
                "{possible_cpus}"
            );
            let none = subscribers_v6_entries(&RecordedPrefixes::default(), possible_cpus);
            assert_eq!(none as usize, possible_cpus.get());
        }
    }
}
