//! Reads a store without writing to it: the file itself, or a copy.
//!
//! The last commits are in the write-ahead log beside the file. SQLite reads the two together only with a third file,
//! which it cannot always create: then a private copy of both is read.

use std::{
    env, fs, io,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use ulid::Ulid;

use super::{
    error::ErrorMap,
    files::{Files, Seen, beside, exists},
    readers::Origin,
    tables::{
        history, operations, read,
        schema::{self, Contents},
    },
    upkeep::integrity,
};
use crate::store::{
    Event, Expiry, HistoryQuery, Operation, OperationQuery, Query, Record, Records, Revision, StoreError,
};

/// How long to wait for another process that writes.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often files are copied again that change meanwhile.
const COPIES: usize = 5;

/// A connection that reads.
#[derive(Debug)]
pub struct SqliteReader {
    /// The file that errors name.
    file: PathBuf,
    /// `None` for a store that does not exist.
    connection: Option<Connection>,
    /// What the connection is to; it is dropped after the connection.
    source: Source,
}

/// What a connection is to.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The file itself.
    File,
    /// A copy, which is removed with the last of its readers.
    Copy(Arc<TempDir>),
}

/// Whether the file is checked when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// It is checked.
    All,
    /// It was checked before, or is checked later.
    No,
}

impl SqliteReader {
    /// Reads the store through a connection to it.
    pub(super) fn of(file: PathBuf, connection: Connection) -> Self {
        Self {
            file,
            connection: Some(connection),
            source: Source::File,
        }
    }

    /// An empty store.
    pub(super) fn empty(file: PathBuf) -> Self {
        Self {
            file,
            connection: None,
            source: Source::File,
        }
    }

    /// Reads a copy of the store.
    pub(super) fn of_copy(file: PathBuf, copy: TempDir) -> Result<Self, StoreError> {
        Self::of_shared_copy(file, Arc::new(copy))
    }

    fn of_shared_copy(file: PathBuf, copy: Arc<TempDir>) -> Result<Self, StoreError> {
        let connection = connect_to_copy(copy.path()).map_err(ErrorMap::at(&file))?;
        let reader = Self {
            file,
            connection: Some(connection),
            source: Source::Copy(copy),
        };
        reader.unless_blank()
    }

    /// A reader of what another one reads.
    pub(super) fn connect(Origin { file, source }: Origin) -> Result<Self, StoreError> {
        match source {
            None => Ok(Self::empty(file)),
            Some(Source::File) => directly(&file, Check::No),
            Some(Source::Copy(copy)) => Self::of_shared_copy(file, copy),
        }
    }

    /// What this reader reads.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            file: self.file.clone(),
            source: self.connection.as_ref().map(|_| self.source.clone()),
        }
    }

    /// Whether there was no store when it was opened.
    pub(super) fn is_absent(&self) -> bool {
        self.connection.is_none()
    }

    /// Whether the file itself is open, not a copy.
    pub(super) fn is_direct(&self) -> bool {
        self.connection.is_some() && matches!(self.source, Source::File)
    }

    /// The connection, if there is one.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The connection, to write with.
    pub(super) fn connection_mut(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    fn unless_blank(mut self) -> Result<Self, StoreError> {
        if let Some(connection) = &self.connection
            && schema::contents(connection, &self.file)? == Contents::Blank
        {
            self.connection = None;
        }
        Ok(self)
    }

    fn checked(self, check: Check) -> Result<Self, StoreError> {
        if let (Check::All, Some(connection)) = (check, &self.connection) {
            integrity::check(connection, &self.file)?;
        }
        Ok(self)
    }

    /// What all copies of the store have in common and no other store has; `None` if there is no store, or one of an older format.
    pub fn identity(&self) -> Result<Option<String>, StoreError> {
        self.query(schema::identity)
    }

    /// Runs a query; the default value if the store does not exist.
    pub(super) fn query<T: Default>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        match &self.connection {
            Some(connection) => query(connection).map_err(ErrorMap::with(connection, &self.file)),
            None => Ok(T::default()),
        }
    }
}

impl Records for SqliteReader {
    fn revision(&self) -> Result<Revision, StoreError> {
        self.query(read::revision)
    }

    fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        self.query(|connection| read::not_removed(connection, || ()))
    }

    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError> {
        self.query(|connection| read::get(connection, id))
    }

    fn ids_between(&self, first: Ulid, last: Ulid, limit: usize) -> Result<(Vec<Ulid>, usize), StoreError> {
        self.query(|connection| read::ids_between(connection, first, last, limit))
    }

    fn batches_between(
        &self,
        first: Ulid,
        last: Ulid,
        limit: usize,
    ) -> Result<Vec<(Ulid, usize)>, StoreError> {
        self.query(|connection| read::batches_between(connection, first, last, limit))
    }

    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.query(|connection| read::list(connection, query, now))
    }

    fn removed_with(&self, prefix: IpNet) -> Result<Vec<Record>, StoreError> {
        self.query(|connection| read::removed_with(connection, prefix))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<Event>, StoreError> {
        self.query(|connection| history::changes(connection, query))
    }

    fn expiries(&self, query: &HistoryQuery, now: Timestamp) -> Result<Vec<Expiry>, StoreError> {
        self.query(|connection| history::expiries(connection, query, now))
    }

    fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        self.query(|connection| operations::list(connection, query))
    }
}

