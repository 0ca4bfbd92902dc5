//! Opens the store for the daemon, which must start whatever the state of the disk.

use std::path::Path;

use nix::unistd::{AccessFlags, access};
use rusqlite::{Connection, OpenFlags};

use super::{
    error::ErrorMap,
    files::{self, Files, Seen, beside},
    read_only::{self, BUSY_TIMEOUT, Check, SqliteReader},
    recovery::{self, Case, Damage},
    tables::{
        read,
        schema::{self, Contents},
    },
    upkeep::{backup, integrity},
};
use crate::store::{Revision, StoreError};

/// The unit of SQLite's page sizes, in bytes.
const PAGE: u64 = 512;
/// The size to which the write-ahead log is truncated after a large commit, in bytes.
pub(super) const LOG_SIZE: u32 = 4 << 20;

/// A connection for reading and writing.
pub(super) struct Writable {
    pub(super) connection: Connection,
    /// Whether the store was recovered.
    pub(super) is_recovered: bool,
}

/// A connection for reading and writing. A store that is found to be damaged, or behind what was enforced, is recovered first.
pub(super) fn writable(
    files: &Files,
    check: Check,
    enforced: Revision,
    remarks: &mut Vec<String>,
) -> Result<Writable, StoreError> {
    let store = files.store();
    files.make_dir().map_err(ErrorMap::of_system(&store))?;
    let mut why = recovery::finish(files)?.or(no_store(files)?).map(str::to_owned);
    if why.is_none() {
        why = match connect(files, check) {
            Ok(connection) => match behind(&connection, files, enforced)? {
                None => {
                    return Ok(Writable {
                        connection,
                        is_recovered: false,
                    });
                }
                why => why,
            },
            Err(StoreError::Damaged { why, .. }) => Some(why),
            Err(error) => return Err(error),
        };
    }
    if let Some(why) = &why {
        recovery::in_place(files, &found(why, enforced), remarks)?;
    }
    Ok(Writable {
        connection: connect(files, Check::All)?,
        is_recovered: true,
    })
}

/// A reader for a store that cannot be written. An error if there are records that cannot be read.
pub(super) fn readable(
    files: &Files,
    check: Check,
    enforced: Revision,
    remarks: &mut Vec<String>,
) -> Result<SqliteReader, StoreError> {
    let store = files.store();
    if let Some(why) = no_store(files)? {
        return recovery::elsewhere(files, &found(why, enforced), remarks);
    }
    if !files::exists(&store).map_err(ErrorMap::of_system(&store))? {
        remarks.push(format!(
            "there is no exemption store {}: none is enforced from it",
            store.display()
        ));
        return Ok(SqliteReader::empty(store));
    }
    let why = match read_only::by_any_means(&store, check) {
        Ok(reader) => match reader
            .connection()
            .map(|it| behind(it, files, enforced))
            .transpose()?
        {
            None | Some(None) => return Ok(reader),
            Some(Some(why)) => why,
        },
        Err(StoreError::Damaged { why, .. }) => why,
        Err(error) => return Err(error),
    };
    recovery::elsewhere(files, &found(&why, enforced), remarks)
}

fn found(why: &str, enforced: Revision) -> Case<'_> {
    Case {
        damage: Damage::Found,
        why,
        enforced,
    }
}

/// Why a store that is intact lacks changes that it had, if it does: its log is lost, or it was replaced by an older one.
fn behind(connection: &Connection, files: &Files, enforced: Revision) -> Result<Option<String>, StoreError> {
    let store = files.store();
    let revision = read::revision(connection).map_err(ErrorMap::with(connection, &store))?;
    if revision < enforced {
        return Ok(Some(format!(
            "its revision is {revision}, but {enforced} was enforced"
        )));
    }
    Ok(backup::newer_than(connection, revision, files))
}

/// Why there is a backup, a log or a fragment of a file, but no store. SQLite would create an empty one, or treat the file
/// as one of a later SQLite.
fn no_store(files: &Files) -> Result<Option<&'static str>, StoreError> {
    let store = files.store();
    let system = ErrorMap::of_system(&store);
    let seen = Seen::at(&store).map_err(&system)?;
    let log = Seen::at(&beside(&store, "-wal")).map_err(&system)?;
    let has_log = log.is_some_and(|log| log.len > 0);
    let was_there = backup::is_any(files) || has_log;
    Ok(match seen {
        None if was_there => Some("it is missing"),
        // Opening it says why not.
        Some(seen) if !seen.is_file => None,
        Some(seen) if seen.len == 0 && was_there => Some("it is empty"),
        Some(seen) if (1..PAGE).contains(&seen.len) => Some("it is cut off"),
        // After a crash the log still has what was cut off.
        Some(seen) if seen.len % PAGE != 0 && !has_log => Some("it is cut off"),
        Some(_) if !files::is_writable_format(&store) => Some("its header is not what was written"),
        _ => None,
    })
}

pub(super) fn connect(files: &Files, check: Check) -> Result<Connection, StoreError> {
    let store = files.store();
    Files::make(&store).map_err(ErrorMap::of_system(&store))?;
    let mut connection = connect_to(&store)?;
    // A newer format is left unchanged.
    let contents = schema::contents(&connection, &store)?;
    set_up(&mut connection, contents).map_err(ErrorMap::with(&connection, &store))?;
    if check == Check::All {
        integrity::check(&connection, &store)?;
    }
    Ok(connection)
}

/// A connection that reads and writes a file.
pub(super) fn connect_to(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(ErrorMap::at(file))?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(ErrorMap::at(file))?;
    // SQLite falls back to reading only.
    if connection.is_readonly("main").map_err(ErrorMap::at(file))? {
        let why = access(file, AccessFlags::W_OK).err();
        return Err(StoreError::ReadOnly {
            path: file.to_owned(),
            why: why
                .map_or("it was opened for reading only", nix::errno::Errno::desc)
                .to_owned(),
        });
    }
    Ok(connection)
}

fn set_up(connection: &mut Connection, contents: Contents) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Each commit is on the disk before it returns.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))?;
    schema::make_current(connection, contents)
}
