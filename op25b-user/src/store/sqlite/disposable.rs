//! Databases that can be thrown away: one that is damaged is replaced by an empty one. What is removed from one leaves no trace
//! in its files.

use std::path::Path;

use rusqlite::Connection;

use super::{
    error::ErrorMap,
    files::{Files, beside, exists, give_to_owner_of, make_dir, remove},
    formats::{Contents, Formats},
    open::{self, LOG_SIZE},
    read_only,
};
use crate::store::{StoreError, database::Database};

/// A database that can be thrown away.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Disposable {
    pub(in crate::store) database: Database,
    pub(in crate::store) formats: Formats,
}

/// A connection that reads and writes.
pub(in crate::store) struct Opened {
    pub(in crate::store) connection: Connection,
    /// Why the file before was thrown away, if it was.
    pub(in crate::store) lost: Option<StoreError>,
}

impl Disposable {
    /// Opens it for writing, and creates it if there is none. One that is damaged is removed: a copy of it would outlast what
    /// may be kept of subscribers.
    pub(in crate::store) fn open(&self, state_dir: &Path) -> Result<Opened, StoreError> {
        match self.connect(state_dir) {
            Err(error @ StoreError::Damaged { .. }) => Ok(Opened {
                connection: self.begin_anew(state_dir)?,
                lost: Some(error),
            }),
            connected => Ok(Opened {
                connection: connected?,
                lost: None,
            }),
        }
    }

    /// Removes its files, and creates an empty one. No connection to it is open.
    pub(in crate::store) fn begin_anew(&self, state_dir: &Path) -> Result<Connection, StoreError> {
        let file = self.database.path(state_dir);
        remove(&file).map_err(ErrorMap::of_system(&file))?;
        self.connect(state_dir)
    }

    fn connect(&self, state_dir: &Path) -> Result<Connection, StoreError> {
        let file = self.database.path(state_dir);
        let system = ErrorMap::of_system(&file);
        make_dir(state_dir).map_err(&system)?;
        Files::make(&file).map_err(&system)?;
        let mut connection = open::connect_to(&file)?;
        let contents = self.formats.contents(&connection, &file)?;
        self.set_up(&mut connection, contents)
            .map_err(ErrorMap::with(&connection, &file))?;
        give_to_owner_of(state_dir, &file).map_err(&system)?;
        Ok(connection)
    }

    fn set_up(&self, connection: &mut Connection, contents: Contents) -> rusqlite::Result<()> {
        if contents == Contents::Blank {
            // Only before there is a table. Pages that were freed are then given back to the system without a copy of the file.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))?;
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        self.formats.make_current(connection, contents)
    }

    /// Whether there is a file of it.
    pub(in crate::store) fn exists(&self, state_dir: &Path) -> Result<bool, StoreError> {
        let file = self.database.path(state_dir);
        exists(&file).map_err(ErrorMap::of_system(&file))
    }

    /// Opens it for reading, whether or not a daemon writes to it; `None` if there is no file, or nothing in it.
    pub(in crate::store) fn reader(&self, state_dir: &Path) -> Result<Option<Connection>, StoreError> {
        let file = self.database.path(state_dir);
        let system = ErrorMap::of_system(&file);
        if !self.exists(state_dir)? {
            return Ok(None);
        }
        // A daemon that has stopped has removed its log, and SQLite need not create another. While one runs, its file changes.
        let connection = if exists(&beside(&file, "-wal")).map_err(&system)? {
            read_only::connect(&file)?
        } else {
            read_only::connect_to_unchanging(&file)?
        };
        match self.formats.contents(&connection, &file)? {
            Contents::Blank => Ok(None),
            Contents::Store(_) => Ok(Some(connection)),
        }
    }
}

/// Maps an error of a connection to a file, for databases beside the exemptions.
pub(in crate::store) fn error_of(connection: &Connection, file: &Path, error: rusqlite::Error) -> StoreError {
    ErrorMap::with(connection, file)(error)
}

/// Moves the log into the file, and overwrites it: what was removed is in neither then. Readers that are under way delay this to the
/// next time.
pub(in crate::store) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    super::recovery::checkpoint(connection)
}

/// The same, and waits some seconds for readers. Returns whether the log is empty.
pub(in crate::store) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!is_busy)
}
