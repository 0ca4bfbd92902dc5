//! Recovers a damaged store: from the newest backup and from what can still be read of it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::{
    backup::{self, Intact},
    error::ErrorMap,
    files::{self, FILE_MODE, Files},
    integrity, read,
    read_only::{self, SqliteReader},
    salvage::Salvage,
    schema::{self, Contents},
    write,
};
use crate::store::{Revision, StoreError};

/// How many revisions are skipped after a loss, so that a lost revision is not assigned to another change.
const LEFT_OUT: Revision = 1_000_000;

/// What was recovered.
struct Outcome {
    backup: Option<Intact>,
    /// The number of exemptions in the backup that are not removed.
    restored: usize,
    /// What was read of the damaged store, if anything.
    salvage: Option<Salvage>,
}

/// Recovers the store in place. The damaged one is kept beside it.
pub(super) fn in_place(files: &Files, why: &str, remarks: &mut Vec<String>) -> Result<(), StoreError> {
    let (store, draft) = (files.store(), files.recovery_draft());
    let system = ErrorMap::of_system(&store);
    let outcome = build(files, &draft).inspect_err(|_| {
        // An incomplete draft would only take up space.
        let _ = files::remove(&draft);
    })?;
    // From here on a crash loses nothing that was recovered: see `finish`.
    files.put(&draft, &files.recovered()).map_err(&system)?;
    let was_there = files::exists(&store).map_err(&system)?;
    let aside = files.move_aside(Timestamp::now()).map_err(&system)?;
    files.put(&files.recovered(), &store).map_err(&system)?;
    remarks.push(if was_there {
        format!(
            "the exemption store {} was damaged ({why}); it was moved to {}",
            store.display(),
            aside.display()
        )
    } else {
        format!(
            "the exemption store {} was missing, but its backup was not",
            store.display()
        )
    });
    outcome.describe(remarks);
    Ok(())
}

/// Recovers the store to a temporary directory, because its own cannot be written.
pub(super) fn elsewhere(
    files: &Files,
    why: &str,
    remarks: &mut Vec<String>,
) -> Result<SqliteReader, StoreError> {
    let (dir, outcome) = read_only::elsewhere(|dir| build(files, &read_only::in_copy(dir)))?;
    let reader = SqliteReader::of_copy(files.store(), dir)?;
    remarks.push(format!(
        "the exemption store {} is damaged ({why}), and its directory cannot be written: the recovered store is temporary",
        files.store().display()
    ));
    outcome.describe(remarks);
    Ok(reader)
}

/// Completes a recovery that was interrupted.
pub(super) fn finish(files: &Files) -> Result<(), StoreError> {
    let (store, recovered) = (files.store(), files.recovered());
    let system = ErrorMap::of_system(&store);
    if !files::exists(&recovered).map_err(&system)? {
        return Ok(());
    }
    if files::exists(&store).map_err(&system)? {
        // Nothing has been moved yet: the recovery begins again.
        return files::remove(&recovered).map_err(&system);
    }
    // The damaged store's log may not have been moved yet, and must not be used with the recovered one.
    files.move_aside(Timestamp::now()).map_err(&system)?;
    files.put(&recovered, &store).map_err(&system)
}

fn build(files: &Files, draft: &Path) -> Result<Outcome, StoreError> {
    let backup = backup::newest_intact(files);
    let salvage = salvage(files, backup.as_ref().map_or(0, |backup| backup.revision));
    match build_of(backup.as_ref(), salvage.as_ref(), draft) {
        Ok(restored) => Ok(Outcome {
            backup,
            restored,
            salvage,
        }),
        // What was read is inconsistent.
        Err(StoreError::Damaged { .. }) if salvage.is_some() => Ok(Outcome {
            restored: build_of(backup.as_ref(), None, draft)?,
            salvage: None,
            backup,
        }),
        Err(error) => Err(error),
    }
}

/// Builds a store from its parts; returns the number of exemptions in the backup that are not removed.
fn build_of(backup: Option<&Intact>, salvage: Option<&Salvage>, draft: &Path) -> Result<usize, StoreError> {
    let system = ErrorMap::of_system(draft);
    files::remove(draft).map_err(&system)?;
    match backup {
        Some(backup) => {
            fs::copy(&backup.path, draft).map_err(&system)?;
            fs::set_permissions(draft, Permissions::from_mode(FILE_MODE)).map_err(&system)?;
        }
        None => Files::make(draft).map_err(&system)?,
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(draft, flags).map_err(ErrorMap::at(draft))?;
    if schema::contents(&connection, draft)? == Contents::Blank {
        schema::create(&mut connection).map_err(ErrorMap::with(&connection, draft))?;
    }
    let failed = ErrorMap::at(draft);
    // A backup that was copied by hand may still have a log; only one file is moved.
    connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(&failed)?;
    let restored = read::not_removed(&connection).map_err(&failed)?.len();
    let revision = read::revision(&connection).map_err(&failed)?;
    apply(&mut connection, revision, salvage).map_err(&failed)?;
    integrity::check(&connection, draft)?;
    Ok(restored)
}

/// Reads a copy: the damaged store itself is kept unchanged for inspection.
fn salvage(files: &Files, after: Revision) -> Option<Salvage> {
    let copy = read_only::copy(&files.store()).ok()?;
    let connection = read_only::connect_to_copy(copy.path()).ok()?;
    Some(Salvage::after(&connection, after))
}

fn apply(connection: &mut Connection, restored: Revision, salvage: Option<&Salvage>) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut newest = restored;
    if let Some(salvage) = salvage {
        for record in salvage.records.values() {
            write::replace(&transaction, record)?;
        }
        for event in salvage.events.values() {
            write::append(&transaction, event)?;
        }
        newest = newest.max(salvage.newest());
    }
    // The number of changes that were lost with a store of which nothing is left is not known, but there were fewer than
    // one a second.
    let seconds = Revision::try_from(Timestamp::now().as_second()).unwrap_or_default();
    write::leave_out_up_to(&transaction, seconds.max(newest + LEFT_OUT))?;
    transaction.commit()
}

impl Outcome {
    fn describe(&self, remarks: &mut Vec<String>) {
        let revision = self.backup.as_ref().map_or(0, |backup| backup.revision);
        remarks.push(match &self.backup {
            Some(backup) => format!(
                "{} were restored from {}, taken at {:.0}",
                counted(self.restored, "exemption"),
                backup.path.display(),
                backup.taken
            ),
            None => "there is no intact backup to restore exemptions from".to_owned(),
        });
        let Some(salvage) = &self.salvage else {
            remarks.push("nothing could be read of the damaged store: later changes are lost".to_owned());
            return;
        };
        let salvaged = salvage.events.len();
        remarks.push(format!(
            "{} and {} could be read from the damaged store that are not in the backup",
            counted(salvaged, "change"),
            counted(salvage.records.len(), "changed exemption")
        ));
        for id in &salvage.doubtful {
            remarks.push(format!(
                "there are two different accounts of exemption {id}: its later changes were not recovered"
            ));
        }
        let salvaged = Revision::try_from(salvaged).unwrap_or(Revision::MAX);
        match salvage.last {
            Some(last) if last.saturating_sub(revision) <= salvaged => {}
            Some(last) => remarks.push(format!(
                "{} of {} after the backup could not be read and may be lost",
                last - revision - salvaged,
                last - revision
            )),
            None => remarks.push("other changes after the backup may be lost".to_owned()),
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
