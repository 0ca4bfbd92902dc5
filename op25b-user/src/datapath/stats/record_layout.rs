//! How the records of subscribers are laid out, and which of their maps the next filter can go on with.

use std::path::Path;

use aya::maps::{MapInfo, MapType};
use op25b_common::{
    RECORD_VERSION,
    names::{MISSES_V6, SUBSCRIBERS_V4, SUBSCRIBERS_V6},
    values::{Subscriber, SubscriberBlock},
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    datapath::object::{SUBSCRIBERS_V6_ENTRIES, size},
    policy::{Compiled, RecordIndex},
};

/// The maps with the records and what belongs to them.
pub(crate) const RECORD_MAPS: [&str; 3] = [SUBSCRIBERS_V4, SUBSCRIBERS_V6, MISSES_V6];

/// Whose records are where. It stands in the filter's description, next to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Records {
    /// What the fields of a record mean.
    version: u32,
    /// How many bits of an IPv6 address are its subscriber's.
    pub(crate) ipv6_prefix: u8,
    /// Which IPv4 addresses have a record, in the order of the records.
    pub(crate) ipv4: RecordIndex,
}

impl Records {
    /// Those of a filter that this op25b loads.
    pub(crate) fn of(compiled: &Compiled) -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: compiled.ipv6_prefix,
            ipv4: compiled.record_index.clone(),
        }
    }

    /// Of nobody.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            version: RECORD_VERSION,
            ipv6_prefix: 64,
            ipv4: RecordIndex::default(),
        }
    }

    /// Reads what a filter says; nothing if another version of op25b means something else by it.
    pub(crate) fn if_understood<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Self>, D::Error> {
        // Whatever it is, the rest of the description is to be read.
        let told = serde_json::Value::deserialize(json)?;
        let records = serde_json::from_value::<Self>(told).ok();
        Ok(records.filter(|records| records.version == RECORD_VERSION))
    }

    /// The maps in a directory of pins with which a filter with records like `next` can go on, laid out like this.
    pub(crate) fn reusable(&self, directory: &Path, next: &Self) -> Vec<&'static str> {
        let mut maps = Vec::new();
        if self.ipv4 == next.ipv4 && self.v4_fits(directory) {
            maps.push(SUBSCRIBERS_V4);
        }
        if self.ipv6_prefix == next.ipv6_prefix && v6_fits(directory) {
            maps.extend([SUBSCRIBERS_V6, MISSES_V6]);
        }
        maps
    }

    /// Whether the map of IPv4 records has the shape that it should have.
    pub(crate) fn v4_fits(&self, directory: &Path) -> bool {
        let shape = (
            MapType::Array,
            4,
            size_of::<SubscriberBlock>(),
            size(SubscriberBlock::count(self.ipv4.addresses)),
        );
        has_shape(&directory.join(SUBSCRIBERS_V4), shape)
    }
}

fn v6_fits(directory: &Path) -> bool {
    let records = (
        MapType::LruHash,
        8,
        size_of::<Subscriber>(),
        size(SUBSCRIBERS_V6_ENTRIES),
    );
    let misses = (MapType::PerCpuArray, 4, 8, 2);
    has_shape(&directory.join(SUBSCRIBERS_V6), records) && has_shape(&directory.join(MISSES_V6), misses)
}

/// Whether what is pinned at `path` is a map of this type, with keys and values of these sizes, and so many of them.
fn has_shape(path: &Path, (kind, key, value, entries): (MapType, u32, usize, u32)) -> bool {
    MapInfo::from_pin(path).is_ok_and(|map| {
        map.map_type().is_ok_and(|found| found == kind)
            && (map.key_size(), map.value_size() as usize, map.max_entries()) == (key, value, entries)
    })
}
