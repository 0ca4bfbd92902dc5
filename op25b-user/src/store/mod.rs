//! Exemptions that were added at run time, as records that outlive the daemon: what can be asked and changed.
//!
//! [`Store`] is a trait because a fleet of routers will share one store. Whatever is behind it, every change has a
//! [`Revision`], and who has seen one learns by [`Records::events`] what came after it.

#[cfg(test)]
pub(crate) mod fake;
mod record;
pub mod sqlite;

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::Timestamp;
use thiserror::Error;
use ulid::Ulid;

pub use self::record::{ChangeKind, Actor, Event, Record, State};

/// The number of a change: each is larger than all before it. 0 is before the first.
pub type Revision = u64;

/// Which records are asked for; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Those of this customer, exactly.
    pub customer: Option<String>,
    /// Those that are active and end before this.
    pub expiring_before: Option<Timestamp>,
    /// Those with a prefix that has an address in common with this one.
    pub within: Option<IpNet>,
    /// Expired and removed ones, too.
    pub all: bool,
    /// Those behind this id; ids ascend.
    pub after: Option<Ulid>,
    /// At most so many.
    pub limit: usize,
}

/// One change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub action: ChangeKind,
    /// The record as it was when this was decided; `None` for one that is added.
    pub before: Option<Record>,
    /// The record as it is from now on. Its revision is given to it by the store.
    pub after: Record,
}

/// What is written at once, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// What.
    pub changes: Vec<Change>,
    /// What was asked for, so that it is not done twice.
    pub request: Option<RequestKey>,
    /// An earlier request that is taken back: it may be sent again, to be done.
    pub taken_back: Option<RequestKey>,
}

/// What makes a request the same as an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Who asked.
    pub uid: u32,
    /// The key that they gave it.
    pub key: String,
    /// A digest of what was asked for.
    pub digest: String,
}

/// What became of an earlier request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// A digest of what was asked for then.
    pub digest: String,
    /// The records that it changed.
    pub changed: Vec<Ulid>,
}

/// Why a store did not do something; nothing of it is done then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Somebody else changed a record in the meantime.
    #[error("exemption {id} was changed in the meantime")]
    Conflict {
        /// The record.
        id: Ulid,
    },
    /// It can be read, and not written to.
    #[error("the exemption store {} cannot be written to: {why}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no room.
    #[error("there is no room for the exemption store {}: {why}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        why: String,
    },
    /// It is not what was once written.
    #[error("the exemption store {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What of it.
        why: String,
    },
    /// Another version wrote it, and this one does not know how to read it.
    #[error("the exemption store {} has format {found}, and this op25b knows up to {known}; use the op25b that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// Anything else.
    #[error("the exemption store {} does not work: {why}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Records to read. Several threads do, each with one of these of its own.
pub trait Records: Send {
    /// The number of the last change.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn revision(&self) -> Result<Revision, StoreError>;

    /// All records that were not removed, whether or not they have expired, by ascending id.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn standing(&self) -> Result<Vec<Record>, StoreError>;

    /// One record, whatever its state.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError>;

    /// The records that are asked for, by ascending id, as of `now`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError>;

    /// What happened after a revision, of one record or of all, in the order in which it did; at most so many.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn events(&self, of: Option<Ulid>, after: Revision, limit: usize) -> Result<Vec<Event>, StoreError>;
}

/// Where records are, and are changed.
pub trait Store: Records {
    /// Changes records. When this returns, it is on the disk.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing is changed then.
    fn commit(&mut self, commit: &Commit) -> Result<Revision, StoreError>;

    /// What became of an earlier request with this key, by this user. Every change begins with this question, so a store
    /// that could not be read is tried once more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn earlier(&mut self, uid: u32, key: &str) -> Result<Option<Earlier>, StoreError>;

    /// Does what is to be done from time to time, such as a backup: the daemon calls this every second.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: nothing is lost, and it is for the operator to know.
    fn look_after(&mut self, now: Timestamp) -> Result<(), StoreError>;
}
