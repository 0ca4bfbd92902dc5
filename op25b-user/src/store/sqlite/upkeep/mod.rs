//! The upkeep of a store beside the thread that writes to it: its check after the start, and its backups.

pub(super) mod backup;
pub(super) mod integrity;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use jiff::Timestamp;

use self::backup::Backups;
use super::{error::ErrorMap, files::Files, progress::Progress, read_only::SqliteReader, readers::Readers};
use crate::store::StoreError;

/// The upkeep of one store. Both works read through connections of their own, so commits do not wait for them.
#[derive(Clone, Debug)]
pub struct Upkeep {
    files: Files,
    readers: Readers,
    backups: Arc<Mutex<Backups>>,
    /// What the store has noted. Not with the backups, whose lock is held while one is taken.
    noted: Arc<Mutex<Noted>>,
    progress: Arc<Progress>,
}

/// What the thread that writes notes for the one that takes backups, and the other way round.
#[derive(Debug, Default)]
struct Noted {
    /// Since when there is a removal that is in no backup.
    removal: Option<Timestamp>,
    /// Whether the store was merged with its backups.
    is_merged: bool,
    /// Whether the store was found to be damaged, or to be behind its backup.
    is_damaged: bool,
}

impl Upkeep {
    pub(super) fn new(files: Files, readers: Readers, progress: Arc<Progress>) -> Self {
        Self {
            files,
            readers,
            backups: Arc::default(),
            noted: Arc::default(),
            progress,
        }
    }

    /// Checks all pages and all records, as they are at one moment.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if anything is not as it was written; any other error if it cannot be determined.
    pub fn check(&self) -> Result<(), StoreError> {
        let reader = self.readers.open()?;
        let Some(connection) = reader.connection() else {
            return Ok(());
        };
        let file = self.files.store();
        let snapshot = connection
            .unchecked_transaction()
            .map_err(ErrorMap::with(connection, &file))?;
        integrity::check(&snapshot, &file)
    }

    /// Takes a backup if something has changed, and the last one is an hour old or a removal is half a minute old.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it fails: the previous backup is kept, and the next one is tried in an hour.
    pub fn back_up_if_due(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut backups = match self.backups.try_lock() {
            Ok(backups) => backups,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is taking it.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        {
            let mut noted = self.noted();
            if mem::take(&mut noted.is_merged) {
                backups.start_over();
            }
            if let Some(removal) = noted.removal.take() {
                backups.note_removal(removal);
            }
        }
        if !backups.is_due(now) {
            return Ok(());
        }
        let reader = self.readers.open_if_writable()?;
        let Some(connection) = reader.as_ref().and_then(SqliteReader::connection) else {
            return Ok(());
        };
        let taken = backups.take_if_changed(connection, &self.files, now);
        self.progress.set_backup(backups.newest());
        if matches!(taken, Err(StoreError::Damaged { .. })) {
            self.noted().is_damaged = true;
        }
        taken
    }

    /// Notes a change without which a customer could send again after a loss: it is in a backup within a minute.
    pub(super) fn note_removal(&self, now: Timestamp) {
        self.noted().removal.get_or_insert(now);
    }

    /// Notes that the store was put together from all that there was: a backup is taken next.
    pub(super) fn note_merged(&self) {
        self.noted().is_merged = true;
    }

    /// Whether a backup has found the store damaged, or behind its backup; once for each time.
    pub(super) fn take_damage(&self) -> bool {
        mem::take(&mut self.noted().is_damaged)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
