//! Whose pins they are: the network namespace of a pinned filter.
//!
//! A BPF file system can be seen from several network namespaces, which may have the same names and indices of interfaces. The
//! description of a filter names the namespace that it was loaded in, and the program of a link is the one that the interface
//! reports if the link is of this namespace.

use std::{io, path::Path};

use aya::maps::MapData;
use op25b_common::names::DESCRIPTION;

use super::{
    directory::{GENERATIONS, Pins, entries, pinned_links},
    error::PinsError,
    snapshot::Snapshot,
};
use crate::datapath::{
    object::Described,
    sys::{interfaces::Interfaces, network_namespace::NetworkNamespace},
};

/// A filter that runs in another network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedElsewhere {
    /// That network namespace.
    pub namespace: String,
    /// The interfaces that it runs on there.
    pub interfaces: Vec<String>,
}

impl Snapshot {
    /// Refuses pins of a filter that runs in another network namespace than `here`. If it ran in another one, and runs nowhere
    /// but here any more, that is returned: that namespace is gone, with its interfaces.
    pub(crate) fn check_namespace(
        &self,
        pins: &Pins,
        here: NetworkNamespace,
        interfaces: &Interfaces,
    ) -> Result<Option<NetworkNamespace>, PinsError> {
        let other = |namespace: Option<NetworkNamespace>| {
            // A filter of an earlier version names none: it is taken to be of this one.
            namespace.filter(|namespace| namespace.cookie != here.cookie)
        };
        let mut namespace_there = None;
        let mut interfaces_there = Vec::new();
        for pinned in &self.links {
            if pinned.info.interface.is_none() {
                continue;
            }
            let mut generations = self.generations.iter();
            let generation =
                generations.find(|generation| generation.program(pinned.info.program_id).is_some());
            let description = generation.and_then(|generation| generation.description());
            let namespace = other(description.and_then(|description| description.network_namespace));
            // A physical interface returns from a namespace that ends, and may be moved to the next one, with its link.
            let is_here = interfaces.iter().any(|interface| pinned.info.runs_on(interface));
            if let Some(namespace) = namespace
                && !is_here
            {
                namespace_there = Some(namespace);
                interfaces_there.push(pinned.interface.clone());
            }
        }
        if let Some(namespace) = namespace_there {
            return Err(PinsError::OtherNamespace {
                directory: pins.directory().to_owned(),
                namespace: namespace.name(),
                interfaces: interfaces_there,
            });
        }
        let left = self.latest().and_then(|generation| generation.description());
        Ok(other(left.and_then(|description| description.network_namespace)))
    }
}

/// The filter that is pinned in a directory, if it runs in another network namespace than this process's; whichever process
/// holds the pins.
pub fn pinned_elsewhere(directory: &Path) -> io::Result<Option<PinnedElsewhere>> {
    let here = NetworkNamespace::current()?;
    let interfaces: Vec<_> = pinned_links(directory)?
        .into_iter()
        .map(|(interface, _)| interface)
        .collect();
    if interfaces.is_empty() {
        return Ok(None);
    }
    // The holder may remove a generation while it is read.
    let generations = entries(&directory.join(GENERATIONS)).unwrap_or_default();
    let mut descriptions = generations.iter().filter_map(|generation| {
        let map = MapData::from_pin(generation.join(DESCRIPTION)).ok()?;
        Some(Described::read(map).ok()?.description)
    });
    let namespace = descriptions.find_map(|description| description.network_namespace);
    let other = namespace.filter(|namespace| namespace.cookie != here.cookie);
    Ok(other.map(|namespace| PinnedElsewhere {
        namespace: namespace.name(),
        interfaces,
    }))
}
