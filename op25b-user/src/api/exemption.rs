//! Exemptions in the requests and responses of the control socket.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Explained;
use crate::{
    exemption::{ImportRow, Invalid, Terms, limits},
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

/// A position in the policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePosition {
    /// The file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
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
    /// Whether it is in force.
    pub state: State,
    /// The revision of its last change; none in the policy file.
    pub revision: Option<u64>,
    /// Its position in the policy file.
    pub place: Option<FilePosition>,
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
            revision: Some(record.revision),
            place: None,
        }
    }
}

/// The response to an added exemption, which is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Added {
    /// The exemption.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix.
    pub verdict: Explained,
    /// Warnings about probable mistakes.
    pub warnings: Vec<String>,
}

/// A new expiry of an exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendExemption {
    /// The expiry, as of a new exemption; a time is counted from now.
    #[schema(min_length = 1, example = "2028-03-31")]
    pub expires: String,
    /// The reason, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
}

/// The response to a changed expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// The exemption as it is now.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix.
    pub verdict: Explained,
    /// Warnings about probable mistakes.
    pub warnings: Vec<String>,
}

/// The response to a removed exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// The exemption, with the time of its removal.
    pub exemption: Exemption,
    /// The verdict of the program in the kernel on a connection from its first prefix.
    pub verdict: Explained,
}

/// Exemptions to add, all of them or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportExemptions {
    /// The exemptions.
    #[schema(min_items = 1)]
    pub exemptions: Vec<ImportRow>,
    /// Only report what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// The response to an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// Whether this only reports what would be done.
    pub dry_run: bool,
    /// The number of exemptions that were added, or would be.
    pub added: usize,
    /// The number of exemptions that exist already.
    pub unchanged: usize,
    /// Warnings about probable mistakes; the first of them.
    pub warnings: Vec<String>,
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

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The value of `after` for the next page; null on the last one.
    pub next: Option<String>,
}

impl ExtendExemption {
    /// Checks that no text is empty or exceeds its limit.
    ///
    /// # Errors
    ///
    /// The first that does.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::text("expires", &self.expires, limits::EXPIRY)?;
        match &self.reason {
            Some(reason) => limits::text("reason", reason, limits::PROSE),
            None => Ok(()),
        }
    }
}

impl ImportExemptions {
    /// Checks that the number of rows is within its limit; the rows themselves are not checked.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::rows("exemptions", self.exemptions.len())
    }
}
