//! Whether a file is still what was written.
//!
//! SQLite notices pages that make no sense, and not a byte of a prefix that has become another one. But each record
//! stands in the file twice, as a row of its own and as what the audit says of its last change: the two have to agree.

use std::path::Path;

use rusqlite::{Connection, Row};

use super::{error::Trouble, row};
use crate::store::{Record, StoreError};

/// How many columns a record has; what the audit says comes after them.
const TOLD: usize = 12;

/// Looks through all pages and all records of a file that has our tables.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let trouble = Trouble::with(connection, file);
    let damaged = |why: String| StoreError::Damaged {
        path: file.to_owned(),
        why,
    };
    let pages: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(&trouble)?;
    if pages != "ok" {
        return Err(damaged(pages.replace('\n', " ")));
    }
    match first_difference(connection).map_err(&trouble)? {
        None => Ok(()),
        Some(record) => Err(damaged(format!(
            "exemption {} is not what its last change made of it",
            record.id
        ))),
    }
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
        if told(row)?.is_some_and(|told| told != record) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn told(row: &Row<'_>) -> rusqlite::Result<Option<Record>> {
    match row.get_ref(TOLD)?.as_str_or_null()? {
        None => Ok(None),
        Some(_) => row::json(row, TOLD).map(Some),
    }
}
