//! Replaces the generation that runs on all interfaces, one atomic link update after the other, or restores it on all.

use super::{
    enforced::{Enforced, Running},
    error::ReplaceError,
    plan::{How, plan},
    target::Target,
    transition::Transition,
};
use crate::datapath::{
    migrate::{self, MigratedRecords},
    object::Filter,
    pins::{Generation, PinsError, Snapshot},
    sys::interfaces::Interfaces,
};

/// What a replacement did.
#[derive(Debug, Default)]
pub struct Replacement {
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

impl Enforced {
    /// Refuses what is known to be refused by [`Self::replace`], without a filter and without touching anything.
    pub fn check(&self, interfaces: &Interfaces, targets: &[Target]) -> Result<(), ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        plan(&mut before, interfaces, targets)?;
        Ok(())
    }

    /// The interfaces that [`Self::replace`] leaves without a filter for a moment, because their mode changes: the kernel runs
    /// no native and generic program at the same time, so one is detached before the other is attached.
    ///
    /// Fails as [`Self::check`] does.
    pub fn interruptions(
        &self,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Vec<String>, ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
        let steps = plan(&mut before, interfaces, targets)?.into_iter();
        let exchanges = steps.filter(|step| matches!(step.how, How::Exchange(..)));
        Ok(exchanges.map(|step| step.target.interface.clone()).collect())
    }

    /// Replaces what runs by `filter` on the interfaces of `targets`, and detaches it from all others: all or nothing.
    pub fn replace(
        &mut self,
        mut filter: Filter,
        interfaces: &Interfaces,
        targets: &[Target],
    ) -> Result<Replacement, ReplaceError> {
        let mut before = Snapshot::read(&self.pins)?;
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
                // The first error is the one to report.
                let _ = generation.remove();
                return Err(error);
            }
        }
        let done = transition.done;

        // The filter runs on all interfaces. What follows cannot fail the replacement.
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

    /// Detaches the filter from interfaces that are no targets, and unpins links whose interfaces are gone.
    fn release(&self, before: &Snapshot, replacement: &mut Replacement) {
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
            // A new link may be pinned under this name.
            if !pinned.is_replaced {
                replacement
                    .cleanup_errors
                    .extend(self.pins.forget_link(&pinned.interface).err());
            }
        }
    }
}
