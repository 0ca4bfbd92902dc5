//! Finds the filters on interfaces of this network namespace through the XDP programs that run there.

use std::collections::{BTreeMap, btree_map::Entry};

use aya::programs::{ProgramError, loaded_programs};
use op25b_common::names::{DESCRIPTION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};

use super::{
    found::{DiscoverError, Found, FoundFilter, FoundInterface, UnreadableFilter},
    maps::Maps,
};
use crate::{datapath::sys::interfaces::Interfaces, policy::Role};

/// Finds all filters on interfaces of this network namespace.
pub fn find() -> Result<Found, DiscoverError> {
    let interfaces = Interfaces::list()?;
    if interfaces.iter().all(|interface| interface.xdp.is_empty()) {
        return Ok(Found::default());
    }
    // The programs of one filter share its description: that map's id identifies the filter.
    let mut filters: BTreeMap<u32, FoundFilter> = BTreeMap::new();
    // A filter without a description is identified by its program.
    let mut unreadable: BTreeMap<(Option<u32>, u32), UnreadableFilter> = BTreeMap::new();
    for program in loaded_programs() {
        let program = match program {
            // A program may be unloaded after it was listed and before it is opened.
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
            // A filter that was read has a description.
            (Ok(_), None) => {}
        }
    }
    Ok(Found {
        filters: filters.into_values().collect(),
        unreadable: unreadable.into_values().collect(),
    })
}

/// Whether the kernel has no program of this id any more.
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
