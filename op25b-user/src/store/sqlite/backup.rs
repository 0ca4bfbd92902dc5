//! Backups of the store, from which a damaged one is restored.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::{
    error::ErrorMap,
    files::{self, Files},
    integrity, read, read_only,
};
use crate::store::{Records as _, Revision, StoreError};

/// The time between two backups, and after one that failed.
const INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The state of the backups.
#[derive(Debug, Default)]
pub(super) struct Backups {
    /// The last revision that is in a backup.
    revision: Option<Revision>,
    /// When the last backup was tried.
    tried: Option<Timestamp>,
}

/// An intact backup.
#[derive(Clone, Debug)]
pub(super) struct Intact {
    pub(super) path: PathBuf,
    pub(super) revision: Revision,
    pub(super) taken: Timestamp,
}

impl Backups {
    /// Takes a backup if anything has changed since the last one. It is of one moment: the connection's next read.
    pub(super) fn take_if_changed(
        &mut self,
        connection: &Connection,
        files: &Files,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tried = Some(now);
        if self.revision.is_none() {
            self.revision = newest_intact(files).map(|backup| backup.revision);
        }
        let store = files.store();
        let failed = ErrorMap::with(connection, &store);
        // What is committed meanwhile is in the next one, and in neither this one nor its revision.
        let snapshot = connection.unchecked_transaction().map_err(&failed)?;
        let revision = read::revision(&snapshot).map_err(&failed)?;
        // A store at revision 0 was never written to.
        if revision > 0 && self.revision != Some(revision) {
            take(&snapshot, files)?;
            self.revision = Some(revision);
        }
        Ok(())
    }

    /// Whether a backup is due. A clock that was set back does not delay it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.tried
            .is_none_or(|tried| now.duration_since(tried).abs() >= INTERVAL)
    }
}

/// The newest intact backup.
pub(super) fn newest_intact(files: &Files) -> Option<Intact> {
    [files.backup(), files.backup_before()]
        .into_iter()
        .filter_map(|path| intact(path).ok())
        .max_by_key(|backup| backup.revision)
}

/// Whether there is any backup, intact or not.
pub(super) fn is_any(files: &Files) -> bool {
    files.backup().exists() || files.backup_before().exists()
}

fn intact(path: PathBuf) -> Result<Intact, StoreError> {
    let system = ErrorMap::of_system(&path);
    let taken = fs::metadata(&path)
        .and_then(|data| data.modified())
        .map_err(&system)?;
    let taken = Timestamp::try_from(taken).map_err(|error| system(io::Error::other(error)))?;
    drop(system);
    let reader = read_only::unchanging(&path)?;
    if let Some(connection) = reader.connection() {
        integrity::check(connection, &path)?;
    }
    let revision = reader.revision()?;
    Ok(Intact {
        path,
        revision,
        taken,
    })
}

/// Makes a copy, checks it, and only then replaces the previous backup.
fn take(connection: &Connection, files: &Files) -> Result<(), StoreError> {
    let draft = files.backup_draft();
    let system = ErrorMap::of_system(&draft);
    files::remove(&draft).map_err(&system)?;
    let taken = Files::make(&draft)
        .map_err(&system)
        .and_then(|()| copy(connection, &draft));
    if let Err(error) = taken {
        // An incomplete copy would only take up space.
        let _ = files::remove(&draft);
        return Err(error);
    }
    if files.backup().exists() {
        files
            .put(&files.backup(), &files.backup_before())
            .map_err(&system)?;
    }
    files.put(&draft, &files.backup()).map_err(&system)
}

fn copy(from: &Connection, draft: &Path) -> Result<(), StoreError> {
    let failed = ErrorMap::at(draft);
    let mut to = Connection::open(draft).map_err(&failed)?;
    // After a crash an incomplete draft is of no use.
    to.pragma_update(None, "journal_mode", "OFF").map_err(&failed)?;
    let step = Backup::new(from, &mut to)
        .and_then(|backup| backup.step(-1))
        .map_err(ErrorMap::with(from, draft))?;
    if !matches!(step, StepResult::Done) {
        return Err(StoreError::Failed {
            path: draft.to_owned(),
            why: "another process has locked the store".to_owned(),
        });
    }
    // A single file, without a log beside it.
    to.pragma_update(None, "journal_mode", "DELETE")
        .map_err(&failed)?;
    integrity::check(&to, draft)
}
