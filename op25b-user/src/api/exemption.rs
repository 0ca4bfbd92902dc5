//! Exemptions, pages of them and their history, in responses of the control socket.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePosition;
use crate::{
    exemption::Terms,
    store::{Actor, ChangeKind, Record, State},
};

/// Where an exemption is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the policy file: only an edit of the file changes the exemption.
    Policy,
    /// In the store.
    Store,
}

/// An exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exemption {
    /// The id: a ULID if it is stored; otherwise the `id` in the policy file, or `line-` and its line.
    pub id: String,
    /// Where it is kept.
    pub origin: Origin,
    /// Its terms.
    #[serde(flatten)]
    pub terms: Terms,
    /// When it was added; in the policy file, `created`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// The user who added it; not known of those in the policy file.
    pub created_by: Option<Actor>,
    /// When it was removed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
    /// Who removed it, and why; only of one that is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Removal>,
    /// Whether it is in force.
    pub state: State,
    /// The import that added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// The revision of its last change; none in the policy file.
    pub revision: Option<u64>,
    /// Its position in the policy file.
    pub place: Option<FilePosition>,
    /// Whether the pool and prefix-width checks of the policy refuse a stored one without `force`; only in a list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_force: bool,
}

impl Exemption {
    /// A stored exemption, as of an instant.
    #[must_use]
    pub fn stored(record: Record, now: Timestamp) -> Self {
        Self {
            state: record.state(now),
            id: record.id.to_string(),
            origin: Origin::Store,
            terms: record.terms,
            created_at: Some(record.created_at),
            created_by: Some(record.created_by),
            removed_at: record.removed_at,
            removal: None,
            batch: record.batch.map(|batch| batch.to_string()),
            revision: Some(record.revision),
            place: None,
            needs_force: false,
        }
    }

    /// When it ended or was removed, whichever was first; none of one that is in force.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        let (removed, expires) = (self.removed_at, self.terms.expires_at);
        match self.state {
            State::Active => None,
            State::Expired => expires,
            State::Removed if self.was_removed_in_force() => removed,
            State::Removed => expires.or(removed),
        }
    }

    /// Whether it was removed while it was in force.
    #[must_use]
    pub fn was_removed_in_force(&self) -> bool {
        let end = self.terms.expires_at;
        self.removed_at
            .is_some_and(|removed| end.is_none_or(|end| removed < end))
    }
}

/// The removal of an exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removal {
    /// The user who removed it.
    pub by: Actor,
    /// The reason.
    pub reason: Option<String>,
}

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Its revision.
    pub revision: u64,
    /// When the change was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The user who made it.
    pub by: Actor,
    /// The kind of change.
    pub action: ChangeKind,
    /// The reason.
    pub reason: Option<String>,
    /// The exemption before.
    pub before: Option<Exemption>,
    /// The exemption after.
    pub after: Exemption,
}

/// An expiry that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryExpiry {
    /// When the exemption ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The exemption with this expiry; it may have been extended or removed since.
    pub exemption: Exemption,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The value of `after` for the next page; null on the last one.
    pub next: Option<String>,
}
