//! The record of an exemption, and the events that change it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::exemption::Terms;

/// The number of a change, larger than those of all earlier changes. 0 is before the first.
pub type Revision = u64;

/// An exemption that was added at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The id. Ids ascend with the time at which they were assigned.
    pub id: Ulid,
    /// Its terms.
    #[serde(flatten)]
    pub terms: Terms,
    /// When it was added.
    pub created_at: Timestamp,
    /// The user who added it.
    pub created_by: Actor,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// The revision of its last change.
    pub revision: Revision,
    /// The import that added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Ulid>,
}

/// Whether an exemption is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is in force.
    Active,
    /// Its expiry has passed.
    Expired,
    /// A user has removed it.
    Removed,
}

impl Record {
    /// A record that is to be added. The store assigns its revision.
    #[must_use]
    pub fn new(id: Ulid, terms: Terms, at: Timestamp, by: Actor) -> Self {
        Self {
            id,
            terms,
            created_at: at,
            created_by: by,
            removed_at: None,
            revision: 0,
            batch: None,
        }
    }

    /// The state at an instant. It is never stored: a clock that is wrong for a while removes nothing for good.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if self.removed_at.is_some() {
            State::Removed
        } else if self.terms.have_expired(now) {
            State::Expired
        } else {
            State::Active
        }
    }
}

/// A user, as the kernel identifies the other end of the control socket (`SO_PEERCRED`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// The user's number.
    pub uid: u32,
    /// The user's name; the number if the system has none.
    pub name: String,
}

impl Actor {
    /// The user of what nobody asked for by name.
    pub(crate) fn op25b() -> Self {
        Self {
            uid: nix::unistd::Uid::effective().as_raw(),
            name: "op25b".to_owned(),
        }
    }
}

/// What a change does to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is added.
    Add,
    /// Its expiry is changed.
    Extend,
    /// It is removed.
    Remove,
    /// One that was removed is in force again.
    Restore,
    /// op25b has put the store together after a loss. The record after is no exemption: it has no prefixes, and the reason
    /// says what was found.
    Recover,
}

impl ChangeKind {
    /// Whether it puts an exemption in force that was not there.
    #[must_use]
    pub const fn is_addition(self) -> bool {
        matches!(self, Self::Add | Self::Restore)
    }
}

/// A row of the audit. It is never changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The revision of the change.
    pub revision: Revision,
    /// When it was made.
    pub at: Timestamp,
    /// The user who made it.
    pub by: Actor,
    /// The kind of change.
    pub action: ChangeKind,
    /// The reason.
    pub reason: Option<String>,
    /// The record before; `None` if it was added.
    pub before: Option<Record>,
    /// The record after.
    pub after: Record,
}

/// The end of a record by its expiry. It is no row of the audit: nobody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The expiry that was reached.
    pub at: Timestamp,
    /// The record as it was then; one that was removed after it has the time of that as well.
    pub record: Record,
}
