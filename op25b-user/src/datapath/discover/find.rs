//! Finds the filters that run on interfaces of this network namespace, whichever process loaded them.

use std::collections::{BTreeMap, btree_map::Entry};

use aya::programs::{ProgramError, loaded_programs};
use op25b_common::names::{DESCRIPTION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};
use thiserror::Error;

use super::maps::Maps;
use crate::{
    datapath::{
        object::Description,
        stats::{Counters, SubscriberRecords},
        sys::{
            interfaces::{Interfaces, InterfacesError},
            map::MapError,
        },
    },
    policy::Role,
};

/// The filters that run.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that this op25b understands, in the order in which they were loaded.
    pub filters: Vec<FoundFilter>,
    /// Those that another version has loaded, whose maps this one cannot read.
    pub unreadable: Vec<UnreadableFilter>,
}

/// A filter of which nothing is known but where it runs.
#[derive(Debug)]
pub struct UnreadableFilter {
    /// The interfaces it is attached to.
    pub interfaces: Vec<FoundInterface>,
    /// What of it cannot be read.
    pub why: String,
}

/// A filter in the kernel: up to two programs with one set of maps.
#[derive(Debug)]
pub struct FoundFilter {
    /// The interfaces it is attached to.
    pub interfaces: Vec<FoundInterface>,
    /// What it says of itself.
    pub description: Description,
    /// The packets it judged on subscriber interfaces.
    pub subscriber: Counters,
    /// The packets it judged on uplink interfaces.
    pub uplink: Counters,
    /// Bytes of kernel memory that its maps take, about: what they hold, without the kernel's own bookkeeping.
    pub map_bytes: u64,
    /// What it remembers of subscribers; nothing if this op25b does not understand how.
    pub records: Option<SubscriberRecords>,
}

/// An interface with a filter on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInterface {
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
pub enum DiscoverError {
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
}

/// All filters on interfaces of this network namespace.
///
/// # Errors
///
/// [`DiscoverError`].
pub async fn find() -> Result<Found, DiscoverError> {
    let interfaces = Interfaces::list().await?;
    if interfaces.iter().all(|interface| interface.xdp.is_empty()) {
        return Ok(Found::default());
    }
    // Programs of one filter share its description: that map's id tells which belong together.
    let mut filters: BTreeMap<u32, FoundFilter> = BTreeMap::new();
    // One without a description goes by its program.
    let mut unreadable: BTreeMap<(Option<u32>, u32), UnreadableFilter> = BTreeMap::new();
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
        let maps = Maps::of(&program)?;
        let id = maps.id(DESCRIPTION);
        if let Some(filter) = id.and_then(|id| filters.get_mut(&id)) {
            filter.interfaces.extend(attached);
            continue;
        }
        match (maps.read(&attached)?, id) {
            (Ok(filter), Some(id)) => {
                filters.insert(id, filter);
            }
            (Err(why), id) => {
                let key = (id, if id.is_some() { 0 } else { program.id() });
                match unreadable.entry(key) {
                    Entry::Occupied(mut filter) => filter.get_mut().interfaces.extend(attached),
                    Entry::Vacant(filter) => {
                        filter.insert(UnreadableFilter {
                            interfaces: attached,
                            why,
                        });
                    }
                }
            }
            // What was read has a description.
            (Ok(_), None) => {}
        }
    }
    Ok(Found {
        filters: filters.into_values().collect(),
        unreadable: unreadable.into_values().collect(),
    })
}

/// Whether the kernel's answer was that there is no program of this id.
fn is_gone(error: &ProgramError) -> bool {
    matches!(error, ProgramError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::ENOENT))
}

fn attached_to(interfaces: &Interfaces, program_id: u32, role: Role) -> Vec<FoundInterface> {
    interfaces
        .iter()
        .flat_map(|interface| interface.xdp.iter().map(move |xdp| (interface, xdp)))
        .filter(|(_, xdp)| xdp.program_id == program_id)
        .map(|(interface, xdp)| FoundInterface {
            name: interface.name.clone(),
            index: interface.index,
            role,
            mode: xdp.mode,
            program_id,
        })
        .collect()
}
