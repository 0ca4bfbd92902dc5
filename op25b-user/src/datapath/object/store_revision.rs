//! The revision of the exemption store that a filter enforces: in a map of one entry that no program uses.
//!
//! It is pinned with the filter, so the next process can tell a store that has lost changes.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
};

use aya::maps::{Array, Map, MapData};

use super::maps;
use crate::datapath::sys::bpf::{
    self,
    map::{MapError, MapOp},
};

/// The map's name, and that of its pin.
pub(crate) const STORE_REVISION: &str = "STORE_REVISION";

/// The map of one filter.
#[derive(Debug)]
pub(crate) struct StoreRevision(Map);

impl StoreRevision {
    /// Creates the map, with revision 0.
    pub(super) fn create() -> Result<Self, MapError> {
        let size = u32::try_from(size_of::<u64>()).unwrap_or_default();
        let created = bpf::create_array(STORE_REVISION, size, 1).map_err(|source| MapError {
            op: MapOp::Create,
            name: STORE_REVISION.into(),
            source: source.into(),
        })?;
        let map = MapData::from_fd(created).map_err(MapError::read(STORE_REVISION))?;
        Ok(Self(Map::Array(map)))
    }

    /// The revision in the map that is pinned in a generation's directory; none in that of a version without it.
    pub(crate) fn pinned_in(directory: &Path) -> Option<u64> {
        let map = MapData::from_pin(directory.join(STORE_REVISION)).ok()?;
        let array = Array::<_, u64>::try_from(Map::Array(map)).ok()?;
        array.get(&0, 0).ok()
    }

    pub(super) fn set(&mut self, revision: u64) -> Result<(), MapError> {
        let mut array = Array::<_, u64>::try_from(&mut self.0).map_err(MapError::write(STORE_REVISION))?;
        array.set(0, revision, 0).map_err(MapError::write(STORE_REVISION))
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        maps::data(&self.0).map(|map| map.fd().as_fd())
    }
}
