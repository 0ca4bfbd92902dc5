//! The store in SQLite, in one file of the state directory.

pub(super) mod disposable;
mod error;
mod files;
pub(super) mod formats;
mod open;
mod place;
mod progress;
mod read_only;
mod readers;
mod recovery;
mod steps;
mod tables;
mod upkeep;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tracing::{debug, info, warn};
use ulid::Ulid;

use self::{
    error::ErrorMap,
    files::{Files, Used, exists},
    open::Writable,
    read_only::Check,
    readers::Published,
    tables::{
        operations, read,
        write::{self, Refusal},
    },
};
use super::{
    Commit, Earlier, Event, Expiry, HistoryQuery, Operation, OperationQuery, Query, Record, Records,
    Revision, Store, StoreError,
};

pub use self::{
    progress::Progress,
    read_only::{SqliteReader, open_read_only},
    readers::Readers,
    upkeep::Upkeep,
};
use crate::fault::Faults;

/// How often a store that cannot be read is opened again.
const READ_AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// The store of one daemon.
#[derive(Debug)]
pub struct SqliteStore {
    files: Files,
    /// The reader. It also writes, unless there is a write error.
    records: Result<SqliteReader, StoreError>,
    /// Why nothing can be written.
    write_error: Option<StoreError>,
    /// The files that are open for writing, as they were when they were last used.
    used: Option<Used>,
    /// The last revision that is known: of what was enforced, or of this store.
    enforced: Revision,
    progress: Arc<Progress>,
    faults: Faults,
    /// Until when a recovery is shown as a fault.
    shown_until: Option<Timestamp>,
    /// When a store that cannot be read was opened last.
    tried_at: Option<Timestamp>,
    /// What other threads open readers from.
    readers: Readers,
    upkeep: Upkeep,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: SqliteStore,
    /// What the operator has to know about it.
    pub remarks: Vec<String>,
}

/// What a store is opened with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The last revision that is known to have been enforced. A store that is behind it has lost changes.
    pub enforced: Revision,
    /// Where to note that the store was recovered or replaced.
    pub faults: Faults,
}

/// Opens the store in a state directory with default options, as [`open_with`] does.
#[must_use]
pub fn open(state_dir: &Path) -> Opened {
    open_with(state_dir, Options::default())
}

/// Opens the store in a state directory, checks it, and takes a backup; creates it if there is none.
///
/// A damaged store, and one that is behind its backup or behind what was enforced, is recovered. A store that cannot be written
/// is opened for reading, and each commit tries to open it again. If it exists and cannot even be read, or has a newer format,
/// each call fails with the reason: it does not count as empty. Then [`Store::earlier`] and, every 10 seconds,
/// [`Store::maintain`] try to open it again as well.
#[must_use]
pub fn open_with(state_dir: &Path, options: Options) -> Opened {
    let mut store = SqliteStore::unopened(state_dir, options);
    let mut remarks = Vec::new();
    store.open_unchecked(&mut remarks);
    store.check(&mut remarks);
    if let Err(error) = store.backup_if_due(Timestamp::now()) {
        remarks.push(format!("there is no new backup: {error}"));
    }
    Opened { store, remarks }
}

/// Records an operation in the store of a state directory, which no daemon has open; whether there is a store.
pub fn record_operation(state_dir: &Path, operation: &Operation) -> Result<bool, StoreError> {
    let files = Files::in_dir(state_dir);
    let store = files.store();
    if !exists(&store).map_err(ErrorMap::of_system(&store))? {
        return Ok(false);
    }
    let mut connection = open::connect(&files, Check::No)?;
    operations::write(&mut connection, operation).map_err(ErrorMap::with(&connection, &store))?;
    Ok(true)
}

impl SqliteStore {
    /// Why nothing can be written, if nothing can.
    #[must_use]
    pub fn write_error(&self) -> Option<&StoreError> {
        self.write_error.as_ref()
    }

    /// The store in a state directory, before it is opened: each call fails.
    #[must_use]
    pub fn unopened(state_dir: &Path, options: Options) -> Self {
        let files = Files::in_dir(state_dir);
        let records = Err(StoreError::Failed {
            path: files.store(),
            why: "it is not open yet".to_owned(),
        });
        let readers = Readers::new(Published {
            origin: records.as_ref().map(SqliteReader::origin).map_err(Clone::clone),
            is_writable: false,
        });
        let progress = Arc::<Progress>::default();
        Self {
            records,
            write_error: None,
            used: None,
            enforced: options.enforced,
            progress: Arc::clone(&progress),
            faults: options.faults,
            shown_until: None,
            tried_at: None,
            upkeep: Upkeep::new(files.clone(), readers.clone(), progress),
            readers,
            files,
        }
    }

