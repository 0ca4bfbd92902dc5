//! Checks that a file is still as it was written.
//!
//! SQLite detects malformed pages, but not a flipped bit in a prefix. Each record is in the file twice, as a row of its own
//! and in the audit's row of its last change: the two must be equal.

use std::{collections::BTreeSet, path::Path};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{
    error::ErrorMap,
    tables::{read, row, schema},
};
use crate::store::{Record, StoreError};

/// The column of the audit's record, after the 13 of the record itself.
const AUDITED: usize = 13;

/// Checks all pages and all records of a file that has the tables.
pub(in crate::store::sqlite) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    match first_fault(connection).map_err(ErrorMap::with(connection, file))? {
        None => Ok(()),
        Some(why) => Err(StoreError::Damaged {
            path: file.to_owned(),
            why,
        }),
    }
}

fn first_fault(connection: &Connection) -> rusqlite::Result<Option<String>> {
    // A table's name may have changed, or a trigger may be missing.
    let expected = schema::expected(schema::format(connection)?)?;
    if schema::definitions(connection)? != expected {
        return Ok(Some("its schema is not as it was created".to_owned()));
    }
    // Not `quick_check`: it does not compare indexes with their tables, and a later write would fail.
    let pages: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if pages != "ok" {
        return Ok(Some(pages.replace('\n', " ")));
    }
    let last = connection.query_row("SELECT coalesce(max(revision), 0) FROM audit", [], |row| {
        row.get(0)
    })?;
    if read::revision(connection)? < last {
        return Ok(Some("the sequence of revisions is behind the audit".to_owned()));
    }
    if let Some(record) = first_difference(connection)? {
        return Ok(Some(format!(
            "exemption {} differs from the audit of its last change",
            record.id
        )));
    }
    Ok(None)
}

/// The first record that differs from the audit. After a recovery the audit may lack a record.
fn first_difference(connection: &Connection) -> rusqlite::Result<Option<Record>> {
    let columns = row::record_columns(connection)?.replace("revision", "exemptions.revision");
    let mut statement = connection.prepare(&format!(
        "SELECT {columns}, audit.after FROM exemptions LEFT JOIN audit ON audit.revision = exemptions.revision"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record = row::record(row)?;
        if audited(row)?.is_some_and(|audited| audited != record) || !is_found(connection, &record)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether a record is found by each of its prefixes.
fn is_found(connection: &Connection, record: &Record) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT TRUE FROM exemption_prefixes WHERE family = ? AND first = ? AND last = ? AND id = ?",
    )?;
    for (family, first, last) in record
        .terms
        .prefixes
        .iter()
        .map(row::bounds)
        .collect::<BTreeSet<_>>()
    {
        let row = statement
            .query_row(params![family, first, last, record.id.to_string()], |_| Ok(()))
            .optional()?;
        if row.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The record in the audit's row.
fn audited(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    match row.get_ref(AUDITED)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => row::json(row, AUDITED).map(Some),
    }
}
