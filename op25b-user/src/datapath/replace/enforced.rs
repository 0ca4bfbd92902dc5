//! The generation that runs from one pin directory.

use std::path::PathBuf;

use super::target::Attachment;
use crate::{
    datapath::{
        object::{Description, Filter, LoadError, Reused},
        pins::{Pins, PinsError, Snapshot},
        stats::RecordLayout,
        test_run::TestRunner,
    },
    policy::Compiled,
};

/// What runs from one pin directory.
#[derive(Debug)]
pub struct Enforced {
    pub(super) pins: Pins,
    pub(super) running: Option<Running>,
}

/// A filter that this process has attached.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) filter: Filter,
    pub(super) attachments: Vec<Attachment>,
    /// The directory in which the filter is pinned.
    pub(super) pinned: PathBuf,
}

impl Enforced {
    /// Starts from whatever an earlier process left pinned.
    #[must_use]
    pub fn new(pins: Pins) -> Self {
        Self { pins, running: None }
    }

    /// The description of the generation that runs, if this op25b can read it; none if no generation runs.
    pub fn description(&self) -> Result<Option<Description>, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        Ok(before
            .latest()
            .and_then(|generation| generation.description().cloned()))
    }

    /// Whether a filter that is pinned here runs on an interface.
    pub fn runs_somewhere(&self) -> Result<bool, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        Ok(before.links.iter().any(|pinned| pinned.info.interface.is_some()))
    }

    /// The maps of the generation that runs which a filter with this policy can share.
    pub fn reusable(&self, compiled: &Compiled) -> Result<Reused, PinsError> {
        let before = Snapshot::read(&self.pins)?;
        let next = RecordLayout::of(compiled);
        let reused = before.latest().map(|generation| generation.reusable(&next));
        Ok(reused.unwrap_or_default())
    }

    /// The filter, once this process has attached one.
    pub fn filter(&mut self) -> Option<&mut Filter> {
        self.running.as_mut().map(|running| &mut running.filter)
    }

    /// Loads the program of the filter that runs once more, for test runs against its maps; none if no filter runs.
    pub fn test_runner(&self) -> Result<Option<TestRunner>, LoadError> {
        let runner = |running: &Running| TestRunner::beside(&running.filter, &running.pinned);
        self.running.as_ref().map(runner).transpose()
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
