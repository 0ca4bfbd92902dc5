//! Replaces the generation that runs on all interfaces, one atomic link update after the other, or restores it on all.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    enforced::{Enforced, Running},
    error::ReplaceError,
    plan::{How, Plan, Skipped, plan},
    target::{Attachment, Target},
    transition::{Done, Transition},
};
use crate::{
    datapath::{
        migrate::{self, MigratedRecords},
        object::Filter,
        pins::{self, Generation, PinnedLink, PinsError, Snapshot},
        sys::interfaces::Interfaces,
    },
    policy::{Role, Word as _},
};

/// What a replacement did.
#[derive(Debug, Default)]
pub struct Replacement {
    /// Interfaces of the policy on which the filter does not run, as their [`super::target::Need`] allows.
    pub skipped: Vec<Skipped>,
    /// Interfaces from which the filter was detached.
    pub released: Vec<String>,
    /// Interfaces that ran no filter for a moment, because their mode changed.
    pub interrupted: Vec<String>,
    /// The layout of the counters before, if the new filter could not share them, and whether they were migrated.
    pub other_layout: Option<(String, bool)>,
    /// What became of the subscribers' records.
    pub records: MigratedRecords,
    /// What could not be removed afterwards; the filter runs all the same.
    pub cleanup_errors: Vec<PinsError>,
}

/// What a replacement would do to interfaces.
#[derive(Debug, Default)]
pub struct Prediction {
    /// Interfaces without a filter for a moment, because their mode changes: the kernel runs no native and generic program at the
    /// same time, so one is detached before the other is attached.
    pub interrupted: Vec<String>,
    /// Interfaces of the policy that stay without the filter, as they may.
    pub skipped: Vec<Skipped>,
    /// Interfaces that lose the filter, as the policy does not name them.
    pub released: Vec<String>,
}

impl Enforced {
    /// Refuses what is known to be refused by [`Self::replace`], without a filter and without touching anything.
    pub fn check(&self, interfaces: &Interfaces, targets: &[Target]) -> Result<(), ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        plan(&mut before, interfaces, targets)?;
        Ok(())
    }

    /// What [`Self::replace`] does to the interfaces, as far as that can be predicted.
    ///
    /// Fails as [`Self::check`] does.
    pub fn predict(&self, interfaces: &Interfaces, targets: &[Target]) -> Result<Prediction, ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        let Plan { steps, skipped } = plan(&mut before, interfaces, targets)?;
        let exchanges = steps.iter().filter(|step| matches!(step.how, How::Exchange(..)));
        // The plan has taken out what gets the new filter.
        let left = before.links.iter().filter_map(|pinned| {
            let mut all = interfaces.iter();
            let found = all.find(|interface| pinned.info.runs_on(interface))?;
            Some(found.name.clone())
        });
        Ok(Prediction {
            interrupted: exchanges.map(|step| step.target.interface.clone()).collect(),
            skipped,
            released: left.collect(),
        })
    }

    /// Replaces what runs by `filter` on the interfaces of `targets`, and detaches it from all others: all or nothing.
    pub fn replace(
        &mut self,
        mut filter: Filter,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Replacement, ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        let paths = before.link_paths();
        let Plan { steps, skipped } = plan(&mut before, interfaces, targets)?;
        let mut replacement = Replacement {
            skipped,
            ..Replacement::default()
        };
        let mut programs = Vec::new();
        for role in Role::ALL {
            programs.push((*role, filter.program_info(*role)?.id()));
        }
        let generation = Generation::pin(&self.pins, &mut filter)?;
        let mut transition = Transition {
            pins: &self.pins,
            before: &before,
            filter: &mut filter,
            listener: &mut self.listener,
            done: Vec::new(),
        };
        for step in steps {
            let (target, is_new) = (step.target, matches!(step.how, How::Attach));
            match transition.take(step) {
                Ok(()) => {}
                Err(ReplaceError::Attach(why)) if is_new && target.need.allows(&why) => {
                    replacement.skipped.push(Skipped {
                        interface: target.interface.clone(),
                        why,
                    });
                }
                Err(error) => {
                    let error = transition.undo(error);
                    // The first error is the one to report.
                    let _ = generation.remove();
                    return Err(error);
                }
            }
        }
        let done = transition.done;

        // The filter runs on all interfaces. What follows cannot fail the replacement.
        self.release(&before, &mut replacement);
        self.name_pins(paths, &before, &done, &mut replacement);
        replacement.other_layout = migrate::counters(&before, &mut filter);
        replacement.records = migrate::records(&before, &filter);
        for old in before.generations.into_iter().filter(|old| !old.is(&generation)) {
            replacement.cleanup_errors.extend(old.remove().err());
        }
        let interrupted = done.iter().filter(|done| done.interrupted);
        replacement.interrupted = interrupted
            .map(|done| done.attachment.interface.clone())
            .collect();
        let mut attachments: Vec<_> = done.into_iter().map(|done| done.attachment).collect();
        if let Some(running) = &mut self.running {
            keep_reasons(&mut running.attachments, &mut attachments);
        }
        self.running = Some(Running {
            programs,
            pinned: generation.path().to_owned(),
            filter,
            attachments,
        });
        Ok(replacement)
    }

    /// Detaches the filter from interfaces that are no targets.
    fn release(&self, before: &Snapshot, replacement: &mut Replacement) {
        let attached = before
            .links
            .iter()
            .filter(|pinned| pinned.info.interface.is_some());
        for pinned in attached {
            match pinned.link.detach() {
                Ok(()) => replacement.released.push(pinned.interface.clone()),
                Err(source) => {
                    let path = self.pins.link_path(&pinned.interface);
                    let error = PinsError::refused("detach", &path)(source);
                    replacement.cleanup_errors.push(error);
                }
            }
        }
    }

    /// Pins the links of this filter under the names of their interfaces, and removes all other pins of links from before: of
    /// `paths`, those of links that no interface holds any more, and the old names of those that were renamed.
    fn name_pins(
        &self,
        mut paths: BTreeSet<PathBuf>,
        before: &Snapshot,
        done: &[Done],
        replacement: &mut Replacement,
    ) {
        let attachments = done.iter().map(|done| &done.attachment);
        let links = attachments.map(|attachment| (attachment.interface.as_str(), &attachment.link));
        if let Err(error) = self.pins.name(links.clone()) {
            // What is pinned stays, under whichever name.
            replacement.cleanup_errors.push(error);
            return;
        }
        for (interface, _) in links {
            paths.remove(&self.pins.link_path(interface));
        }
        let is_attached = |pinned: &&PinnedLink| {
            let info = pinned.link.info();
            info.map_or(true, |info| info.interface.is_some())
        };
        for path in before
            .links
            .iter()
            .filter(is_attached)
            .flat_map(|pinned| &pinned.paths)
        {
            paths.remove(path);
        }
        for path in &paths {
            replacement.cleanup_errors.extend(pins::remove_file(path).err());
        }
    }
}

/// Keeps why native mode was refused on interfaces that stay in generic mode.
fn keep_reasons(before: &mut [Attachment], attachments: &mut [Attachment]) {
    let stayed = |attachment: &&mut Attachment| attachment.was_enforced && attachment.fallback.is_some();
    for attachment in attachments.iter_mut().filter(stayed) {
        let mut before = before.iter_mut();
        if let Some(before) = before.find(|before| before.index == attachment.index)
            && let Some(reason) = before.fallback.take()
        {
            attachment.fallback = Some(reason);
        }
    }
}