    /// Opens the store as [`open()`] does, but without what takes long: it is neither checked nor backed up.
    pub fn open_unchecked(&mut self, remarks: &mut Vec<String>) {
        let begin = remarks.len();
        if let Err(write_error) = self.open_by(Check::No, remarks) {
            remarks.insert(begin, write_error.to_string());
            if let Err(error) = &self.records
                && *error != write_error
            {
                remarks.push(error.to_string());
            }
        }
    }

    /// Checks the store, and recovers it if it is damaged. What cannot be read fails with its reason at each call.
    pub fn check(&mut self, remarks: &mut Vec<String>) {
        if let Err(StoreError::Damaged { .. }) = self.upkeep.check()
            && let Err(error) = self.recover(remarks)
        {
            remarks.push(error.to_string());
        }
    }

    /// Recovers a damaged store. Readers that are open keep reading the damaged one.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if nothing can be written: what could be recovered is read all the same.
    pub fn recover(&mut self, remarks: &mut Vec<String>) -> Result<(), StoreError> {
        // Closed: its file is moved aside.
        self.records = Err(StoreError::Damaged {
            path: self.files.store(),
            why: "it is being recovered".to_owned(),
        });
        let opened = self.open_by(Check::All, remarks);
        // Also if it is recovered elsewhere, as nothing can be written.
        self.progress.note_replacement();
        opened
    }

    /// Closes the store: each call fails from now on, and dropping it waits for no disk.
    pub fn close(&mut self) {
        self.records = Err(StoreError::Failed {
            path: self.files.store(),
            why: "it is closed".to_owned(),
        });
        self.note_opened();
    }

    /// A reader for another thread; see [`Readers::open`].
    pub fn reader(&self) -> Result<SqliteReader, StoreError> {
        self.readers.open()
    }

    /// What opens readers without this store.
    #[must_use]
    pub fn readers(&self) -> Readers {
        self.readers.clone()
    }

    /// The upkeep of this store, for a thread beside the one that writes.
    #[must_use]
    pub fn upkeep(&self) -> Upkeep {
        self.upkeep.clone()
    }

    /// What is known of the store without waiting for it.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Tries to open the store for writing again. Each commit does so if there was a write error, and [`Store::earlier`] if it
    /// cannot even be read.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if there still is.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        let mut remarks = Vec::new();
        // SQLite shares an open file within a process: as long as one connection is read-only, all are.
        if let (Ok(records), Some(write_error)) = (&self.records, &self.write_error)
            && records.is_direct()
        {
            self.records = Err(write_error.clone());
        }
        let opened = self.open_by(Check::All, &mut remarks);
        for remark in remarks {
            warn!("{remark}");
        }
        opened
    }

    /// Takes a backup if something has changed, and the last one is an hour old or a removal is half a minute old.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it fails: the previous backup is kept, and the next one is tried in an hour.
    pub fn backup_if_due(&self, now: Timestamp) -> Result<(), StoreError> {
        self.upkeep.back_up_if_due(now)
    }

    /// Opens a store again that could not be read, or that did not exist and now does: calls that only read do not, and would
    /// keep failing, or find nothing.
    fn read_again(&mut self, now: Timestamp) -> Result<(), StoreError> {
        // The clock may have been set back.
        let was_tried = |at: Timestamp| now.duration_since(at).abs() < READ_AGAIN;
        if self.tried_at.is_some_and(was_tried) {
            return Ok(());
        }
        let has_appeared = self.records.as_ref().is_ok_and(SqliteReader::is_absent)
            && exists(&self.files.store()).unwrap_or(false);
        if self.records.is_ok() && !has_appeared {
            return Ok(());
        }
        self.tried_at = Some(now);
        if has_appeared {
            self.records = Err(StoreError::Failed {
                path: self.files.store(),
                why: "it is being opened".to_owned(),
            });
        }
        let opened = self.reopen();
        if self.records.is_ok() {
            info!("the exemption store can be read again");
        }
        if has_appeared {
            self.progress.note_replacement();
        }
        opened
    }

    /// Opens the store for writing, or else for reading if it is not open yet.
    fn open_by(&mut self, check: Check, remarks: &mut Vec<String>) -> Result<(), StoreError> {
        match open::writable(&self.files, check, self.enforced, remarks) {
            Ok(Writable {
                connection,
                is_recovered,
            }) => {
                if is_recovered {
                    self.upkeep.note_merged();
                    self.progress.note_replacement();
                }
                self.use_connection(connection);
                Ok(())
            }
            Err(write_error) => {
                if self.records.is_err() {
                    self.records = open::readable(&self.files, check, self.enforced, remarks);
                }
                self.used = None;
                self.write_error = Some(write_error.clone());
                self.note_opened();
                Err(write_error)
            }
        }
    }

    /// Reads and writes with this connection from now on.
    fn use_connection(&mut self, connection: Connection) {
        self.records = Ok(SqliteReader::of(self.files.store(), connection));
        self.write_error = None;
        // Files that cannot be examined are not compared later.
        let used = Used::at(&self.files.store()).ok();
        self.used = used.map(|used| used.unwrap_or(Used::REMOVED));
        self.note_opened();
    }

    /// Notes what this process itself has made of its files.
    fn note_use(&mut self) {
        let store = self.files.store();
        self.used = self.used.map(|used| used.used_again(&store));
    }

    fn connection(&self) -> Option<&Connection> {
        self.records.as_ref().ok()?.connection()
    }

    /// The connection to write with, and the file that errors name.
    fn writer(&mut self) -> Result<(&mut Connection, PathBuf), StoreError> {
        // A commit must not go to a file that was moved away or replaced.
        self.keep_in_place()?;
        if self.write_error.is_some() {
            self.reopen()?;
        }
        let file = self.files.store();
        match self.records.as_mut().ok().and_then(SqliteReader::connection_mut) {
            Some(connection) => Ok((connection, file)),
            None => Err(StoreError::Failed {
                path: file,
                why: "it is not open".to_owned(),
            }),
        }
    }

    fn records(&self) -> Result<&SqliteReader, StoreError> {
        self.records.as_ref().map_err(Clone::clone)
    }
}

