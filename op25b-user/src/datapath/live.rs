//! Finds the filters that run on interfaces of this network namespace, whichever process loaded them.

use std::collections::btree_map::{BTreeMap, Entry};

use aya::{
    maps::{Array, Map, MapData, MapError, MapInfo, MapType},
    programs::{ProgramError, ProgramInfo, loaded_programs},
};
use op25b_common::{
    names::{COUNTERS, DESCRIPTION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM},
    values::DescriptionChunk,
};
use thiserror::Error;

use super::{
    Counters, Description, Interfaces, counters::CounterTable, description::Described,
    interfaces::InterfacesError,
};
use crate::policy::Role;

/// A filter in the kernel: up to two programs with one set of maps.
#[derive(Debug)]
pub struct LiveFilter {
    /// The interfaces it is attached to.
    pub interfaces: Vec<LiveInterface>,
    /// What it says of itself.
    pub description: Description,
    /// The packets it judged on subscriber interfaces.
    pub subscriber: Counters,
    /// The packets it judged on uplink interfaces.
    pub uplink: Counters,
    /// Bytes of kernel memory that its maps take, about: what they hold, without the kernel's own bookkeeping.
    pub map_bytes: u64,
}

/// An interface with a filter on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// What comes in there.
    pub role: Role,
    /// `native` or `generic`.
    pub mode: &'static str,
    /// The program's id.
    pub program_id: u32,
}

/// Why running filters could not be read.
#[derive(Debug, Error)]
pub enum LiveError {
    /// Interfaces cannot be listed.
    #[error(transparent)]
    Interfaces(#[from] InterfacesError),
    /// Programs cannot be listed.
    #[error("cannot list the loaded BPF programs (this needs root: CAP_SYS_ADMIN)")]
    Programs(#[from] ProgramError),
    /// A filter's maps cannot be read.
    #[error("cannot read the maps of program {program_id} (this needs root: CAP_SYS_ADMIN)")]
    Maps {
        /// The program.
        program_id: u32,
        /// The kernel's answer.
        source: MapError,
    },
    /// The program looks like ours and is not like this version's.
    #[error("program {program_id} was loaded by another version of op25b: its {map} map cannot be read")]
    OtherVersion {
        /// The program.
        program_id: u32,
        /// The map.
        map: &'static str,
    },
}

/// All filters on interfaces of this network namespace, in the order in which they were loaded.
///
/// # Errors
///
/// [`LiveError`].
pub async fn find_live() -> Result<Vec<LiveFilter>, LiveError> {
    let interfaces = Interfaces::list().await?;
    if interfaces.iter().all(|interface| interface.xdp.is_empty()) {
        return Ok(Vec::new());
    }
    // Programs of one filter share its description: that map's id tells which belong together.
    let mut filters: BTreeMap<u32, LiveFilter> = BTreeMap::new();
    for program in loaded_programs() {
        let program = match program {
            // Anybody's program may be unloaded between being listed and being opened.
            Err(error) if is_gone(&error) => continue,
            program => program?,
        };
        let role = match program.name_as_str() {
            Some(SUBSCRIBER_PROGRAM) => Role::Subscriber,
            Some(UPLINK_PROGRAM) => Role::Uplink,
            _ => continue,
        };
        let attached = attached_to(&interfaces, program.id(), role);
        if attached.is_empty() {
            continue;
        }
        let maps = Maps::open(&program)?;
        match filters.entry(maps.id) {
            Entry::Occupied(mut filter) => filter.get_mut().interfaces.extend(attached),
            Entry::Vacant(filter) => {
                filter.insert(maps.read(attached)?);
            }
        }
    }
    Ok(filters.into_values().collect())
}

/// Whether the kernel's answer was that there is no program of this id.
fn is_gone(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::ENOENT))
}

fn attached_to(interfaces: &Interfaces, program_id: u32, role: Role) -> Vec<LiveInterface> {
    interfaces
        .iter()
        .flat_map(|interface| interface.xdp.iter().map(move |xdp| (interface, xdp)))
        .filter(|(_, xdp)| xdp.program_id == program_id)
        .map(|(interface, xdp)| LiveInterface {
            name: interface.name.clone(),
            index: interface.index,
            role,
            mode: xdp.mode,
            program_id,
        })
        .collect()
}

/// The maps through which a program tells of itself.
struct Maps {
    program_id: u32,
    /// The description's id.
    id: u32,
    description: MapData,
    counters: MapData,
    bytes: u64,
}

impl Maps {
    fn open(program: &ProgramInfo) -> Result<Self, LiveError> {
        let program_id = program.id();
        let ids = program.map_ids()?.unwrap_or_default();
        let open = |map| {
            open(&ids, map)
                .map_err(|source| LiveError::Maps { program_id, source })?
                .ok_or(LiveError::OtherVersion { program_id, map })
        };
        let (id, description) = open(DESCRIPTION)?;
        let (_, counters) = open(COUNTERS)?;
        let bytes = ids
            .iter()
            .map(|id| Ok(bytes(&MapInfo::from_id(*id)?)))
            .sum::<Result<u64, MapError>>()
            .map_err(|source| LiveError::Maps { program_id, source })?;
        Ok(Self {
            program_id,
            id,
            description,
            counters,
            bytes,
        })
    }

    fn read(self, interfaces: Vec<LiveInterface>) -> Result<LiveFilter, LiveError> {
        let program_id = self.program_id;
        let failed = |source| LiveError::Maps { program_id, source };
        let other_version = |map| LiveError::OtherVersion { program_id, map };
        let chunks = Array::<_, DescriptionChunk>::try_from(Map::Array(self.description))
            .map_err(|_| other_version(DESCRIPTION))?;
        let chunks = chunks.iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let Described {
            description, layout, ..
        } = Described::from_chunks(chunks.into_iter()).map_err(|_| other_version(DESCRIPTION))?;
        let counters = CounterTable::read(&Map::PerCpuArray(self.counters), &layout.reasons)
            .map_err(|_| other_version(COUNTERS))?;
        Ok(LiveFilter {
            interfaces,
            description,
            subscriber: counters.of(Role::Subscriber),
            uplink: counters.of(Role::Uplink),
            map_bytes: self.bytes,
        })
    }
}

/// What a map holds, which the kernel allots when it is made. Per-CPU maps are small, and counted once.
fn bytes(map: &MapInfo) -> u64 {
    let is_array = map.map_type().is_ok_and(|kind| kind == MapType::Array);
    let key = if is_array { 0 } else { u64::from(map.key_size()) };
    u64::from(map.max_entries()) * (key + u64::from(map.value_size())).next_multiple_of(8)
}

/// The map of this name among those with these ids, with its id.
fn open(ids: &[u32], name: &str) -> Result<Option<(u32, MapData)>, MapError> {
    for id in ids {
        if MapInfo::from_id(*id)?.name_as_str() == Some(name) {
            return MapData::from_id(*id).map(|map| Some((*id, map)));
        }
    }
    Ok(None)
}
