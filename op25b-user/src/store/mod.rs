//! The store of exemptions that are added at run time: records that outlive the daemon, and the audit of their changes.
//!
//! [`Store`] is a trait because a fleet of routers will share one store. Every implementation numbers its changes
//! ([`Revision`]) and lists those after a revision ([`Records::events`]).

pub mod activity;
mod database;
#[cfg(test)]
pub(crate) mod fake;
pub mod ids;
pub mod notices;
mod operation;
mod record;
pub mod sessions;
pub mod sqlite;

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::Timestamp;
use thiserror::Error;
use ulid::Ulid;

use self::database::Database;
use crate::exemption::{Terms, search::Pattern};

pub use self::{
    operation::{Operation, OperationKind, OperationQuery},
    record::{Actor, ChangeKind, Event, Expiry, Record, Revision, State},
};

/// What was removed from a database for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many rows.
    pub rows: u64,
    /// Whether the log still has them, as somebody reads the database: it is emptied later.
    pub is_in_log: bool,
}

/// A filter for records; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Those with these texts.
    pub texts: Texts,
    /// Those that this import added.
    pub batch: Option<Ulid>,
    /// Those that are active and expire before this.
    pub expiring_before: Option<Timestamp>,
    /// Those with a prefix that overlaps this one.
    pub within: Option<IpNet>,
    /// Expired and removed ones as well.
    pub all: bool,
    /// Those after this id; ids ascend.
    pub after: Option<Ulid>,
    /// The most records.
    pub limit: usize,
}

/// A filter for the history of records; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// That of this record.
    pub of: Option<Ulid>,
    /// That of the records that this import added.
    pub batch: Option<Ulid>,
    /// That of records with this in the customer's name.
    pub customer: Option<Pattern>,
    /// What happened at this time or later.
    pub since: Option<Timestamp>,
    /// What happened before this time.
    pub until: Option<Timestamp>,
    /// Changes after this revision; of expiries, how many are skipped.
    pub after: Revision,
    /// The most that are read.
    pub limit: usize,
}

impl HistoryQuery {
    fn matches_customer(&self, record: &Record) -> bool {
        let customer = self.customer.as_ref();
        customer.is_none_or(|pattern| pattern.matches(&record.terms.customer))
    }
}

/// What is searched for in the texts of exemptions; a pattern that is absent matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// In the customer's name.
    pub customer: Option<Pattern>,
    /// In the ticket.
    pub ticket: Option<Pattern>,
    /// In the note.
    pub note: Option<Pattern>,
}

impl Texts {
    /// Whether there is anything to search for.
    #[must_use]
    pub const fn are_any(&self) -> bool {
        self.customer.is_some() || self.ticket.is_some() || self.note.is_some()
    }

    /// Whether all of it is in the texts of an exemption.
    #[must_use]
    pub fn match_all(&self, customer: &str, ticket: Option<&str>, note: Option<&str>) -> bool {
        let is_in = |pattern: &Option<Pattern>, text: Option<&str>| {
            let matches = |pattern: &Pattern| text.is_some_and(|text| pattern.matches(text));
            pattern.as_ref().is_none_or(matches)
        };
        is_in(&self.customer, Some(customer)) && is_in(&self.ticket, ticket) && is_in(&self.note, note)
    }

    /// Whether all of it is in an exemption's terms.
    #[must_use]
    pub fn match_terms(&self, terms: &Terms) -> bool {
        self.match_all(&terms.customer, terms.ticket.as_deref(), terms.note.as_deref())
    }
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The kind of change.
    pub action: ChangeKind,
    /// The record that the change is based on; `None` for one that is added.
    pub before: Option<Record>,
    /// The record after the change. The store assigns its revision.
    pub after: Record,
}

/// Changes that are written together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When they are made.
    pub at: Timestamp,
    /// The user who makes them.
    pub by: Actor,
    /// The reason.
    pub reason: Option<String>,
    /// The changes.
    pub changes: Vec<Change>,
    /// The key of the request, so that a repetition is not executed.
    pub request: Option<RequestKey>,
    /// The key of an earlier request to forget: if it is sent again, it is executed.
    pub taken_back: Option<RequestKey>,
}

/// The idempotency key of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The user's number.
    pub uid: u32,
    /// The key.
    pub key: String,
    /// A digest of the request.
    pub digest: String,
}

/// The outcome of an earlier request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// A digest of that request.
    pub digest: String,
    /// The records that it changed.
    pub changed: Vec<Ulid>,
}

