//! The policy of the filter that is pinned in a directory, and the programs that enforce it, whichever process holds the pins.

use std::{io, os::fd::AsFd as _, path::Path};

use aya::maps::MapData;
use op25b_common::names::DESCRIPTION;

use super::directory::{GENERATIONS, entries, pinned_links};
use crate::{
    datapath::{
        object::{Described, Description, program_name},
        sys::bpf,
    },
    policy::{Role, Word as _},
};

/// A pinned policy.
#[derive(Clone, Debug)]
pub struct PinnedPolicy {
    /// Its description.
    pub description: Description,
    /// The ids of its programs.
    programs: Vec<(Role, u32)>,
}

impl PinnedPolicy {
    /// The id of its program for interfaces of a role, by the role's name in the policy.
    #[must_use]
    pub fn program_id(&self, role: &str) -> Option<u32> {
        let mut programs = self.programs.iter();
        programs.find(|(of, _)| of.name() == role).map(|(_, id)| *id)
    }
}

/// The policy that is pinned in a directory; none if nothing is, or nothing that this op25b can read. While it is replaced, or
/// if a process ended in the midst of that, the one that runs, and of several the newest.
pub fn pinned_policy(directory: &Path) -> io::Result<Option<PinnedPolicy>> {
    let running = pinned_links(directory)?;
    // The holder may remove a generation while it is read.
    let generations = entries(&directory.join(GENERATIONS)).unwrap_or_default();
    let policies = generations.iter().filter_map(|generation| read(generation));
    Ok(policies.max_by_key(|policy| {
        let runs = |(_, program): &(String, u32)| policy.programs.iter().any(|(_, id)| id == program);
        (running.iter().any(runs), policy.description.loaded_at)
    }))
}

fn read(generation: &Path) -> Option<PinnedPolicy> {
    let map = MapData::from_pin(generation.join(DESCRIPTION)).ok()?;
    let description = Described::read(map).ok()?.description;
    let mut programs = Vec::new();
    for role in Role::ALL {
        let program = bpf::open_pin(&generation.join(program_name(*role))).ok()?;
        programs.push((*role, bpf::program_id(program.as_fd()).ok()?));
    }
    Some(PinnedPolicy {
        description,
        programs,
    })
}
