//! The store in SQLite, in one file of the state directory.

mod backup;
mod error;
mod files;
mod integrity;
mod open;
mod read;
mod read_only;
mod recover;
mod row;
mod salvage;
mod schema;
mod write;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};
use ulid::Ulid;

use self::{
    backup::Backups,
    error::ErrorMap,
    files::{Files, Seen},
    write::Refusal,
};
use super::{Commit, Earlier, Event, Query, Record, Records, Revision, Store, StoreError};

pub use self::read_only::{SqliteReader, open_read_only};

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
    backups: Backups,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: SqliteStore,
    /// What the operator has to know about it.
    pub remarks: Vec<String>,
}

/// Opens the store in a state directory, and creates it if there is none.
///
/// A damaged store is recovered. A store that cannot be written is opened for reading, and each commit tries to open it
/// again. If it exists and cannot even be read, each call fails with the reason: it does not count as empty. Then
/// [`Store::earlier`] and, every 10 seconds, [`Store::maintain`] try to open it again as well.
///
/// # Errors
///
/// [`StoreError::Newer`] only.
pub fn open(state_dir: &Path) -> Result<Opened, StoreError> {
    let files = Files::in_dir(state_dir);
    let mut remarks = Vec::new();
    let mut store = SqliteStore {
        records: Ok(SqliteReader::empty(files.store())),
        write_error: None,
        identity: None,
        tried_at: None,
        backups: Backups::default(),
        files,
    };
    if let Err(write_error) = store.open_for_writing(&mut remarks) {
        remarks.push(write_error.to_string());
        store.records = open::readable(&store.files, &mut remarks);
        for error in [&write_error].into_iter().chain(store.records.as_ref().err()) {
            if matches!(error, StoreError::Newer { .. }) {
                return Err(error.clone());
            }
        }
        if let Err(error) = &store.records
            && *error != write_error
        {
            remarks.push(error.to_string());
        }
        store.write_error = Some(write_error);
    } else if let Err(error) = store.back_up(Timestamp::now()) {
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

    /// A reader for another thread, with a connection of its own. It keeps reading the file that is open now, even after
    /// [`Self::reopen`]: it is meant for one response.
    pub fn reader(&self) -> Result<SqliteReader, StoreError> {
        self.records()?.another()
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
        let opened = self.open_for_writing(&mut remarks);
        if let Err(write_error) = &opened {
            if self.records.is_err() {
                self.records = open::readable(&self.files, &mut remarks);
            }
            self.write_error = Some(write_error.clone());
        }
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
    pub fn backup_if_due(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.write_error.is_none() && self.backups.is_due(now) {
            self.back_up(now)
        } else {
            Ok(())
        }
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

    fn back_up(&mut self, now: Timestamp) -> Result<(), StoreError> {
        match self.records.as_ref().map(SqliteReader::connection) {
            Ok(Some(connection)) => self.backups.take_if_changed(connection, &self.files, now),
            _ => Ok(()),
        }
    }

    fn open_for_writing(&mut self, remarks: &mut Vec<String>) -> Result<(), StoreError> {
        let connection = open::writable(&self.files, remarks)?;
        self.identity = self.identity_now();
        self.records = Ok(SqliteReader::of(self.files.store(), connection));
        self.write_error = None;
        Ok(())
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

    fn earlier(&mut self, uid: u32, key: &str) -> Result<Option<Earlier>, StoreError> {
        if self.records.is_err() {
            // The commit that follows opens it again for writing. Reading is enough here.
            let _ = self.reopen();
        }
        self.records()?
            .query(|connection| read::earlier(connection, uid, key))
    }

    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.read_again(now)?;
        self.backup_if_due(now)
    }
}
