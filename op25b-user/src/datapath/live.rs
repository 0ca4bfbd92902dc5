//! Finds the filters that run on interfaces of this network namespace, whichever process loaded them.

use aya::{
    maps::{Array, Map, MapData, MapError, MapInfo},
    programs::{ProgramError, ProgramInfo, loaded_programs},
};
use op25b_common::{
    names::{COUNTERS, DESCRIPTION, SUBSCRIBER_PROGRAM},
    values::DescriptionChunk,
};
use thiserror::Error;

use super::{Counters, Description, Interfaces, interfaces::InterfacesError};

/// A filter in the kernel.
#[derive(Debug)]
pub struct LiveFilter {
    /// The program's id.
    pub program_id: u32,
    /// The interfaces it is attached to.
    pub interfaces: Vec<LiveInterface>,
    /// What it says of itself.
    pub description: Description,
    /// The packets it judged.
    pub counters: Counters,
}

/// An interface with a filter on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveInterface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// `native` or `generic`.
    pub mode: &'static str,
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

/// All filters on interfaces of this network namespace, in the order of their programs' ids.
///
/// # Errors
///
/// [`LiveError`].
pub async fn find_live() -> Result<Vec<LiveFilter>, LiveError> {
    let interfaces = Interfaces::list().await?;
    if interfaces.iter().all(|interface| interface.xdp.is_empty()) {
        return Ok(Vec::new());
    }
    let mut filters = Vec::new();
    for program in loaded_programs() {
        let program = match program {
            // Anybody's program may be unloaded between being listed and being opened.
            Err(error) if is_gone(&error) => continue,
            program => program?,
        };
        if program.name_as_str() != Some(SUBSCRIBER_PROGRAM) {
            continue;
        }
        let attached = attached_to(&interfaces, program.id());
        if !attached.is_empty() {
            filters.push(read(&program, attached)?);
        }
    }
    Ok(filters)
}

/// Whether the kernel's answer was that there is no program of this id.
fn is_gone(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::ENOENT))
}

fn attached_to(interfaces: &Interfaces, program_id: u32) -> Vec<LiveInterface> {
    interfaces
        .iter()
        .flat_map(|interface| interface.xdp.iter().map(move |xdp| (interface, xdp)))
        .filter(|(_, xdp)| xdp.program_id == program_id)
        .map(|(interface, xdp)| LiveInterface {
            name: interface.name.clone(),
            index: interface.index,
            mode: xdp.mode,
        })
        .collect()
}

fn read(program: &ProgramInfo, interfaces: Vec<LiveInterface>) -> Result<LiveFilter, LiveError> {
    let program_id = program.id();
    let failed = |source| LiveError::Maps { program_id, source };
    let other_version = |map| LiveError::OtherVersion { program_id, map };
    let ids = program.map_ids()?.unwrap_or_default();

    let description = open(&ids, DESCRIPTION)
        .map_err(failed)?
        .ok_or(other_version(DESCRIPTION))?;
    let chunks = Array::<_, DescriptionChunk>::try_from(Map::Array(description))
        .map_err(|_| other_version(DESCRIPTION))?;
    let chunks = chunks.iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let description = Description::from_chunks(chunks.into_iter()).map_err(|_| other_version(DESCRIPTION))?;

    let counters = open(&ids, COUNTERS)
        .map_err(failed)?
        .ok_or(other_version(COUNTERS))?;
    let counters = Counters::read(&Map::PerCpuArray(counters)).map_err(|_| other_version(COUNTERS))?;

    Ok(LiveFilter {
        program_id,
        interfaces,
        description,
        counters,
    })
}

/// The map of this name among those with these ids.
fn open(ids: &[u32], name: &str) -> Result<Option<MapData>, MapError> {
    for id in ids {
        if MapInfo::from_id(*id)?.name_as_str() == Some(name) {
            return MapData::from_id(*id).map(Some);
        }
    }
    Ok(None)
}
