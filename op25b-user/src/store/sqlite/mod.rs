//! The store in SQLite, in one file of the state directory.

mod backup;
mod error;
mod files;
mod integrity;
mod open;
mod read;
mod read_only;
mod readers;
mod recover;
mod row;
mod salvage;
mod schema;
mod upkeep;
mod write;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};
use ulid::Ulid;

use self::{
    error::ErrorMap,
    files::{Files, Seen},
    read_only::Check,
    readers::Published,
    write::Refusal,
};
use super::{Commit, Earlier, Event, Query, Record, Records, Revision, Store, StoreError};

pub use self::{
    read_only::{SqliteReader, open_read_only},
    readers::Readers,
    upkeep::Upkeep,
};

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
    /// The device and the inode of the file that was opened for writing.
    identity: Option<(u64, u64)>,
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

/// Opens the store in a state directory, checks it, and takes a backup; creates it if there is none.
///
/// A damaged store is recovered. A store that cannot be written is opened for reading, and each commit tries to open it
/// again. If it exists and cannot even be read, each call fails with the reason: it does not count as empty. Then
/// [`Store::earlier`] and, every 10 seconds, [`Store::maintain`] try to open it again as well.
///
/// # Errors
///
/// [`StoreError::Newer`] only.
pub fn open(state_dir: &Path) -> Result<Opened, StoreError> {
    let mut store = SqliteStore::unopened(state_dir);
    let mut remarks = Vec::new();
    store.open_unchecked(&mut remarks)?;
    store.check(&mut remarks);
    if let Err(error) = store.backup_if_due(Timestamp::now()) {
        remarks.push(format!("there is no new backup: {error}"));
    }
    Ok(Opened { store, remarks })
}

impl SqliteStore {
    /// Why nothing can be written, if nothing can.
    #[must_use]
    pub fn write_error(&self) -> Option<&StoreError> {
        self.write_error.as_ref()
    }

    /// The store in a state directory, before it is opened: each call fails.
    #[must_use]
    pub fn unopened(state_dir: &Path) -> Self {
        let files = Files::in_dir(state_dir);
        let records = Err(StoreError::Failed {
            path: files.store(),
            why: "it is not open yet".to_owned(),
        });
        let readers = Readers::new(Published {
            origin: records.as_ref().map(SqliteReader::origin).map_err(Clone::clone),
            is_writable: false,
        });
        Self {
            records,
            write_error: None,
            identity: None,
            tried_at: None,
            upkeep: Upkeep::new(files.clone(), readers.clone()),
            readers,
            files,
        }
    }

    /// Opens the store as [`open`] does, but without what takes long: it is neither checked nor backed up.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] only.
    pub fn open_unchecked(&mut self, remarks: &mut Vec<String>) -> Result<(), StoreError> {
        let begin = remarks.len();
        let Err(write_error) = self.open_with(Check::No, remarks) else {
            return Ok(());
        };
        for error in [&write_error].into_iter().chain(self.records.as_ref().err()) {
            if matches!(error, StoreError::Newer { .. }) {
                return Err(error.clone());
            }
        }
        remarks.insert(begin, write_error.to_string());
        if let Err(error) = &self.records
            && *error != write_error
        {
            remarks.push(error.to_string());
        }
        Ok(())
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
        self.open_with(Check::All, remarks)
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
        let opened = self.open_with(Check::All, &mut remarks);
        for remark in remarks {
            warn!("{remark}");
        }
        opened
    }

    /// Takes a backup if the last one is an hour old and something has changed since.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it fails: the previous backup is kept, and the next one is tried in an hour.
    pub fn backup_if_due(&self, now: Timestamp) -> Result<(), StoreError> {
        self.upkeep.back_up_if_due(now)
    }

    /// Opens a store again that could not be read: calls that only read do not, and would keep failing.
    fn read_again(&mut self, now: Timestamp) -> Result<(), StoreError> {
        // The clock may have been set back.
        let was_tried = |at: Timestamp| now.duration_since(at).abs() < READ_AGAIN;
        if self.records.is_ok() || self.tried_at.is_some_and(was_tried) {
            return Ok(());
        }
        self.tried_at = Some(now);
        let opened = self.reopen();
        if self.records.is_ok() {
            info!("the exemption store can be read again");
        }
        opened
    }

    /// Opens the store for writing, or else for reading if it is not open yet.
    fn open_with(&mut self, check: Check, remarks: &mut Vec<String>) -> Result<(), StoreError> {
        let opened = match open::writable(&self.files, check, remarks) {
            Ok(connection) => {
                self.identity = self.identity_now();
                self.records = Ok(SqliteReader::of(self.files.store(), connection));
                self.write_error = None;
                Ok(())
            }
            Err(write_error) => {
                if self.records.is_err() {
                    self.records = open::readable(&self.files, check, remarks);
                }
                self.write_error = Some(write_error.clone());
                Err(write_error)
            }
        };
        self.readers.publish(Published {
            origin: self
                .records
                .as_ref()
                .map(SqliteReader::origin)
                .map_err(Clone::clone),
            is_writable: self.write_error.is_none(),
        });
        opened
    }

    fn identity_now(&self) -> Option<(u64, u64)> {
        let seen = Seen::at(&self.files.store()).ok().flatten();
        seen.map(|seen| seen.identity)
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
        self.records()?.not_removed()
    }

    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError> {
        self.records()?.get(id)
    }

    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.records()?.list(query, now)
    }

    fn events(&self, of: Option<Ulid>, after: Revision, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.records()?.events(of, after, limit)
    }
}

impl Store for SqliteStore {
    fn commit(&mut self, commit: &Commit) -> Result<Revision, StoreError> {
        // The commit must not go to a file that was moved away or replaced.
        if self.write_error.is_some() || self.identity != self.identity_now() {
            self.reopen()?;
        }
        let file = self.files.store();
        let Some(connection) = self.records.as_mut().ok().and_then(SqliteReader::connection_mut) else {
            return Err(StoreError::Failed {
                path: file,
                why: "it is not open".to_owned(),
            });
        };
        write::commit(connection, commit).map_err(|refusal| match refusal {
            Refusal::Conflict(id) => StoreError::Conflict { id },
            Refusal::Sqlite(error) => ErrorMap::with(connection, &file)(error),
        })
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
        self.read_again(now)
    }
}
