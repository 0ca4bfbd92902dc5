//! The upkeep of a store beside the thread that writes to it: its check after the start, and its backups.

use std::sync::{Arc, Mutex, TryLockError};

use jiff::Timestamp;

use super::{backup::Backups, error::ErrorMap, files::Files, integrity, readers::Readers};
use crate::store::StoreError;

/// The upkeep of one store. Both works read through connections of their own, so commits do not wait for them.
#[derive(Clone, Debug)]
pub struct Upkeep {
    files: Files,
    readers: Readers,
    backups: Arc<Mutex<Backups>>,
}

impl Upkeep {
    pub(super) fn new(files: Files, readers: Readers) -> Self {
        Self {
            files,
            readers,
            backups: Arc::default(),
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

    /// Takes a backup if the last one is an hour old and something has changed since.
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
        if !backups.is_due(now) {
            return Ok(());
        }
        match self.readers.open_if_writable()?.as_ref() {
            Some(reader) => match reader.connection() {
                Some(connection) => backups.take_if_changed(connection, &self.files, now),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }
}
