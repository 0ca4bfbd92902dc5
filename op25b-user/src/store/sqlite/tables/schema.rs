//! The schema of the store.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

pub(in crate::store::sqlite) use super::super::formats::Contents;
use super::super::formats::Formats;
use crate::store::StoreError;

/// The newest supported format.
pub(in crate::store::sqlite) const FORMAT: u32 = 3;
/// The first format with operations, and with the imports that exemptions are of.
const WITH_OPERATIONS: u32 = 2;
/// The first format with an identity.
const WITH_IDENTITY: u32 = 3;
/// Those of the store.
const STORE: Formats = Formats {
    application: u32::from_be_bytes(*b"OP25"),
    each: &FORMATS,
};
const FORMATS: [&str; FORMAT as usize] = [FIRST, SECOND, THIRD];

/// Times are text of one width, so that they sort; prefixes and destinations are arrays in JSON.
///
/// The audit must not be changed, not even with the sqlite3 shell. `INSERT OR REPLACE` removes rows without firing the
/// trigger for deletions, hence the third one.
const FIRST: &str = "
    CREATE TABLE exemptions (
        id TEXT PRIMARY KEY,
        customer TEXT NOT NULL,
        prefixes TEXT NOT NULL,
        destinations TEXT NOT NULL,
        ticket TEXT,
        note TEXT,
        created_at TEXT NOT NULL,
        created_uid INTEGER NOT NULL,
        created_name TEXT NOT NULL,
        expires_at TEXT,
        removed_at TEXT,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX exemptions_customer ON exemptions (customer, id);
    CREATE INDEX exemptions_expiry ON exemptions (expires_at) WHERE removed_at IS NULL;

    -- The first and the last address of each prefix, in network byte order.
    CREATE TABLE exemption_prefixes (
        family INTEGER NOT NULL,
        first BLOB NOT NULL,
        last BLOB NOT NULL,
        id TEXT NOT NULL REFERENCES exemptions (id),
        PRIMARY KEY (family, first, last, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE audit (
        revision INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        uid INTEGER NOT NULL,
        name TEXT NOT NULL,
        action TEXT NOT NULL,
        reason TEXT,
        exemption TEXT NOT NULL,
        before TEXT,
        after TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_exemption ON audit (exemption, revision);
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;
    CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit is never removed'); END;
    CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
        WHEN EXISTS (SELECT 1 FROM audit WHERE revision = NEW.revision)
        BEGIN SELECT RAISE(ABORT, 'the audit is never changed'); END;

    CREATE TABLE requests (
        uid INTEGER NOT NULL,
        key TEXT NOT NULL,
        digest TEXT NOT NULL,
        at TEXT NOT NULL,
        changed TEXT NOT NULL,
        PRIMARY KEY (uid, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX requests_at ON requests (at);
";

/// Operations are numbered in the order in which they were written: the clock may have been set back meanwhile.
const SECOND: &str = "
    CREATE TABLE operations (
        number INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        uid INTEGER NOT NULL,
        name TEXT NOT NULL,
        what TEXT NOT NULL,
        pool TEXT,
        reason TEXT,
        detail TEXT,
        until TEXT
    ) STRICT;
    CREATE INDEX operations_at ON operations (at);

    -- The import that added an exemption.
    ALTER TABLE exemptions ADD COLUMN batch TEXT;
    CREATE INDEX exemptions_batch ON exemptions (batch, id) WHERE batch IS NOT NULL;

    -- For the history of a time.
    CREATE INDEX exemptions_end ON exemptions (expires_at, id) WHERE expires_at IS NOT NULL;
    CREATE INDEX audit_at ON audit (at);
";

/// The identity is the same in all copies of a store. The filter in the kernel has it, too: a store of another one is not a later or
/// an earlier state of this one.
const THIRD: &str = "
    CREATE TABLE identity (id TEXT NOT NULL) STRICT;
    INSERT INTO identity (id) VALUES (lower(hex(randomblob(16))));
";

/// The contents of an open file.
pub(in crate::store::sqlite) fn contents(
    connection: &Connection,
    file: &Path,
) -> Result<Contents, StoreError> {
    STORE.contents(connection, file)
}

/// Creates the tables in a blank file, or upgrades those of an older format: completely or not at all.
pub(in crate::store::sqlite) fn make_current(
    connection: &mut Connection,
    contents: Contents,
) -> rusqlite::Result<()> {
    STORE.make_current(connection, contents)
}

/// The format of an open store.
pub(in crate::store::sqlite) fn format(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Whether a store, which may be of an older format, has a table of operations.
pub(in crate::store::sqlite) fn has_operations(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(format(connection)? >= WITH_OPERATIONS)
}

/// Whether the exemptions of a store, which may be of an older format, have the imports that they are of.
pub(in crate::store::sqlite) fn has_batches(connection: &Connection) -> rusqlite::Result<bool> {
    has_operations(connection)
}

/// The identity of a store; `None` if it is of a format without one.
pub(in crate::store::sqlite) fn identity(connection: &Connection) -> rusqlite::Result<Option<String>> {
    if format(connection)? < WITH_IDENTITY {
        return Ok(None);
    }
    connection
        .query_row("SELECT id FROM identity", [], |row| row.get(0))
        .optional()
}

/// Gives a store, which is of the newest format, the identity of the one that it continues.
pub(in crate::store::sqlite) fn set_identity(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE identity SET id = ?", [id])?;
    Ok(())
}

/// The definitions of a file's tables, as SQLite stores them.
pub(in crate::store::sqlite) fn definitions(
    connection: &Connection,
) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name")?
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
        .collect()
}

/// The definitions that a store of a format must have.
pub(in crate::store::sqlite) fn expected(format: u32) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    let mut connection = Connection::open_in_memory()?;
    STORE.upgrade(&mut connection, 0, format)?;
    definitions(&connection)
}
