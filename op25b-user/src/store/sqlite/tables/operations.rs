//! The operations on the filter, in a table of their own. Its rows are kept for a year, and there are at most ten thousand, besides a
//! hundred thousand about reading the records of subscribers.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::{row, schema};
use crate::store::{Actor, Operation, OperationKind, OperationQuery};

/// How long an operation is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The most operations.
const MOST: u32 = 10_000;
/// The most of those that are about reading.
const MOST_READS: u32 = 100_000;
/// These are counted only so often, as that takes reading all of them.
const READS_BETWEEN_COUNTS: i64 = 1000;
/// The columns that [`operation`] reads, in its order.
const COLUMNS: &str = "at, uid, name, what, pool, reason, detail, until";

/// Writes an operation, and removes what is too old or too many.
pub(in crate::store::sqlite) fn write(
    connection: &mut Connection,
    operation: &Operation,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    insert(&transaction, operation)?;
    transaction.commit()
}

fn insert(connection: &Connection, operation: &Operation) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO operations ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        ))?
        .execute(params![
            row::time(operation.at),
            operation.by.uid,
            operation.by.name,
            operation.what.name(),
            operation.pool,
            operation.reason,
            operation.detail,
            operation.until.map(row::time),
        ])?;
    let oldest = operation.at.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    connection
        .prepare_cached("DELETE FROM operations WHERE at < ?")?
        .execute([row::time(oldest)])?;
    let is_read = operation.what == OperationKind::Read;
    if is_read && connection.last_insert_rowid() % READS_BETWEEN_COUNTS != 0 {
        return Ok(());
    }
    let most = if is_read { MOST_READS } else { MOST };
    connection
        .prepare_cached(
            "DELETE FROM operations WHERE (what = 'read') = ?1 AND number <= (
                SELECT number FROM operations WHERE (what = 'read') = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![is_read, most])?;
    Ok(())
}

/// The newest operations that match, the newest first. A store of a format before has none.
pub(in crate::store::sqlite) fn list(
    connection: &Connection,
    query: OperationQuery,
) -> rusqlite::Result<Vec<Operation>> {
    if !schema::has_operations(connection)? {
        return Ok(Vec::new());
    }
    let since = row::time(query.since.unwrap_or(Timestamp::MIN));
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM operations WHERE at >= ? AND (what = 'read') = ? ORDER BY number DESC LIMIT ?"
        ))?
        .query_map(params![since, query.reads, limit], operation)?
        .collect()
}

/// The operations of a store that may be damaged, the oldest first: all that can be read.
pub(in crate::store::sqlite) fn readable(connection: &Connection) -> Vec<Operation> {
    if !schema::has_operations(connection).unwrap_or_default() {
        return Vec::new();
    }
    let sql = format!("SELECT {COLUMNS} FROM operations ORDER BY number");
    let Ok(mut statement) = connection.prepare(&sql) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Ok(mut rows) = statement.query([]) {
        // Up to the first page that cannot be read.
        while let Ok(Some(row)) = rows.next() {
            found.extend(operation(row).ok());
        }
    }
    found
}

/// Adds operations of another copy of the store that this one lacks.
pub(in crate::store::sqlite) fn add_missing(
    draft: &Connection,
    others: Vec<Operation>,
) -> rusqlite::Result<()> {
    let mut all = readable(draft);
    let missing: Vec<_> = others.into_iter().filter(|one| !all.contains(one)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    all.extend(missing);
    // Their numbers follow their times. A stable sort: two at the same time stay in order.
    all.sort_by_key(|one| one.at);
    draft.execute("DELETE FROM operations", [])?;
    all.iter().try_for_each(|one| insert(draft, one))
}

fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    Ok(Operation {
        at: row::parsed(row, 0)?,
        by: Actor {
            uid: row.get(1)?,
            name: row.get(2)?,
        },
        what: kind(row, 3)?,
        pool: row.get(4)?,
        reason: row.get(5)?,
        detail: row.get(6)?,
        until: row::parsed_if_any(row, 7)?,
    })
}

fn kind(row: &Row<'_>, column: usize) -> rusqlite::Result<OperationKind> {
    let found = row.get_ref(column)?.as_str()?;
    let kind = OperationKind::ALL.iter().find(|kind| kind.name() == found);
    kind.copied()
        .ok_or_else(|| row::damaged(column, format!("unknown kind of operation {found}")))
}
