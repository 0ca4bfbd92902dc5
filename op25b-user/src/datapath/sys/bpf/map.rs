//! Kernel maps of any kind: their shapes, their sizes, and the error of an operation on one.

use std::{borrow::Cow, fmt, num::NonZero, path::Path};

use aya::maps::{MapInfo, MapType};
use thiserror::Error;

/// An operation on a map failed.
#[derive(Debug, Error)]
#[error("cannot {op} map {name}")]
pub struct MapError {
    /// What was tried.
    pub op: MapOp,
    /// The map's name.
    pub name: Cow<'static, str>,
    /// The kernel's answer, or what aya found wrong with the map.
    pub source: aya::maps::MapError,
}

/// What was tried on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOp {
    /// To read entries, or the map's shape.
    Read,
    /// To write entries.
    Write,
    /// To create the map.
    Create,
}

impl fmt::Display for MapOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
        })
    }
}

impl MapError {
    /// Turns the error of reading a map into one that names the map.
    pub(crate) fn read<E: Into<aya::maps::MapError>>(name: &'static str) -> impl Fn(E) -> Self {
        Self::of(MapOp::Read, name)
    }

    /// Turns the error of writing to a map into one that names the map.
    pub(crate) fn write<E: Into<aya::maps::MapError>>(name: &'static str) -> impl Fn(E) -> Self {
        Self::of(MapOp::Write, name)
    }

    fn of<E: Into<aya::maps::MapError>>(op: MapOp, name: &'static str) -> impl Fn(E) -> Self {
        move |source| Self {
            op,
            name: Cow::Borrowed(name),
            source: source.into(),
        }
    }
}

/// A map's type and sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Its type, as the kernel numbers them.
    pub(crate) kind: MapType,
    pub(crate) key_size: u32,
    pub(crate) value_size: u32,
    pub(crate) max_entries: u32,
}

impl Shape {
    /// Whether a map has this shape.
    pub(crate) fn fits(self, map: &MapInfo) -> bool {
        map.map_type().is_ok_and(|kind| kind == self.kind)
            && (map.key_size(), map.value_size(), map.max_entries())
                == (self.key_size, self.value_size, self.max_entries)
    }

    /// The bytes that its entries take, as [`bytes`].
    pub(crate) fn bytes(self, possible_cpus: NonZero<usize>) -> u64 {
        /// `struct htab_elem`, before each key.
        const ELEMENT: u64 = 48;
        /// `struct bucket`: as many as a power of two.
        const BUCKET: u64 = 16;
        /// What an entry has that points to the values of all CPUs.
        const POINTER: u64 = 8;
        let (entries, key, value) = (
            u64::from(self.max_entries),
            u64::from(self.key_size),
            u64::from(self.value_size).next_multiple_of(8),
        );
        let values = POINTER + value * possible_cpus.get() as u64;
        let hash = |value| {
            let element = ELEMENT + key.next_multiple_of(8) + value;
            entries * element + entries.next_power_of_two() * BUCKET
        };
        match self.kind {
            MapType::Array => entries * value,
            MapType::PerCpuArray => entries * values,
            MapType::Hash | MapType::LruHash => hash(value),
            MapType::PerCpuHash | MapType::LruPerCpuHash => hash(values),
            // Its entries are its bytes.
            MapType::RingBuf => entries,
            _ => entries * (key + u64::from(self.value_size)).next_multiple_of(8),
        }
    }

    /// Whether what is pinned at `path` is a map of this shape.
    pub(crate) fn is_pinned_at(self, path: &Path) -> bool {
        MapInfo::from_pin(path).is_ok_and(|map| self.fits(&map))
    }
}

/// The size of a map for so many entries: the kernel refuses empty maps.
pub(crate) fn max_entries(entries: usize) -> u32 {
    u32::try_from(entries.max(1)).unwrap_or(u32::MAX)
}

/// The size of a hash with an LRU list for each CPU (`BPF_F_NO_COMMON_LRU`) and room for so many entries: the kernel makes all
/// lists equally long, and the map as large as they are together.
pub(crate) fn per_cpu_lru_entries(entries: usize, possible_cpus: NonZero<usize>) -> u32 {
    max_entries(entries.max(1).next_multiple_of(possible_cpus.get()))
}

/// The bytes that a map's entries take, which the kernel allocates when it creates the map: those of a per-CPU map once for each CPU
/// that there may ever be.
pub(crate) fn bytes(map: &MapInfo, possible_cpus: NonZero<usize>) -> u64 {
    let shape = Shape {
        kind: map.map_type().unwrap_or(MapType::Unspecified),
        key_size: map.key_size(),
        value_size: map.value_size(),
        max_entries: map.max_entries(),
    };
    shape.bytes(possible_cpus)
}

#[cfg(test)]
mod tests {
    use std::{error::Error as _, io};

    use super::*;

    #[test]
    fn the_error_names_the_operation_and_the_map_and_leaves_the_rest_to_its_source() {
        let refused = || io::Error::from_raw_os_error(libc::EPERM);
        let error = MapError::read("COUNTERS")(refused());
        assert_eq!(error.to_string(), "cannot read map COUNTERS");
        assert_eq!(error.source().unwrap().to_string(), refused().to_string());
        let error = MapError::write("PAGES")(refused());
        assert_eq!(error.to_string(), "cannot write map PAGES");
    }
    #[test]
    fn the_values_of_a_per_cpu_map_are_there_once_for_each_cpu() {
        use MapType::{Array, Hash, LruHash, LruPerCpuHash, PerCpuArray, PerCpuHash, RingBuf};
        // A value of 12 bytes takes 16.
        let bytes = |kind, cpus| {
            let shape = Shape {
                kind,
                key_size: 4,
                value_size: 12,
                max_entries: 100,
            };
            shape.bytes(NonZero::new(cpus).unwrap())
        };
        for kind in [PerCpuArray, PerCpuHash, LruPerCpuHash] {
            assert_eq!(bytes(kind, 65) - bytes(kind, 1), 64 * 100 * 16, "{kind:?}");
        }
        for kind in [Array, Hash, LruHash, RingBuf] {
            assert_eq!(bytes(kind, 65), bytes(kind, 1), "{kind:?}");
        }
        assert_eq!(bytes(Array, 1), 100 * 16);
    }
}
