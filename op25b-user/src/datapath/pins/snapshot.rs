//! The pinned links and generations at one moment.

use std::{collections::BTreeSet, os::fd::BorrowedFd, path::PathBuf};

use super::{
    directory::{Pins, interface_name},
    error::PinsError,
    generation::Generation,
    link::Link,
};
use crate::datapath::sys::bpf::XdpLinkInfo;

/// Everything that is pinned when a replacement begins.
pub(crate) struct Snapshot {
    pub(crate) links: Vec<PinnedLink>,
    pub(crate) generations: Vec<Generation>,
}

/// A pinned link.
pub(crate) struct PinnedLink {
    /// The interface in whose name it is pinned, which may bear another name now.
    pub(crate) interface: String,
    pub(crate) link: Link,
    pub(crate) info: XdpLinkInfo,
    /// Its pins: one, or several if a process ended while it renamed them.
    pub(crate) paths: Vec<PathBuf>,
}

impl Snapshot {
    /// Reads what is pinned.
    pub(crate) fn read(pins: &Pins) -> Result<Self, PinsError> {
        let mut links: Vec<PinnedLink> = Vec::new();
        // From the last to the first: a pin without an interface's name sorts first, and is not to name a link that has both.
        for (path, link) in pins.links()?.into_iter().rev() {
            let info = link.info().map_err(PinsError::refused("query", &path))?;
            match links.iter_mut().find(|pinned| pinned.info.id == info.id) {
                Some(pinned) => pinned.paths.push(path),
                None => links.push(PinnedLink {
                    interface: interface_name(&path),
                    link,
                    info,
                    paths: vec![path],
                }),
            }
        }
        links.sort_by(|one, other| one.interface.cmp(&other.interface));
        Ok(Self {
            links,
            generations: Generation::all(pins)?,
        })
    }

    /// The pins of all links.
    pub(crate) fn link_paths(&self) -> BTreeSet<PathBuf> {
        self.links
            .iter()
            .flat_map(|pinned| pinned.paths.clone())
            .collect()
    }

    /// The program of this id, if it belongs to a pinned generation.
    pub(crate) fn program(&self, id: u32) -> Option<BorrowedFd<'_>> {
        self.generations
            .iter()
            .find_map(|generation| generation.program(id))
    }

    /// The generation that runs. Several run only if a process ended in the midst of a replacement: then the newest.
    pub(crate) fn latest(&self) -> Option<&Generation> {
        self.generations.iter().max_by_key(|generation| {
            let runs = self
                .links
                .iter()
                .any(|pinned| generation.program(pinned.info.program_id).is_some());
            let loaded = generation.description().map(|description| description.loaded_at);
            (runs, loaded)
        })
    }
}
