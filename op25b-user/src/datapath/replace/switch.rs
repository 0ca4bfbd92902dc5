//! From one generation to the next on all interfaces, without a packet between them, or back again.

use std::{io, path::PathBuf};

use thiserror::Error;

use super::{
    attach::AttachError,
    plan::{Before, How, plan},
    transition::Transition,
};
use crate::{
    datapath::{
        migrate::{self, MigratedRecords},
        object::{Description, Filter, LoadError, Reused},
        pins::{Generation, Link, Pins, PinsError},
        stats::RecordLayout,
        sys::interfaces::Interfaces,
        test_run::TestRunner,
    },
    policy::{Compiled, Role, XdpMode},
};

/// What is to run where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The interface.
    pub interface: String,
    /// Which program.
    pub role: Role,
    /// How it is attached.
    pub xdp: XdpMode,
    /// Whether it is no error if there is no such interface.
    pub may_be_missing: bool,
}

/// An interface on which the filter runs.
#[derive(Debug)]
pub struct Attachment {
    /// Its name.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// What comes in there.
    pub role: Role,
    /// `native` or `generic`.
    pub mode: &'static str,
    /// The program's id.
    pub program_id: u32,
    /// Why it is generic although native was tried first.
    pub fallback: Option<io::Error>,
    /// Whether it was enforced on before.
    pub was_enforced: bool,
    pub(super) link: Link,
}

/// What a switch did.
#[derive(Debug, Default)]
pub struct Replacement {
    /// Interfaces that the filter was taken off.
    pub released: Vec<String>,
    /// Interfaces that ran no filter for a moment, because their mode changed.
    pub interrupted: Vec<String>,
    /// The layout of the maps before, if the new filter could not go on with them, and whether it goes on counting where
    /// they ended.
    pub other_layout: Option<(String, bool)>,
    /// What has become of the records of subscribers.
    pub records: MigratedRecords,
    /// What could not be tidied up afterwards; the filter runs all the same.
    pub cleanup_errors: Vec<PinsError>,
}

/// Why there was no switch; every interface is as it was, or the error says which is not.
#[derive(Debug, Error)]
pub enum ReplaceError {
    /// What is pinned cannot be read or written.
    #[error(transparent)]
    Pins(#[from] PinsError),
    /// An interface cannot be attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// A program is not there.
    #[error(transparent)]
    Program(#[from] LoadError),
    /// The kernel does not replace a program.
    #[error("cannot replace the program on interface {interface}")]
    Replace {
        /// The interface.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Not everything could be undone.
    #[error("{source}; after that, {} could not be given back what ran there", interfaces.join(", "))]
    HalfUndone {
        /// Where.
        interfaces: Vec<String>,
        /// What went wrong first.
        source: Box<ReplaceError>,
    },
}

/// What runs from one pin directory.
#[derive(Debug)]
pub struct Enforced {
    pub(super) pins: Pins,
    pub(super) running: Option<Running>,
}

/// A filter that this process has switched to.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) filter: Filter,
    pub(super) attachments: Vec<Attachment>,
    /// Where the filter is pinned.
    pinned: PathBuf,
}

impl Enforced {
    /// Whatever an earlier process left pinned.
    #[must_use]
    pub fn new(pins: Pins) -> Self {
        Self { pins, running: None }
    }

    /// What the generation that runs now says of itself, if it is understood; nothing if none runs.
    ///
    /// # Errors
    ///
    /// [`PinsError`].
    pub fn description(&self) -> Result<Option<Description>, PinsError> {
        let before = Before::read(&self.pins)?;
        Ok(before
            .latest()
            .and_then(|generation| generation.description().cloned()))
    }

    /// The maps that a filter with this policy goes on with.
    ///
    /// # Errors
    ///
    /// [`PinsError`].
    pub fn reusable(&self, compiled: &Compiled) -> Result<Reused, PinsError> {
        let before = Before::read(&self.pins)?;
        let next = RecordLayout::of(compiled);
        let reused = before.latest().map(|generation| generation.reusable(&next));
        Ok(reused.unwrap_or_default())
    }

    /// The filter, once this process has switched to one.
    pub fn filter(&mut self) -> Option<&mut Filter> {
        self.running.as_mut().map(|running| &mut running.filter)
    }

    /// The program of the filter that runs, loaded once more for questions about its policy; nothing if none runs.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn test_runner(&self) -> Result<Option<TestRunner>, LoadError> {
        let runner = |running: &Running| TestRunner::beside(&running.filter, &running.pinned);
        self.running.as_ref().map(runner).transpose()
    }

    pub(super) fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Where it runs.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        self.running
            .as_ref()
            .map_or(&[], |running| running.attachments.as_slice())
    }