/// Reads the store in a state directory, whether or not a daemon writes to it; `None` if there is no file.
pub fn open_read_only(state_dir: &Path) -> Result<Option<SqliteReader>, StoreError> {
    let file = Files::in_dir(state_dir).store();
    if !exists(&file).map_err(ErrorMap::of_system(&file))? {
        return Ok(None);
    }
    // A daemon that has stopped has moved the log into the file, so SQLite needs to create nothing beside it.
    let log = Seen::at(&beside(&file, "-wal")).map_err(ErrorMap::of_system(&file))?;
    if log.is_none_or(|log| log.len == 0)
        && let Ok(reader) = unchanging(&file)
    {
        return Ok(Some(reader));
    }
    by_any_means(&file, Check::No).map(Some)
}

/// Reads the file itself, or else a copy.
pub(super) fn by_any_means(file: &Path, check: Check) -> Result<SqliteReader, StoreError> {
    match directly(file, check) {
        Ok(reader) => Ok(reader),
        Err(error @ (StoreError::Damaged { .. } | StoreError::Newer { .. })) => Err(error),
        Err(error) => {
            let copy = copy(file).map_err(|_| error)?;
            SqliteReader::of_copy(file.to_owned(), copy)?.checked(check)
        }
    }
}

fn directly(file: &Path, check: Check) -> Result<SqliteReader, StoreError> {
    SqliteReader::of(file.to_owned(), connect(file)?)
        .unless_blank()?
        .checked(check)
}

/// A connection that reads a file, which another process may write to.
pub(super) fn connect(file: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(ErrorMap::at(file))?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(ErrorMap::at(file))?;
    Ok(connection)
}

/// Reads a file that does not change, without a log.
pub(super) fn unchanging(file: &Path) -> Result<SqliteReader, StoreError> {
    SqliteReader::of(file.to_owned(), connect_to_unchanging(file)?).unless_blank()
}

/// A connection that reads a file that does not change, without a log.
pub(super) fn connect_to_unchanging(file: &Path) -> Result<Connection, StoreError> {
    let path: String = file
        .as_os_str()
        .as_bytes()
        .iter()
        .flat_map(|byte| ['%', digit(byte >> 4), digit(byte & 15)])
        .collect();
    let address = format!("file:{path}?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(address, flags).map_err(ErrorMap::at(file))
}

fn digit(half: u8) -> char {
    char::from_digit(half.into(), 16).unwrap_or('0')
}

/// The path of the store in a directory with a copy of it.
pub(super) fn in_copy(dir: &Path) -> PathBuf {
    dir.join("exemptions.db")
}

/// Opens a copy. It is private, so SQLite may create beside it what it needs.
pub(super) fn connect_to_copy(dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(in_copy(dir), flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Creates a private directory, where there is space, and fills it.
pub(super) fn elsewhere<T>(
    fill: impl Fn(&Path) -> Result<T, StoreError>,
) -> Result<(TempDir, T), StoreError> {
    let mut last = None;
    for dir in [env::temp_dir(), PathBuf::from("/dev/shm")] {
        let filled = TempDir::with_prefix_in("op25b-", &dir)
            .map_err(ErrorMap::of_system(&dir))
            .and_then(|dir| fill(dir.path()).map(|what| (dir, what)));
        match filled {
            Ok(filled) => return Ok(filled),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| StoreError::Failed {
        path: env::temp_dir(),
        why: "there is no temporary directory".to_owned(),
    }))
}

/// Copies the store with its log.
pub(super) fn copy(file: &Path) -> Result<TempDir, StoreError> {
    elsewhere(|dir| copy_to(file, dir).map_err(ErrorMap::of_system(file))).map(|(dir, ())| dir)
}

/// Copies the store alone: the log beside it is that of another file.
pub(super) fn copy_without_log(file: &Path) -> Result<TempDir, StoreError> {
    elsewhere(|dir| copy_one(file, &in_copy(dir)).map_err(ErrorMap::of_system(file))).map(|(dir, ())| dir)
}

fn copy_to(file: &Path, dir: &Path) -> io::Result<()> {
    let (log, copy) = (beside(file, "-wal"), in_copy(dir));
    let seen = || Ok::<_, io::Error>((Seen::at(file)?, Seen::at(&log)?));
    for _ in 0..COPIES {
        let before = seen()?;
        copy_one(file, &copy)?;
        if before.1.is_some() {
            copy_one(&log, &beside(&copy, "-wal"))?;
        }
        if seen()? == before {
            return Ok(());
        }
    }
    Err(io::Error::other("another process keeps writing to it"))
}

fn copy_one(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o600))
}
