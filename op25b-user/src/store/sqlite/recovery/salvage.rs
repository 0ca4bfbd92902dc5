//! Reads a damaged store row by row, as far as possible.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row};
use ulid::Ulid;

use crate::store::{
    Event, Operation, Record, Revision,
    sqlite::tables::{audit, operations, read, row, schema},
};

/// More changes than any store has: a larger number is damage.
const LAST: Revision = 1 << 53;
/// The most single rows that are looked up between those that are read from either end.
const PROBES: Revision = 1_000_000;

/// What was read of the changes after a revision.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    /// The rows of the audit.
    pub(super) events: BTreeMap<Revision, Event>,
    /// The newest state of each record.
    pub(super) records: BTreeMap<Ulid, Record>,
    /// Records whose row and audit differ.
    pub(super) doubtful: BTreeSet<Ulid>,
    /// The operations on the filter.
    pub(super) operations: Vec<Operation>,
    /// The last revision, if it can be read.
    pub(super) last: Option<Revision>,
    /// The identity of the store, if it can be read.
    pub(super) identity: Option<String>,
}

impl Salvage {
    /// Reads the changes after a revision.
    pub(super) fn after(connection: &Connection, revision: Revision) -> Self {
        let last = read::revision(connection).ok();
        let mut salvage = Self {
            last: last.filter(|last| (1..LAST).contains(last)),
            events: events(connection, revision),
            operations: operations::readable(connection),
            identity: schema::identity(connection).ok().flatten(),
            ..Self::default()
        };
        let newest: BTreeMap<Ulid, Revision> = salvage
            .events
            .values()
            .map(|event| (event.after.id, event.revision))
            .collect();
        let columns = row::record_columns(connection).unwrap_or_else(|_| row::RECORD.to_owned());
        for row in rows(connection, "exemptions", &columns, "id", row::record) {
            if !(revision + 1..LAST).contains(&row.revision) {
                continue;
            }
            if agree(&row, &salvage.events, newest.get(&row.id).copied()) {
                salvage.records.insert(row.id, row);
            } else {
                salvage.doubtful.insert(row.id);
            }
        }
        salvage
            .events
            .retain(|_, event| !salvage.doubtful.contains(&event.after.id));
        for event in salvage.events.values().filter(|event| !audit::is_recovery(event)) {
            let newest = salvage.records.entry(event.after.id);
            let newest = newest.or_insert_with(|| event.after.clone());
            if newest.revision < event.revision {
                newest.clone_from(&event.after);
            }
        }
        salvage
    }

    /// The last revision in anything that was read.
    pub(super) fn newest(&self) -> Revision {
        let of_events = self.events.keys().next_back().copied();
        let of_records = self.records.values().map(|record| record.revision).max();
        [self.last, of_events, of_records]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }
}

/// Whether a record's row agrees with the audit, as far as it could be read. A damaged page may be readable: if the two
/// differ, neither is used.
fn agree(row: &Record, events: &BTreeMap<Revision, Event>, newest: Option<Revision>) -> bool {
    match (events.get(&row.revision), newest) {
        (Some(event), newest) => event.after == *row && newest == Some(row.revision),
        (None, Some(newest)) => newest < row.revision,
        (None, None) => true,
    }
}

fn events(connection: &Connection, after: Revision) -> BTreeMap<Revision, Event> {
    let mut events: BTreeMap<_, _> = rows(connection, "audit", row::EVENT, "revision", row::event)
        .into_iter()
        .filter(|event| (after + 1..LAST).contains(&event.revision))
        .map(|event| (event.revision, event))
        .collect();
    // Between the first and the last damaged page.
    let read: Vec<Revision> = [after].into_iter().chain(events.keys().copied()).collect();
    let gaps = read.windows(2).flat_map(|pair| pair[0] + 1..pair[1]);
    let sql = format!("SELECT {} FROM audit WHERE revision = ?", row::EVENT);
    let gaps: Vec<Revision> = gaps.take(usize::try_from(PROBES).unwrap_or(usize::MAX)).collect();
    for revision in gaps {
        let event = connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([revision], row::event));
        if let Ok(event) = event {
            events.insert(revision, event);
        }
    }
    events
}

/// Reads rows from the first one up to a damaged page, and then from the last one down.
fn rows<T>(
    connection: &Connection,
    table: &str,
    columns: &str,
    key: &str,
    decode: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let mut found = Vec::new();
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT {columns} FROM {table} ORDER BY {key} {order}");
        if read_on(connection, &sql, decode, &mut found).is_ok() {
            break;
        }
    }
    found
}

/// Reads rows and skips malformed ones, as far as SQLite continues.
fn read_on<T>(
    connection: &Connection,
    sql: &str,
    decode: fn(&Row<'_>) -> rusqlite::Result<T>,
    found: &mut Vec<T>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        found.extend(decode(row).ok());
    }
    Ok(())
}
