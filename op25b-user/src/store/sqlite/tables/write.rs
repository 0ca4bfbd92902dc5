//! Writes commits: all changes of one, or none.

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use ulid::Ulid;

use super::{read, row};
use crate::store::{Change, Commit, Event, Record, RequestKey, Revision};

/// Why a commit was not written.
#[derive(Debug)]
pub(in crate::store::sqlite) enum Refusal {
    /// A record is not what it was when the change was decided.
    Conflict(Ulid),
    /// SQLite's error.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Writes a commit; returns the revision of its last change.
pub(in crate::store::sqlite) fn commit(
    connection: &mut Connection,
    commit: &Commit,
) -> Result<Revision, Refusal> {
    // From here on no other connection writes: what is read is what will be changed.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut revision = read::revision(&transaction)?;
    for change in &commit.changes {
        revision += 1;
        let event = Event {
            revision,
            at: commit.at,
            by: commit.by.clone(),
            action: change.action,
            reason: commit.reason.clone(),
            before: change.before.clone(),
            after: Record {
                revision,
                ..change.after.clone()
            },
        };
        compare(&transaction, change)?;
        if change.before.is_some() {
            replace(&transaction, &event.after)?;
        } else {
            insert(&transaction, &event.after)?;
        }
        append(&transaction, &event)?;
    }
    forget_requests(&transaction, commit.at)?;
    if let Some(request) = &commit.taken_back {
        forget(&transaction, request)?;
    }
    if let Some(request) = &commit.request {
        remember(&transaction, request, commit)?;
    }
    transaction.commit()?;
    Ok(revision)
}

/// Checks that a record is as the change assumes.
fn compare(connection: &Connection, change: &Change) -> Result<(), Refusal> {
    let id = change.after.id;
    let same_record = change.before.as_ref().is_none_or(|before| before.id == id);
    if same_record && read::get(connection, id)? == change.before {
        Ok(())
    } else {
        Err(Refusal::Conflict(id))
    }
}

/// Inserts a record.
pub(in crate::store::sqlite) fn insert(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO exemptions ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row::RECORD
        ))?
        .execute(params![
            record.id.to_string(),
            record.terms.customer.as_str(),
            row::to_json(&record.terms.prefixes)?,
            row::to_json(&record.terms.destinations)?,
            record.terms.ticket.as_deref(),
            record.terms.note.as_deref(),
            row::time(record.created_at),
            record.created_by.uid,
            record.created_by.name,
            record.terms.expires_at.map(row::time),
            record.removed_at.map(row::time),
            record.revision,
            record.batch.map(|id| id.to_string()),
        ])?;
    // A record may contain the same prefix twice.
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO exemption_prefixes (family, first, last, id) VALUES (?, ?, ?, ?)",
    )?;
    for net in &record.terms.prefixes {
        let (family, first, last) = row::bounds(net);
        statement.execute(params![family, first, last, record.id.to_string()])?;
    }
    Ok(())
}

/// Replaces a record, or inserts it.
pub(in crate::store::sqlite) fn replace(connection: &Connection, record: &Record) -> rusqlite::Result<()> {
    let id = record.id.to_string();
    if let Some(before) = read::get(connection, record.id)? {
        let mut statement = connection.prepare_cached(
            "DELETE FROM exemption_prefixes WHERE family = ? AND first = ? AND last = ? AND id = ?",
        )?;
        for net in &before.terms.prefixes {
            let (family, first, last) = row::bounds(net);
            statement.execute(params![family, first, last, id])?;
        }
        connection
            .prepare_cached("DELETE FROM exemptions WHERE id = ?")?
            .execute([&id])?;
    }
    insert(connection, record)
}

/// Appends a row to the audit.
pub(in crate::store::sqlite) fn append(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO audit ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row::EVENT
        ))?
        .execute(params![
            event.revision,
            row::time(event.at),
            event.by.uid,
            event.by.name,
            row::word(event.action),
            event.reason,
            event.before.as_ref().map(row::to_json).transpose()?,
            row::to_json(&event.after)?,
            event.after.id.to_string(),
        ])?;
    Ok(())
}

/// Makes the next revision larger than this one.
pub(in crate::store::sqlite) fn leave_out_up_to(
    connection: &Connection,
    revision: Revision,
) -> rusqlite::Result<()> {
    let changed = connection.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'audit'",
        [revision],
    )?;
    if changed == 0 {
        connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('audit', ?)",
            [revision],
        )?;
    }
    Ok(())
}

fn forget_requests(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let (first, last) = read::requests_that_count(now);
    connection
        .prepare_cached("DELETE FROM requests WHERE at < ? OR at > ?")?
        .execute([first, last])?;
    Ok(())
}

fn forget(connection: &Connection, request: &RequestKey) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM requests WHERE uid = ? AND key = ?")?
        .execute(params![request.uid, request.key])?;
    Ok(())
}

fn remember(connection: &Connection, request: &RequestKey, commit: &Commit) -> rusqlite::Result<()> {
    let changed: Vec<Ulid> = commit.changes.iter().map(|change| change.after.id).collect();
    connection
        .prepare_cached("INSERT INTO requests (uid, key, digest, at, changed) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![
            request.uid,
            request.key,
            request.digest,
            row::time(commit.at),
            row::to_json(&changed)?,
        ])?;
    Ok(())
}
