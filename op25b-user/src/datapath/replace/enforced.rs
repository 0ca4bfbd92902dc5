//! The generation that runs from one pin directory.

use std::{collections::BTreeSet, path::PathBuf};

use super::target::{Attachment, Target};
use crate::{
    datapath::{
        ask::Asker,
        object::{Description, Filter, LoadError, Reused},
        pins::{Generation, PinnedLink, Pins, PinsError, Snapshot},
        refusal::Listener,
        stats::RecordLayout,
        sys::{bpf::possible_cpus::possible_cpus, interfaces::Interfaces},
    },
    policy::{Compiled, Role},
};

/// What runs from one pin directory.
#[derive(Debug)]
pub struct Enforced {
    pub(super) pins: Pins,
    pub(super) running: Option<Running>,
    /// Hears why the kernel refuses a program; started when one is attached for the first time, or before.
    pub(super) listener: Option<Listener>,
}

/// What an earlier process left pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Whether its filter runs on an interface that is no target, and is detached there when another filter replaces it.
    pub runs_elsewhere: bool,
    /// The interfaces that its policy named.
    pub interfaces: BTreeSet<String>,
}

/// A filter that this process has attached.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) filter: Filter,
    pub(super) attachments: Vec<Attachment>,
    /// The ids of its programs.
    pub(super) programs: Vec<(Role, u32)>,
    /// The directory in which the filter is pinned.
    pub(super) pinned: PathBuf,
}

impl Enforced {
    /// Starts from whatever an earlier process left pinned.
    #[must_use]
    pub fn new(pins: Pins) -> Self {
        Self {
            pins,
            running: None,
            listener: None,
        }
    }

    /// The description of the generation that runs, if this op25b can read it; none if no generation runs.
    pub fn description(&self) -> Result<Option<Description>, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        Ok(before
            .latest()
            .and_then(|generation| generation.description().cloned()))
    }

    /// The last revision of the exemption store that a pinned filter has enforced; 0 if that is not known.
    pub fn store_revision(&self) -> Result<u64, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        let revisions = before.generations.iter().filter_map(Generation::store_revision);
        Ok(revisions.max().unwrap_or_default())
    }

    /// Whether a filter that is pinned here runs on an interface.
    pub fn runs_somewhere(&self) -> Result<bool, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        Ok(before.links.iter().any(|pinned| pinned.info.interface.is_some()))
    }

    /// What an earlier process left pinned, as far as it matters to a start on these targets.
    pub fn left(&self, interfaces: &Interfaces, targets: &[Target]) -> Result<Left, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        let named: Vec<_> = targets
            .iter()
            .filter_map(|target| interfaces.named(&target.interface))
            .collect();
        let is_named = |pinned: &PinnedLink| named.iter().any(|found| pinned.info.runs_on(found));
        let mut attached = before
            .links
            .iter()
            .filter(|pinned| pinned.info.interface.is_some());
        let description = before.latest().and_then(Generation::description);
        let described = description.map_or(&[][..], |description| &description.interfaces);
        let described = described.iter().map(|interface| interface.name.clone());
        Ok(Left {
            runs_elsewhere: attached.any(|pinned| !is_named(pinned)),
            interfaces: before
                .links
                .iter()
                .map(|pinned| pinned.interface.clone())
                .chain(described)
                .collect(),
        })
    }

    /// What of the generation that runs a filter with this policy can share.
    pub fn reusable(&self, compiled: &Compiled) -> Result<Reused, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        let next = RecordLayout::of(compiled);
        let possible_cpus = possible_cpus()?;
        let descriptions = before.generations.iter().filter_map(Generation::description);
        let in_use = descriptions.flat_map(|description| &description.pools);
        let in_use = in_use.map(|pool| pool.name.clone()).collect();
        let reused = before.latest();
        let reused = reused.map(|generation| generation.reusable(&next, possible_cpus, in_use));
        Ok(reused.unwrap_or_default())
    }

    /// Whether this process has loaded a filter that runs, or is to run where it can be attached.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The filter, once this process has attached one.
    pub fn filter(&mut self) -> Option<&mut Filter> {
        self.running.as_mut().map(|running| &mut running.filter)
    }

    /// What answers what the filter that runs does with a packet; none if no filter runs.
    pub fn asker(&self) -> Result<Option<Asker>, LoadError> {
        let asker = |running: &Running| running.filter.beside(&running.pinned).map(Asker::new);
        self.running.as_ref().map(asker).transpose()
    }

    /// The id of the filter's program for interfaces of this role, once this process has attached a filter.
    #[must_use]
    pub fn program_id(&self, role: Role) -> Option<u32> {
        let mut programs = self.running.as_ref()?.programs.iter();
        programs.find(|(of, _)| *of == role).map(|(_, id)| *id)
    }

    /// Where the filter runs.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        self.running
            .as_ref()
            .map_or(&[], |running| running.attachments.as_slice())
    }

    /// The attachment to the interface of this name.
    pub(super) fn attachment(&self, interface: &str) -> Option<&Attachment> {
        let mut attachments = self.attachments().iter();
        attachments.find(|attachment| attachment.interface == interface)
    }
}
