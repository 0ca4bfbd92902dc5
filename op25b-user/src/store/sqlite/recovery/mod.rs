//! Puts a store together again: one that is damaged or behind what was enforced, or whose file was removed or replaced while it
//! was open.

mod build;
mod merge;
mod outcome;
mod salvage;
mod source;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;

use self::build::build;
pub(super) use self::merge::continues;
use super::{
    error::ErrorMap,
    files::{self, Files},
    read_only::{self, BUSY_TIMEOUT, SqliteReader},
};
use crate::store::{Revision, StoreError};

/// What happened to the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage<'a> {
    /// The file was found damaged, behind or missing when it was opened.
    Found,
    /// Another process removed it, or its log, while this connection has it open.
    Removed(&'a Connection),
    /// Another process put another file in its place, while this connection has it open.
    Replaced {
        open: &'a Connection,
        /// Whether the log at its path is still that of the file that is open.
        log_is_open: bool,
    },
}

/// What is to be recovered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) damage: Damage<'a>,
    /// Why, in a few words.
    pub(super) why: &'a str,
    /// The last revision that is known to have been enforced.
    pub(super) enforced: Revision,
}

/// Recovers the store in place. What is at its path is kept beside it.
///
/// If this fails, what was there before is still there: the draft is complete and on the disk before anything is moved, and
/// [`finish`] continues from there. Returns whether the records are other ones than those of the file that was open.
pub(super) fn in_place(
    files: &Files,
    case: &Case<'_>,
    remarks: &mut Vec<String>,
) -> Result<bool, StoreError> {
    let (store, draft) = (files.store(), files.recovery_draft());
    let system = ErrorMap::of_system(&store);
    if let Damage::Replaced { open, .. } | Damage::Removed(open) = case.damage {
        // Best effort: what is moved aside should have no log that belongs to another file.
        let _ = checkpoint(open);
    }
    files.make_dir().map_err(&system)?;
    let outcome = build(files, case, &draft).inspect_err(|_| {
        // An incomplete draft would only take up space.
        let _ = files::remove(&draft);
    })?;
    files.put(&draft, &files.recovered()).map_err(&system)?;
    let aside = files.move_aside(Timestamp::now()).map_err(&system)?;
    files.put(&files.recovered(), &store).map_err(&system)?;
    let mut lines = outcome.lines;
    if let (Some(aside), Some(first)) = (aside, lines.first_mut()) {
        *first = format!("{first}; it was moved to {}", aside.display());
    }
    remarks.extend(lines);
    Ok(outcome.has_other_records)
}

/// Recovers the store to a temporary directory, because its own cannot be written.
pub(super) fn elsewhere(
    files: &Files,
    case: &Case<'_>,
    remarks: &mut Vec<String>,
) -> Result<SqliteReader, StoreError> {
    let (dir, outcome) = read_only::elsewhere(|dir| build(files, case, &read_only::in_copy(dir)))?;
    let reader = SqliteReader::of_copy(files.store(), dir)?;
    let mut lines = outcome.lines;
    if let Some(first) = lines.first_mut() {
        *first = format!("{first}, and its directory cannot be written: the recovered store is temporary");
    }
    remarks.extend(lines);
    Ok(reader)
}

/// Moves what is in the log to the file that a connection has open, and empties the log. Readers are not waited for.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    done
}

/// Completes a recovery that was interrupted; returns why the store has to be recovered again, if it has to.
pub(super) fn finish(files: &Files) -> Result<Option<&'static str>, StoreError> {
    let (store, recovered) = (files.store(), files.recovered());
    let system = ErrorMap::of_system(&store);
    if !files::exists(&recovered).map_err(&system)? {
        return Ok(None);
    }
    if files::exists(&store).map_err(&system)? {
        // What was recovered may be nowhere else: the file that was open is gone. It is merged with what is there.
        return Ok(Some("its recovery was interrupted"));
    }
    // The log of the store before may not have been moved yet, and must not be used with the recovered one.
    files.move_aside(Timestamp::now()).map_err(&system)?;
    files.put(&recovered, &store).map_err(&system)?;
    Ok(None)
}
