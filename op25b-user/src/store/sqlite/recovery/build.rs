//! Builds the draft of a recovered store from everything that can be read.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::{
    Case, Damage,
    merge::{Difference, Merged},
    outcome::{self, Found},
    salvage::Salvage,
    source::{self, Source, SourceKind},
};
use crate::store::{
    Revision, StoreError,
    sqlite::{
        error::ErrorMap,
        files::{self, Files},
        read_only,
        tables::{audit, operations, read, schema, write},
        upkeep::{backup, integrity},
    },
};

/// How many revisions are skipped after a loss, so that a lost revision is not assigned to another change.
const LEFT_OUT: Revision = 1_000_000;

/// A draft that is complete.
pub(super) struct Outcome {
    /// What is to be said about it; the first line names the damage.
    pub(super) lines: Vec<String>,
    /// Whether the records are other ones than those of the file that was open.
    pub(super) has_other_records: bool,
}

/// Builds the draft of a recovered store.
pub(super) fn build(files: &Files, case: &Case<'_>, draft: &Path) -> Result<Outcome, StoreError> {
    let sources = source::intact(files, &case.damage);
    let base_revision = sources.first().map_or(0, |base| base.revision);
    let salvage = salvage(files, case, &sources, base_revision);
    match build_of(files, case, &sources, salvage.as_ref(), draft) {
        // What was read is inconsistent.
        Err(StoreError::Damaged { .. }) if salvage.is_some() => build_of(files, case, &sources, None, draft),
        answer => answer,
    }
}

/// Reads what is left of the store itself, unless it is intact. A copy of it: the damaged one is kept unchanged for inspection.
fn salvage(files: &Files, case: &Case<'_>, sources: &[Source<'_>], after: Revision) -> Option<Salvage> {
    let is = |kind: SourceKind| sources.iter().any(|source| source.kind == kind);
    match case.damage {
        Damage::Found if !is(SourceKind::AtPath) => {
            let copy = read_only::copy(&files.store()).ok()?;
            let connection = read_only::connect_to_copy(copy.path()).ok()?;
            Some(Salvage::after(&connection, after))
        }
        Damage::Removed(open) | Damage::Replaced { open, .. } if !is(SourceKind::Open) => {
            Some(Salvage::after(open, after))
        }
        _ => None,
    }
}

fn build_of(
    files: &Files,
    case: &Case<'_>,
    sources: &[Source<'_>],
    salvage: Option<&Salvage>,
    draft: &Path,
) -> Result<Outcome, StoreError> {
    let failed = ErrorMap::at(draft);
    let system = ErrorMap::of_system(draft);
    let store = files.store();
    let was_there = files::exists(&store).map_err(ErrorMap::of_system(&store))?;
    files::remove(draft).map_err(&system)?;
    Files::make(draft).map_err(&system)?;
    let base = sources.first();
    if let Some(connection) = base.and_then(Source::connection) {
        backup::copy(connection, draft)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(draft, flags).map_err(&failed)?;
    // The copy may be of an older format.
    let contents = schema::contents(&connection, draft)?;
    schema::make_current(&mut connection, contents).map_err(ErrorMap::with(&connection, draft))?;
    // Only one file is moved.
    connection
        .pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))
        .map_err(&failed)?;
    let at = Timestamp::now();
    let failed = ErrorMap::with(&connection, draft);
    let restored = read::not_removed(&connection, || ()).map_err(&failed)?.len();
    drop(failed);
    let parts = Parts {
        store: &store,
        was_there,
        case,
        sources,
        salvage,
        restored,
    };
    let outcome = apply(&mut connection, &parts, at).map_err(ErrorMap::with(&connection, draft))?;
    integrity::check(&connection, draft)?;
    Ok(outcome)
}

/// What a draft is built from.
struct Parts<'a> {
    store: &'a Path,
    /// Whether there is anything at the store's path.
    was_there: bool,
    case: &'a Case<'a>,
    sources: &'a [Source<'a>],
    salvage: Option<&'a Salvage>,
    /// The number of exemptions in the first source that are not removed.
    restored: usize,
}

fn apply(connection: &mut Connection, parts: &Parts<'_>, at: Timestamp) -> rusqlite::Result<Outcome> {
    let Parts {
        case,
        sources,
        salvage,
        ..
    } = *parts;
    let transaction = connection.transaction()?;
    let mut newest = read::revision(&transaction)?;
    if let Some(identity) = identity(sources, salvage) {
        schema::set_identity(&transaction, &identity)?;
    }
    if let Some(salvage) = salvage {
        for record in salvage.records.values() {
            write::replace(&transaction, record)?;
        }
        for event in salvage.events.values() {
            write::append(&transaction, event)?;
        }
        operations::add_missing(&transaction, salvage.operations.clone())?;
        newest = newest.max(salvage.newest());
    }
    let found = newest;
    let newest = newest.max(case.enforced);
    if !matches!(case.damage, Damage::Removed(_)) || found < case.enforced {
        // Also before anything is merged: a merged change gets a revision that no other change had.
        write::leave_out_up_to(&transaction, skip_to(newest, at))?;
    }
    let mut merged = Vec::new();
    for source in sources.iter().skip(1) {
        let Some(other) = source.connection() else {
            continue;
        };
        let result = match Difference::read(other, &transaction) {
            Ok(difference) => Ok(difference.merge(&transaction, at)?),
            // Its file is kept, but what is open is nowhere else.
            Err(error) if source.kind != SourceKind::Open => Err(error),
            Err(error) => return Err(error),
        };
        operations::add_missing(&transaction, operations::readable(other))?;
        merged.push((source, result));
    }
    let lines = outcome::lines(&Found {
        store: parts.store,
        was_there: parts.was_there,
        case,
        base: sources.first(),
        restored: parts.restored,
        merged: &merged,
        salvage,
        revision: found,
    });
    audit::append_recovery(&transaction, at, lines.join("; "))?;
    transaction.commit()?;
    let is_open = sources.first().is_some_and(|base| base.kind == SourceKind::Open);
    let is_merged = |result: &rusqlite::Result<Merged>| result.as_ref().is_ok_and(|it| it.changes > 0);
    Ok(Outcome {
        lines,
        has_other_records: !is_open || merged.iter().any(|(_, result)| is_merged(result)),
    })
}

/// The identity that the recovered store gets: that of the file that is open, or else of what can only be read row by row. One that
/// is restored from an intact copy has its identity already.
fn identity(sources: &[Source<'_>], salvage: Option<&Salvage>) -> Option<String> {
    let open = sources.iter().find(|source| source.kind == SourceKind::Open);
    match open.and_then(Source::connection) {
        Some(open) => schema::identity(open).ok().flatten(),
        None => salvage.and_then(|salvage| salvage.identity.clone()),
    }
}

/// The number of changes that were lost with a store of which nothing is left is not known, but there were fewer than one a
/// second.
fn skip_to(newest: Revision, at: Timestamp) -> Revision {
    let seconds = Revision::try_from(at.as_second()).unwrap_or_default();
    seconds.max(newest + LEFT_OUT)
}
