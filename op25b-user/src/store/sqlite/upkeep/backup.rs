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
    super::{
        error::ErrorMap,
        files::{self, Files},
        read_only, recovery,
        tables::read,
    },
    integrity,
};
use crate::store::{Records as _, Revision, StoreError};

/// The time between two backups, and after one that failed.
const INTERVAL: SignedDuration = SignedDuration::from_hours(1);
/// The time between a removal, or another change that restricts a customer, and its backup. Later ones do not delay it, so
/// that many in a row are in few backups.
const SOON: SignedDuration = SignedDuration::from_secs(30);

/// The state of the backups.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Backups {
    /// The last revision that is in a backup.
    revision: Option<Revision>,
    /// When the newest backup was taken.
    newest: Option<Timestamp>,
    /// When the last hourly backup was tried.
    tried: Option<Timestamp>,
    /// Since when there is a removal that is in no backup: without one it would come back after a loss.
    removal: Option<Timestamp>,
    /// Whether the store has what is in the backups, also if it does not continue them.
    are_merged: bool,
}

/// An intact backup.
#[derive(Clone, Debug)]
pub(in crate::store::sqlite) struct Intact {
    pub(in crate::store::sqlite) path: PathBuf,
    pub(in crate::store::sqlite) revision: Revision,
    pub(in crate::store::sqlite) taken: Timestamp,
}

impl Backups {
    /// Takes a backup if anything has changed since the last one. It is of one moment: the connection's next read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a backup is newer than the store: it is what the store is recovered from.
    pub(in crate::store::sqlite) fn take_if_changed(
        &mut self,
        connection: &Connection,
        files: &Files,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // One that is only for a removal leaves the backup before the last, so that it stays an hour older.
        let rotate = self.hour_is_over(now);
        if rotate {
            self.tried = Some(now);
        }
        // After a failure the next one is tried as late as after another removal.
        self.removal = self.removal.map(|_| now);
        if self.revision.is_none() {
            let newest = newest_intact(files);
            self.revision = newest.as_ref().map(|backup| backup.revision);
            self.newest = newest.map(|backup| backup.taken);
        }
        let store = files.store();
        let failed = ErrorMap::with(connection, &store);
        // What is committed meanwhile is in the next one, and in neither this one nor its revision.
        let snapshot = connection.unchecked_transaction().map_err(&failed)?;
        let revision = read::revision(&snapshot).map_err(&failed)?;
        // A store at revision 0 was never written to.
        if revision > 0 && self.revision != Some(revision) {
            let newer = || newer_than(&snapshot, revision, files);
            if let Some(why) = (!self.are_merged).then(newer).flatten() {
                return Err(StoreError::Damaged {
                    path: files.store(),
                    why,
                });
            }
            take(&snapshot, files, rotate)?;
            self.revision = Some(revision);
            self.newest = Some(now);
            self.are_merged = false;
        }
        self.removal = None;
        Ok(())
    }

    /// When the newest backup was taken; none if there is none, or it was not looked for yet.
    pub(in crate::store::sqlite) const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// Whether a backup is due. A clock that was set back does not delay it.
    pub(in crate::store::sqlite) fn is_due(&self, now: Timestamp) -> bool {
        let soon = |since: Timestamp| now.duration_since(since).abs() >= SOON;
        self.removal.is_some_and(soon) || self.hour_is_over(now)
    }

    fn hour_is_over(&self, now: Timestamp) -> bool {
        self.tried
            .is_none_or(|tried| now.duration_since(tried).abs() >= INTERVAL)
    }

    /// Notes a change without which a customer could send again after a loss.
    pub(in crate::store::sqlite) fn note_removal(&mut self, now: Timestamp) {
        self.removal.get_or_insert(now);
    }

    /// Has a backup taken next: the store is another one now, with which the backups were merged.
    pub(in crate::store::sqlite) fn start_over(&mut self) {
        *self = Self {
            are_merged: true,
            ..Self::default()
        };
    }
}

/// Why an intact backup has what the store lacks, if one does. A store continues its backups; only one that does not seem to is
/// compared with a backup that is checked first.
pub(in crate::store::sqlite) fn newer_than(
    store: &Connection,
    revision: Revision,
    files: &Files,
) -> Option<String> {
    let mut backups: Vec<_> = [files.backup(), files.backup_before()]
        .into_iter()
        .filter_map(|path| {
            let reader = read_only::unchanging(&path).ok()?;
            Some((reader.revision().ok()?, path, reader))
        })
        .collect();
    backups.sort_by_key(|(revision, ..)| std::cmp::Reverse(*revision));
    for (of_backup, path, reader) in backups {
        let is_newer = of_backup > revision;
        let continues = reader
            .connection()
            .is_none_or(|backup| recovery::continues(store, backup).unwrap_or(true));
        if !is_newer && continues {
            return None;
        }
        if intact(path.clone()).is_ok() {
            let path = path.display();
            return Some(if is_newer {
                format!("its revision is {revision}, but {of_backup} is that of its backup {path}")
            } else {
                format!("it lacks changes that its backup {path} has")
            });
        }
    }
    None
}

/// The newest intact backup.
pub(in crate::store::sqlite) fn newest_intact(files: &Files) -> Option<Intact> {
    [files.backup(), files.backup_before()]
        .into_iter()
        .filter_map(|path| intact(path).ok())
        .max_by_key(|backup| backup.revision)
}

/// Whether there is any backup, intact or not.
pub(in crate::store::sqlite) fn is_any(files: &Files) -> bool {
    files.backup().exists() || files.backup_before().exists()
}

pub(in crate::store::sqlite) fn intact(path: PathBuf) -> Result<Intact, StoreError> {
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

/// Makes a copy, checks it, and only then replaces the previous backup, which becomes the one before if `rotate`.
fn take(connection: &Connection, files: &Files, rotate: bool) -> Result<(), StoreError> {
    let draft = files.backup_draft();
    let system = ErrorMap::of_system(&draft);
    files::remove(&draft).map_err(&system)?;
    let taken = Files::make(&draft)
        .map_err(&system)
        .and_then(|()| copy(connection, &draft))
        .and_then(|()| check(&draft));
    if let Err(error) = taken {
        // An incomplete copy would only take up space.
        let _ = files::remove(&draft);
        return Err(error);
    }
    if rotate && is_worth_keeping(files) {
        files
            .put(&files.backup(), &files.backup_before())
            .map_err(&system)?;
    }
    files.put(&draft, &files.backup()).map_err(&system)
}

/// Whether the last backup is to replace the one before. A newer one is not replaced by an older one, and none by a file that
/// is no backup.
fn is_worth_keeping(files: &Files) -> bool {
    let revision = |path: PathBuf| read_only::unchanging(&path)?.revision();
    match (revision(files.backup()), revision(files.backup_before())) {
        (Err(_), _) => false,
        (Ok(_), Err(_)) => true,
        (Ok(last), Ok(before)) => last >= before,
    }
}

/// Copies a store to a single file, without a log beside it.
pub(in crate::store::sqlite) fn copy(from: &Connection, draft: &Path) -> Result<(), StoreError> {
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
    to.pragma_update(None, "journal_mode", "DELETE").map_err(&failed)
}

fn check(draft: &Path) -> Result<(), StoreError> {
    let reader = read_only::unchanging(draft)?;
    reader
        .connection()
        .map_or(Ok(()), |connection| integrity::check(connection, draft))
}