    /// Refuses what can be known to be refused by [`Self::replace`], without a filter and without touching anything.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
    pub fn check(&self, interfaces: &Interfaces, targets: &[Target]) -> Result<(), ReplaceError> {
        let mut before = Before::read(&self.pins)?;
        plan(&mut before, interfaces, targets)?;
        Ok(())
    }

    /// The interfaces that [`Self::replace`] would leave without a filter for a moment, because their mode changes: the kernel
    /// runs no native and generic program at the same time, so the one has to go before the other comes.
    ///
    /// # Errors
    ///
    /// What [`Self::check`] refuses.
    pub fn interruptions(
        &self,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Vec<String>, ReplaceError> {
        let mut before = Before::read(&self.pins)?;
        let steps = plan(&mut before, interfaces, targets)?.into_iter();
        let exchanges = steps.filter(|step| matches!(step.how, How::Exchange(..)));
        Ok(exchanges.map(|step| step.interface.name.clone()).collect())
    }

    /// Replaces what runs by `filter` on the interfaces of `targets`, and takes it off all others: all or nothing.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`].
    pub fn replace(
        &mut self,
        mut filter: Filter,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Replacement, ReplaceError> {
        let mut before = Before::read(&self.pins)?;
        let mut replacement = Replacement::default();
        let plan = plan(&mut before, interfaces, targets)?;
        let generation = Generation::pin(&self.pins, &mut filter)?;
        let mut transition = Transition {
            pins: &self.pins,
            before: &before,
            filter: &mut filter,
            done: Vec::new(),
        };
        for step in plan {
            if let Err(error) = transition.take(step) {
                let error = transition.undo(error);
                // What went wrong first is what is told.
                let _ = generation.remove();
                return Err(error);
            }
        }
        let done = transition.done;

        // The filter runs everywhere. What follows is tidying up: it fails no switch.
        self.release(&before, &mut replacement);
        replacement.other_layout = migrate::counters(&before, &mut filter);
        replacement.records = migrate::records(&before, &filter);
        for old in before.generations.into_iter().filter(|old| !old.is(&generation)) {
            replacement.cleanup_errors.extend(old.remove().err());
        }
        let interrupted = done.iter().filter(|done| done.interrupted);
        replacement.interrupted = interrupted
            .map(|done| done.attachment.interface.clone())
            .collect();
        self.running = Some(Running {
            pinned: generation.path().to_owned(),
            filter,
            attachments: done.into_iter().map(|done| done.attachment).collect(),
        });
        Ok(replacement)
    }

    /// Takes the filter off interfaces that are not meant any more, and forgets links whose interfaces are gone.
    fn release(&self, before: &Before, replacement: &mut Replacement) {
        for pinned in &before.links {
            if pinned.info.interface.is_some() {
                if let Err(source) = pinned.link.detach() {
                    let path = self.pins.link_path(&pinned.interface);
                    replacement
                        .cleanup_errors
                        .push(PinsError::refused("detach", &path)(source));
                    continue;
                }
                replacement.released.push(pinned.interface.clone());
            }
            // A new link may be pinned under the name by now.
            if !pinned.is_replaced {
                replacement
                    .cleanup_errors
                    .extend(self.pins.forget_link(&pinned.interface).err());
            }
        }
    }
}
