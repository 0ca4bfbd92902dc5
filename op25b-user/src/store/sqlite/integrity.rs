//! Whether a file is still what was written.
//!
//! SQLite notices pages that make no sense, and not a byte of a prefix that has become another one. But each record
//! stands in the file twice, as a row of its own and as what the audit says of its last change: the two have to agree.

use std::{collections::BTreeSet, path::Path};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{error::Trouble, read, row, schema};
use crate::store::{Record, StoreError};

/// How many columns a record has; what the audit says comes after them.
const TOLD: usize = 12;

/// Looks through all pages and all records of a file that has our tables.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    match first_fault(connection).map_err(Trouble::with(connection, file))? {
        None => Ok(()),
        Some(why) => Err(StoreError::Damaged {
            path: file.to_owned(),
            why,
        }),
    }
}

fn first_fault(connection: &Connection) -> rusqlite::Result<Option<String>> {
    // Its name of a table may have become another one, or a trigger may be gone.
    if schema::definitions(connection)? != schema::expected()? {
        return Ok(Some("its tables are not those that were made".to_owned()));
    }
    // Not `quick_check`: that does not compare indexes with their tables, and a write would then fail.
    let pages: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if pages != "ok" {
        return Ok(Some(pages.replace('\n', " ")));
    }
    let last = connection.query_row("SELECT coalesce(max(revision), 0) FROM audit", [], |row| {
        row.get(0)
    })?;
    if read::revision(connection)? < last {
        return Ok(Some(
            "the number of the last change is not the last one".to_owned(),
        ));
    }
    if let Some(record) = first_difference(connection)? {
        return Ok(Some(format!(
            "exemption {} is not what its last change made of it",
            record.id
        )));
    }
    Ok(None)
}

/// The first record that the audit says something else of. After a recovery it may say nothing.
fn first_difference(connection: &Connection) -> rusqlite::Result<Option<Record>> {
    let columns = row::RECORD.replace("revision", "exemptions.revision");
    let mut statement = connection.prepare(&format!(
        "SELECT {columns}, audit.after FROM exemptions LEFT JOIN audit ON audit.revision = exemptions.revision"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let record = row::record(row)?;
        if told(row)?.is_some_and(|told| told != record) || !is_found(connection, &record)? {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether each prefix of a record leads to it.
fn is_found(connection: &Connection, record: &Record) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT TRUE FROM exemption_prefixes WHERE family = ? AND first = ? AND last = ? AND id = ?",
    )?;
    for (family, first, last) in record.prefixes.iter().map(row::bounds).collect::<BTreeSet<_>>() {
        let row = statement
            .query_row(params![family, first, last, record.id.to_string()], |_| Ok(()))
            .optional()?;
        if row.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn told(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    match row.get_ref(TOLD)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => row::json(row, TOLD).map(Some),
    }
}