impl Records for SqliteStore {
    fn revision(&self) -> Result<Revision, StoreError> {
        self.records()?.revision()
    }

    fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        self.records()?
            .query(|connection| read::not_removed(connection, || self.progress.note_row()))
    }

    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError> {
        self.records()?.get(id)
    }

    fn ids_between(&self, first: Ulid, last: Ulid, limit: usize) -> Result<(Vec<Ulid>, usize), StoreError> {
        self.records()?.ids_between(first, last, limit)
    }

    fn batches_between(
        &self,
        first: Ulid,
        last: Ulid,
        limit: usize,
    ) -> Result<Vec<(Ulid, usize)>, StoreError> {
        self.records()?.batches_between(first, last, limit)
    }

    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.records()?.list(query, now)
    }

    fn removed_with(&self, prefix: IpNet) -> Result<Vec<Record>, StoreError> {
        self.records()?.removed_with(prefix)
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<Event>, StoreError> {
        self.records()?.history(query)
    }

    fn expiries(&self, query: &HistoryQuery, now: Timestamp) -> Result<Vec<Expiry>, StoreError> {
        self.records()?.expiries(query, now)
    }

    fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        self.records()?.operations(query)
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, commit: &Commit) -> Result<Revision, StoreError> {
        let (connection, file) = self.writer()?;
        let revision = write::commit(connection, commit).map_err(|refusal| match refusal {
            Refusal::Conflict(id) => StoreError::Conflict { id },
            Refusal::Sqlite(error) => ErrorMap::with(connection, &file)(error),
        })?;
        self.note_revision(revision);
        self.note_use();
        // An expiry may have become an earlier one.
        if commit.changes.iter().any(|change| !change.action.is_addition()) {
            self.upkeep.note_removal(Timestamp::now());
        }
        Ok(revision)
    }

    fn write_operation(&mut self, operation: &Operation) -> Result<(), StoreError> {
        let (connection, file) = self.writer()?;
        operations::write(connection, operation).map_err(ErrorMap::with(connection, &file))?;
        self.note_use();
        Ok(())
    }

    fn earlier(&mut self, uid: u32, key: &str, now: Timestamp) -> Result<Option<Earlier>, StoreError> {
        if self.records.is_err() {
            // The commit that follows opens it again for writing. Reading is enough here.
            let _ = self.reopen();
        }
        self.records()?
            .query(|connection| read::earlier(connection, uid, key, now))
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.show_for_a_day(now);
        self.read_again(now)?;
        if let Err(error) = self.keep_in_place() {
            // A fault shows it for as long as it lasts.
            debug!("{error}");
            return Ok(());
        }
        if self.upkeep.take_damage() {
            self.open_again()?;
        }
        self.checkpoint();
        Ok(())
    }
}
