//! One exemption as a record, and what happens to records.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Revision;

/// An exemption that was added at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it is known by. Ids ascend with the time at which they were given.
    pub id: Ulid,
    /// Who it is.
    pub customer: String,
    /// Their source prefixes, without host bits.
    pub prefixes: Vec<IpNet>,
    /// Where they may connect to; everywhere if empty.
    pub destinations: Vec<IpNet>,
    /// The ticket that asked for it.
    pub ticket: Option<String>,
    /// Anything else worth knowing.
    pub note: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub created_by: Actor,
    /// The first instant at which it no longer holds, in whole seconds; never if it has none.
    pub expires_at: Option<Timestamp>,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// The number of its last change.
    pub revision: Revision,
}

/// Whether an exemption holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does.
    Active,
    /// It has ended by itself.
    Expired,
    /// Somebody has ended it.
    Removed,
}

impl Record {
    /// Whether it holds at an instant. This is never stored: a clock that is wrong for a while ends nothing for good.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if self.removed_at.is_some() {
            State::Removed
        } else if self.expires_at.is_some_and(|end| end <= now) {
            State::Expired
        } else {
            State::Active
        }
    }
}

/// Who did something, as the kernel says of the other end of the control socket (`SO_PEERCRED`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// The user's number.
    pub uid: u32,
    /// Their name; the number again if the system knows none.
    pub name: String,
}

/// What was done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was added.
    Add,
    /// Its end was changed.
    Extend,
    /// It was removed.
    Remove,
}

/// One row of the audit: it is never changed and never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub action: ChangeKind,
    /// Why.
    pub reason: Option<String>,
    /// The record before; `None` if there was none.
    pub before: Option<Record>,
    /// The record after.
    pub after: Record,
}
