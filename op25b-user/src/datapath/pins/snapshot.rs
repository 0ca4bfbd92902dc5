//! The pinned links and generations at one moment.

use std::os::fd::BorrowedFd;

use super::{directory::Pins, error::PinsError, generation::Generation, link::Link};
use crate::datapath::sys::bpf::XdpLinkInfo;

/// Everything that is pinned when a replacement begins.
pub(crate) struct Snapshot {
    pub(crate) links: Vec<PinnedLink>,
    pub(crate) generations: Vec<Generation>,
}

/// A pinned link.
pub(crate) struct PinnedLink {
    pub(crate) interface: String,
    pub(crate) link: Link,
    pub(crate) info: XdpLinkInfo,
    /// Whether another link takes its pin.
    pub(crate) is_replaced: bool,
}

impl Snapshot {
    /// Reads what is pinned.
    pub(crate) fn read(pins: &Pins) -> Result<Self, PinsError> {
        let links = pins.links()?.into_iter().map(|(interface, link)| {
            let info = link
                .info()
                .map_err(PinsError::refused("query", &pins.link_path(&interface)))?;
            Ok(PinnedLink {
                interface,
                link,
                info,
                is_replaced: false,
            })
        });
        Ok(Self {
            links: links.collect::<Result<_, PinsError>>()?,
            generations: Generation::all(pins)?,
        })
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