/// Why a store failed. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A record was changed by another request.
    #[error("exemption {id} was changed by another request")]
    Conflict {
        /// The record.
        id: Ulid,
    },
    /// It can be read, but not written.
    #[error("cannot write the {} {}: {why}", Database::noun_of(path), path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// There is no space left.
    #[error("no space left for the {} {}: {why}", Database::noun_of(path), path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's error.
        why: String,
    },
    /// It is not as it was written.
    #[error("the {} {} is damaged: {why}", Database::noun_of(path), path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A newer version wrote it.
    #[error("the {} {} has format {found}, but this op25b supports formats up to {known}; use the op25b that wrote it", Database::noun_of(path), path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is supported.
        known: u32,
    },
    /// Any other failure.
    #[error("the {} {} failed: {why}", Database::noun_of(path), path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
}

/// Reads records. Each thread that reads has a reader of its own.
pub trait Records: Send {
    /// The revision of the last change.
    fn revision(&self) -> Result<Revision, StoreError>;

    /// All records that have not been removed, expired or not, by ascending id.
    fn not_removed(&self) -> Result<Vec<Record>, StoreError>;

    /// One record, whatever its state.
    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError>;

    /// The first ids from `first` to `last`, of records in whatever state, at most `limit`; and how many there are.
    fn ids_between(&self, first: Ulid, last: Ulid, limit: usize) -> Result<(Vec<Ulid>, usize), StoreError>;

    /// The first imports with ids from `first` to `last`, with how many records each added; at most `limit`.
    fn batches_between(
        &self,
        first: Ulid,
        last: Ulid,
        limit: usize,
    ) -> Result<Vec<(Ulid, usize)>, StoreError>;

    /// The records that match, by ascending id, as of `now`.
    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError>;

    /// The removed records that have exactly this prefix, by ascending id.
    fn removed_with(&self, prefix: IpNet) -> Result<Vec<Record>, StoreError>;

    /// The changes that match, the oldest first.
    fn history(&self, query: &HistoryQuery) -> Result<Vec<Event>, StoreError>;

    /// The expiries that match and were reached by `now` while the record was not removed, the oldest first.
    fn expiries(&self, query: &HistoryQuery, now: Timestamp) -> Result<Vec<Expiry>, StoreError>;

    /// The changes after a revision, of one record or of all, the oldest first; at most `limit`.
    fn events(&self, of: Option<Ulid>, after: Revision, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.history(&HistoryQuery {
            of,
            after,
            limit,
            ..HistoryQuery::default()
        })
    }

    /// The newest operations that match, the newest first.
    fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError>;
}

/// A store that has no records, or whose records cannot be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoRecords;

impl Records for NoRecords {
    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(0)
    }

    fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn get(&self, _: Ulid) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    fn ids_between(&self, _: Ulid, _: Ulid, _: usize) -> Result<(Vec<Ulid>, usize), StoreError> {
        Ok((Vec::new(), 0))
    }

    fn batches_between(&self, _: Ulid, _: Ulid, _: usize) -> Result<Vec<(Ulid, usize)>, StoreError> {
        Ok(Vec::new())
    }

    fn list(&self, _: &Query, _: Timestamp) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn removed_with(&self, _: IpNet) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn history(&self, _: &HistoryQuery) -> Result<Vec<Event>, StoreError> {
        Ok(Vec::new())
    }

    fn expiries(&self, _: &HistoryQuery, _: Timestamp) -> Result<Vec<Expiry>, StoreError> {
        Ok(Vec::new())
    }

    fn operations(&self, _: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        Ok(Vec::new())
    }
}

/// Reads and changes records.
pub trait Store: Records {
    /// Writes a commit. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is changed then.
    fn commit(&mut self, commit: &Commit) -> Result<Revision, StoreError>;

    /// Writes an operation. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is written then.
    fn write_operation(&mut self, operation: &Operation) -> Result<(), StoreError>;

    /// The outcome of an earlier request with this key by this user. Every change begins with this call, so a store that
    /// could not be read is opened again.
    fn earlier(&mut self, uid: u32, key: &str, now: Timestamp) -> Result<Option<Earlier>, StoreError>;

    /// Periodic work that needs the store for itself: the daemon calls this every second.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is lost, but the operator should know.
    fn maintain(&mut self, now: Timestamp) -> Result<(), StoreError>;
}
