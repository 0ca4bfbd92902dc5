//! A filter as it is pinned: its programs, its description, its policy's maps and the maps that its successor goes on with.

use std::{
    collections::BTreeSet,
    fs, io,
    num::NonZero,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::maps::{Map, MapData, MapInfo};
use op25b_common::names::{
    BUCKET, COUNTERS, DESCRIPTION, MISSES_V6, NOT_IP, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM,
};

use super::{
    directory::{Pins, entries, remove_directory},
    error::PinsError,
};
use crate::{
    datapath::{
        object::{
            Described, Description, Filter, LONG_LIVED, POLICY_MAPS, Reused, STORE_REVISION, StoreRevision,
            program_name,
        },
        stats::{BUCKET_SHAPE, CounterTable, NOT_IP_SHAPE, PoolSlots, RECORD_MAPS, RecordLayout},
        sys::bpf::{self, map::MapError},
    },
    policy::Role,
};

/// A pinned generation.
#[derive(Debug)]
pub(crate) struct Generation {
    path: PathBuf,
    /// Its programs by their ids.
    programs: Vec<(u32, OwnedFd)>,
    /// Its description; none if this op25b cannot read it.
    described: Option<Described>,
}

impl Generation {
    /// Pins a filter.
    pub(crate) fn pin(pins: &Pins, filter: &mut Filter) -> Result<Self, PinsError> {
        let id = filter
            .program_info(Role::Subscriber)
            .map_err(|error| {
                PinsError::refused("pin to", &pins.generations_directory())(io::Error::other(error))
            })?
            .id();
        let path = pins.generations_directory().join(id.to_string());
        // A pinned program keeps its id from being used again. A directory of this name is incomplete: a process ended
        // while it pinned a generation.
        if path.exists() {
            remove_directory(&path)?;
        }
        let pinned = Self::pin_missing(&path, filter).and_then(|_| Self::open(path.clone()));
        if pinned.is_err() {
            // The first error is the one to report.
            let _ = remove_directory(&path);
        }
        pinned
    }

    /// Pins what of a filter is not pinned in its directory, which is made if it does not exist. Returns what it has pinned.
    pub(crate) fn pin_missing(path: &Path, filter: &mut Filter) -> Result<Vec<PathBuf>, PinsError> {
        let mut pinned = Vec::new();
        if !path.exists() {
            fs::create_dir(path).map_err(PinsError::refused("create", path))?;
        }
        for role in [Role::Subscriber, Role::Uplink] {
            let to = path.join(program_name(role));
            if !to.exists() {
                let failed = PinsError::refused("pin to", &to);
                let program = filter.program_fd(role).map_err(io::Error::other);
                program
                    .and_then(|program| bpf::pin(program, &to))
                    .map_err(failed)?;
                pinned.push(to);
            }
        }
        let counters = LONG_LIVED.iter().map(|map| map.name);
        let policy_maps = POLICY_MAPS.into_iter().chain([DESCRIPTION, NOT_IP, BUCKET]);
        for name in counters.chain(RECORD_MAPS).chain(policy_maps) {
            let to = path.join(name);
            if !to.exists() {
                let failed = PinsError::refused("pin to", &to);
                let map = filter.map_fd(name).map_err(io::Error::other);
                map.and_then(|map| bpf::pin(map, &to)).map_err(failed)?;
                pinned.push(to);
            }
        }
        let to = path.join(STORE_REVISION);
        if let Some(map) = filter.store_revision_fd()
            && !to.exists()
        {
            bpf::pin(map, &to).map_err(PinsError::refused("pin to", &to))?;
            pinned.push(to);
        }
        Ok(pinned)
    }

    /// The revision of the exemption store that it enforces, if the version that pinned it notes that.
    pub(crate) fn store_revision(&self) -> Option<u64> {
        StoreRevision::pinned_in(&self.path)
    }

    /// All that are pinned, including incomplete ones that a process left when it ended.
    pub(super) fn all(pins: &Pins) -> Result<Vec<Self>, PinsError> {
        entries(&pins.generations_directory())?
            .into_iter()
            .map(Self::open)
            .collect()
    }

    fn open(path: PathBuf) -> Result<Self, PinsError> {
        let mut programs = Vec::new();
        for name in [SUBSCRIBER_PROGRAM, UPLINK_PROGRAM] {
            let path = path.join(name);
            match bpf::open_pin(&path) {
                Ok(program) => {
                    let id = bpf::program_id(program.as_fd()).map_err(PinsError::refused("query", &path))?;
                    programs.push((id, program));
                }
                // The generation is incomplete, or of another version.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(PinsError::refused("open", &path)(error)),
            }
        }
        let described = MapData::from_pin(path.join(DESCRIPTION));
        let described = described.ok().and_then(|map| Described::read(map).ok());
        Ok(Self {
            path,
            programs,
            described,
        })
    }

    /// The program of this id, if it belongs to this generation.
    pub(crate) fn program(&self, id: u32) -> Option<BorrowedFd<'_>> {
        self.programs
            .iter()
            .find(|(program, _)| *program == id)
            .map(|(_, fd)| fd.as_fd())
    }

    /// The directory in which it is pinned.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its description, if this op25b can read it.
    pub(crate) fn description(&self) -> Option<&Description> {
        self.described.as_ref().map(|described| &described.description)
    }

    /// The name of the layout of its maps, for people.
    pub(crate) fn layout_name(&self) -> String {
        self.described
            .as_ref()
            .map_or_else(|| "unknown".into(), |described| described.layout.name())
    }

    /// What a filter of this op25b with this record layout can share. `pools_in_use` are counted in as long as filters before run.
    pub(crate) fn reusable(
        &self,
        next: &RecordLayout,
        possible_cpus: NonZero<usize>,
        pools_in_use: BTreeSet<String>,
    ) -> Reused {
        let mut maps = Vec::new();
        let mut pool_slots = PoolSlots::default();
        if let Some(described) = self.described.as_ref().filter(|_| self.has_our_counters()) {
            maps.extend(LONG_LIVED.iter().map(|map| map.name));
            pool_slots = described.pool_slots.clone();
        }
        // What is in these means the same in all versions that have maps of these shapes.
        for (name, shape) in [(NOT_IP, NOT_IP_SHAPE), (BUCKET, BUCKET_SHAPE)] {
            if shape.is_pinned_at(&self.path.join(name)) {
                maps.push(name);
            }
        }
        if let Some(records) = self.records() {
            maps.extend(records.reusable(&self.path, next, possible_cpus));
        }
        let pinned = maps.into_iter().map(|name| (name, self.path.join(name)));
        Reused {
            maps: pinned.collect(),
            pool_slots,
            pools_in_use,
        }
    }

    /// Whether a filter of this op25b can share the maps of [`LONG_LIVED`]: all or none.
    pub(crate) fn has_our_counters(&self) -> bool {
        let described = self.described.as_ref();
        described.is_some_and(|described| described.layout.is_ours())
            && LONG_LIVED
                .iter()
                .all(|map| map.shape.is_pinned_at(&self.path.join(map.name)))
    }

    /// The layout of the subscribers' records, if this op25b can read it.
    pub(crate) fn records(&self) -> Option<&RecordLayout> {
        self.described.as_ref()?.records.as_ref()
    }

    /// The array of records, if it has the shape in the description.
    pub(crate) fn record_array(&self) -> Option<Result<MapData, MapError>> {
        let records = self.records()?;
        let fits = records.array_fits(&self.path);
        fits.then(|| self.open_map(records.array_name()))
    }

    /// The LRU map, if its records are those of the description, and that of how often packets found none.
    pub(crate) fn lru_map(&self) -> Option<Result<(Map, Map), MapError>> {
        let records = self.records()?;
        let read = || {
            let lru = Map::LruHashMap(self.open_map(records.lru_name())?);
            Ok((lru, Map::PerCpuArray(self.open_map(MISSES_V6)?)))
        };
        let fits = records.has_lru_records(&self.path);
        fits.then(read)
    }

    /// The kernel's id of the map that is pinned under this name.
    pub(crate) fn map_id(&self, name: &str) -> Option<u32> {
        let info = MapInfo::from_pin(self.path.join(name));
        info.ok().map(|info| info.id())
    }

    /// The counters, if this op25b can read the description of their layout.
    pub(crate) fn counters(&self) -> Option<Result<CounterTable, MapError>> {
        let names = self.described.as_ref()?.layout.counters();
        let map = self.open_map(COUNTERS);
        Some(map.and_then(|map| CounterTable::read(&Map::PerCpuArray(map), &names)))
    }

    fn open_map(&self, name: &'static str) -> Result<MapData, MapError> {
        MapData::from_pin(self.path.join(name)).map_err(MapError::read(name))
    }

    /// Unpins it.
    pub(crate) fn remove(self) -> Result<(), PinsError> {
        remove_directory(&self.path)
    }

    /// Whether it is pinned in the same directory as another.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.path == other.path
    }
}
