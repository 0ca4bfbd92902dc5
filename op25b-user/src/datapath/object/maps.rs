//! The maps of a loaded object: finds them by name and writes to them.

use aya::{
    Ebpf, Pod,
    maps::{
        Array, Map, MapData,
        lpm_trie::{Key, LpmTrie},
    },
};

use super::error::LoadError;
use crate::{
    datapath::sys::bpf::{map::MapError, mapping},
    policy::TrieEntry,
};

/// The map of this name.
pub(super) fn map<'e>(ebpf: &'e Ebpf, name: &'static str) -> Result<&'e Map, LoadError> {
    ebpf.map(name).ok_or(LoadError::Missing { name })
}

/// The same, to write to it.
pub(super) fn map_mut<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Map, LoadError> {
    ebpf.map_mut(name).ok_or(LoadError::Missing { name })
}

/// The array map of this name.
pub(super) fn array<'e>(ebpf: &'e Ebpf, name: &'static str) -> Result<&'e MapData, LoadError> {
    match map(ebpf, name)? {
        Map::Array(data) => Ok(data),
        _ => Err(LoadError::Missing { name }),
    }
}

/// The data of a map of one of the types that a filter has.
pub(super) fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::LpmTrie(data)
        | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

/// Copies values to the beginning of an array map that can be mapped into memory.
pub(super) fn copy_to_array<V: Copy>(ebpf: &Ebpf, name: &'static str, values: &[V]) -> Result<(), LoadError> {
    let copied = mapping::copy(array(ebpf, name)?, values);
    Ok(copied.map_err(MapError::write(name))?)
}

/// Writes values to the beginning of an array map.
pub(super) fn fill_array<V: Pod>(ebpf: &mut Ebpf, name: &'static str, values: &[V]) -> Result<(), LoadError> {
    let failed = MapError::write(name);
    let mut array = Array::<_, V>::try_from(map_mut(ebpf, name)?).map_err(&failed)?;
    for (index, value) in (0..).zip(values) {
        array.set(index, value, 0).map_err(&failed)?;
    }
    Ok(())
}

/// Adds entries to a trie.
pub(super) fn fill_trie<K: Pod, V: Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: &[TrieEntry<K, V>],
) -> Result<(), LoadError> {
    let failed = MapError::write(name);
    let mut trie = LpmTrie::<_, K, V>::try_from(map_mut(ebpf, name)?).map_err(&failed)?;
    for entry in entries {
        trie.insert(&Key::new(entry.prefix_len, entry.key), entry.value, 0)
            .map_err(&failed)?;
    }
    Ok(())
}
