//! Opening the store for the daemon, which must start whatever has become of the disk.

use nix::unistd::{AccessFlags, access};
use rusqlite::{Connection, OpenFlags};

use super::{
    backup,
    error::Trouble,
    files::{self, Files, Seen, beside},
    integrity,
    read_only::{self, Check, PATIENCE, SqliteReader},
    recover,
    schema::{self, Contents},
};
use crate::store::StoreError;

/// What the size of each page is a multiple of, in bytes.
const PAGE: u64 = 512;
/// To what the log beside the store is cut back, in bytes, after a large commit.
const LOG_SIZE: u32 = 4 << 20;

/// A connection to read and write with. A damaged store is recovered first.
pub(super) fn writable(files: &Files, remarks: &mut Vec<String>) -> Result<Connection, StoreError> {
    let store = files.store();
    files.make_dir().map_err(Trouble::of_system(&store))?;
    recover::finish(files)?;
    if let Some(why) = no_store(files)? {
        recover::in_place(files, why, remarks)?;
    }
    match connect(files) {
        Err(StoreError::Damaged { why, .. }) => {
            recover::in_place(files, &why, remarks)?;
            connect(files)
        }
        answer => answer,
    }
}

/// What can be read if nothing can be written. An error if there are records that cannot be read.
pub(super) fn readable(files: &Files, remarks: &mut Vec<String>) -> Result<SqliteReader, StoreError> {
    let store = files.store();
    if let Some(why) = no_store(files)? {
        return recover::elsewhere(files, why, remarks);
    }
    if !files::exists(&store).map_err(Trouble::of_system(&store))? {
        remarks.push(format!(
            "there is no exemption store {}: none is enforced from it",
            store.display()
        ));
        return Ok(SqliteReader::empty(store));
    }
    match read_only::by_any_means(&store, Check::All) {
        Err(StoreError::Damaged { why, .. }) => recover::elsewhere(files, &why, remarks),
        answer => answer,
    }
}

/// Why there is a backup, or a log, or a scrap of a file, but no store. SQLite would begin an empty one, or take the
/// file for one that a later SQLite has to write to.
fn no_store(files: &Files) -> Result<Option<&'static str>, StoreError> {
    let store = files.store();
    let system = Trouble::of_system(&store);
    let seen = Seen::at(&store).map_err(&system)?;
    let log = Seen::at(&beside(&store, "-wal")).map_err(&system)?;
    let has_log = log.is_some_and(|log| log.len > 0);
    let was_there = backup::is_any(files) || has_log;
    Ok(match seen {
        None if was_there => Some("it is missing"),
        Some(seen) if seen.len == 0 && was_there => Some("it is empty"),
        Some(seen) if (1..PAGE).contains(&seen.len) => Some("it is cut off"),
        // What a crash has cut off stands in the log once more.
        Some(seen) if seen.len % PAGE != 0 && !has_log => Some("it is cut off"),
        Some(_) if !files::is_writable_format(&store) => Some("its header is not what was written"),
        _ => None,
    })
}

fn connect(files: &Files) -> Result<Connection, StoreError> {
    let store = files.store();
    Files::make(&store).map_err(Trouble::of_system(&store))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&store, flags).map_err(Trouble::at(&store))?;
    connection.busy_timeout(PATIENCE).map_err(Trouble::at(&store))?;
    // SQLite is content with reading.
    if connection.is_readonly("main").map_err(Trouble::at(&store))? {
        let why = access(&store, AccessFlags::W_OK).err();
        return Err(StoreError::ReadOnly {
            path: store,
            why: why
                .map_or("it was opened for reading only", nix::errno::Errno::desc)
                .to_owned(),
        });
    }
    // A newer format is left as it is.
    let contents = schema::contents(&connection, &store)?;
    set_up(&mut connection, contents).map_err(Trouble::with(&connection, &store))?;
    integrity::check(&connection, &store)?;
    Ok(connection)
}

fn set_up(connection: &mut Connection, contents: Contents) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Each commit is on the disk before it is answered.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE, |_| Ok(()))?;
    if contents == Contents::Blank {
        schema::create(connection)?;
    }
    Ok(())
}
