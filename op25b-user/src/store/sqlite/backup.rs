//! Copies of the store that a damaged one is restored from.

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
    error::Trouble,
    files::{self, Files},
    integrity, read, read_only,
};
use crate::store::{Records as _, Revision, StoreError};

/// How long to leave between two backups, and after one that failed.
const INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// What is backed up already.
#[derive(Debug, Default)]
pub(super) struct Backups {
    /// The last change that is.
    revision: Option<Revision>,
    /// When it was tried last.
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
    /// Takes one if anything has changed since the last one.
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
        let revision = read::revision(connection).map_err(Trouble::with(connection, &files.store()))?;
        // Nothing was ever written to a store at revision 0.
        if revision > 0 && self.revision != Some(revision) {
            take(connection, files)?;
            self.revision = Some(revision);
        }
        Ok(())
    }

    /// Whether it is time to look. A clock that was put back does not put it off.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.tried
            .is_none_or(|tried| now.duration_since(tried).abs() >= INTERVAL)
    }
}

/// The newest backup that can be read whole.
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
    let system = Trouble::of_system(&path);
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

/// Makes a copy, looks whether it is whole, and only then puts it in place of the one before.
fn take(connection: &Connection, files: &Files) -> Result<(), StoreError> {
    let draft = files.backup_draft();
    let system = Trouble::of_system(&draft);
    files::remove(&draft).map_err(&system)?;
    let taken = Files::make(&draft)
        .map_err(&system)
        .and_then(|()| copy(connection, &draft));
    if let Err(error) = taken {
        // What is half done would only take room.
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
    let trouble = Trouble::at(draft);
    let mut to = Connection::open(draft).map_err(&trouble)?;
    // Nobody needs half a draft after a crash.
    to.pragma_update(None, "journal_mode", "OFF").map_err(&trouble)?;
    let step = Backup::new(from, &mut to)
        .and_then(|backup| backup.step(-1))
        .map_err(Trouble::with(from, draft))?;
    if !matches!(step, StepResult::Done) {
        return Err(StoreError::Failed {
            path: draft.to_owned(),
            why: "somebody else has locked the store".to_owned(),
        });
    }
    // One file, which needs no other beside it.
    to.pragma_update(None, "journal_mode", "DELETE")
        .map_err(&trouble)?;
    integrity::check(&to, draft)
}
