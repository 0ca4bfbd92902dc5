//! What is known of a store without waiting for it or for its disk.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use jiff::Timestamp;

use crate::store::Revision;

/// How far a store has come. Its threads write it, and any thread reads it.
#[derive(Debug, Default)]
pub struct Progress {
    revision: AtomicU64,
    replacements: AtomicU64,
    rows: AtomicU64,
    identity: Mutex<Option<String>>,
    is_writable: AtomicBool,
    backup: Mutex<Option<Timestamp>>,
}

impl Progress {
    /// The revision of its last change; 0 as long as it cannot be read.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision.load(Ordering::Acquire)
    }

    /// How often its records have become other ones without a commit: another file was put in its place, or it was recovered.
    /// What was made of them must be made again.
    #[must_use]
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Acquire)
    }

    /// How many records were read in calls that read all of them: as long as this grows, its disk answers.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// What all copies of the store have in common and no other store has; none as long as it cannot be read.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        let identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        identity.clone()
    }

    /// Whether changes can be written to it, as far as is known.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.is_writable.load(Ordering::Relaxed)
    }

    /// When its newest backup was taken; none if there is none, or it was not looked for yet.
    #[must_use]
    pub fn backup(&self) -> Option<Timestamp> {
        *self.backup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_writable(&self, is_writable: bool) {
        self.is_writable.store(is_writable, Ordering::Relaxed);
    }

    pub(super) fn set_backup(&self, taken: Option<Timestamp>) {
        *self.backup.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }

    pub(super) fn set_identity(&self, identity: Option<String>) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    pub(super) fn note_row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_revision(&self, revision: Revision) {
        self.revision.store(revision, Ordering::Release);
    }

    pub(super) fn note_replacement(&self) {
        self.replacements.fetch_add(1, Ordering::AcqRel);
    }
}
