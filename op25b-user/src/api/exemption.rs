//! Exemptions as the control socket speaks of them.

use std::path::PathBuf;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use super::Explained;
use crate::store::{ChangeKind, Actor, Record, State};

/// Where an exemption comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The policy file: only an edit of it changes the exemption.
    Policy,
    /// The store.
    Store,
}

/// A place in the policy file.
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
    /// What it is known by: a ULID if it is stored; the policy file's `id`, or `line-` and the line there.
    pub id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Who it is.
    pub customer: String,
    /// Their source prefixes.
    #[schema(value_type = Vec<String>)]
    pub prefixes: Vec<IpNet>,
    /// Where they may connect to; everywhere if empty.
    #[schema(value_type = Vec<String>)]
    pub destinations: Vec<IpNet>,
    /// The ticket that asked for it.
    pub ticket: Option<String>,
    /// Anything else worth knowing.
    pub note: Option<String>,
    /// When it was added; in the policy file, `created`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// Who added it; nobody knows of the policy file's.
    pub created_by: Option<Actor>,
    /// The first instant at which it no longer holds.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was removed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Timestamp>,
    /// Whether it holds.
    pub state: State,
    /// The number of its last change; none in the policy file.
    pub revision: Option<u64>,
    /// Where the policy file says so.
    pub place: Option<FilePosition>,
}

impl Exemption {
    /// A stored one, as of an instant.
    #[must_use]
    pub fn stored(record: Record, now: Timestamp) -> Self {
        Self {
            state: record.state(now),
            id: record.id.to_string(),
            origin: Origin::Store,
            customer: record.customer,
            prefixes: record.prefixes,
            destinations: record.destinations,
            ticket: record.ticket,
            note: record.note,
            created_at: Some(record.created_at),
            created_by: Some(record.created_by),
            expires_at: record.expires_at,
            removed_at: record.removed_at,
            revision: Some(record.revision),
            place: None,
        }
    }
}

/// A prefix without host bits, such as `198.51.100.8/29`, or an address.
#[derive(ToSchema)]
#[schema(
    as = Prefix,
    min_length = 2,
    max_length = 64,
    pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
    example = "198.51.100.8/29"
)]
#[expect(dead_code, reason = "it only describes")]
struct PrefixText(String);

/// An exemption to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewExemption {
    /// Who it is.
    #[schema(min_length = 1, max_length = 1000, example = "Example KK")]
    pub customer: String,
    /// Their source prefixes, such as `198.51.100.8/29`; an address is a prefix of its own.
    #[schema(value_type = Vec<PrefixText>, min_items = 1, max_items = 1000)]
    pub prefixes: Vec<String>,
    /// Where they may connect to; everywhere if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<PrefixText>, max_items = 1000)]
    pub destinations: Vec<String>,
    /// The ticket that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000, example = "OPS-1042")]
    pub ticket: Option<String>,
    /// Anything else worth knowing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000)]
    pub note: Option<String>,
    /// When it ends: after a time such as `90d`, with a date such as `2028-03-31`, at an instant such as
    /// `2028-04-01T00:00:00+09:00`, or `never`, which is also meant by nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000, example = "90d")]
    pub expires: Option<String>,
    /// Also if a prefix is in no pool or wider than the policy lets pass.
    #[serde(default)]
    pub force: bool,
}

/// The answer to an exemption that was added, and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Added {
    /// The exemption.
    pub exemption: Exemption,
    /// What the program in the kernel does with a connection from its first prefix now.
    pub verdict: Explained,
    /// What is probably not what was meant.
    pub warnings: Vec<String>,
}

/// A new end of an exemption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendExemption {
    /// When it ends, as when one is added; counted from now.
    #[schema(min_length = 1, max_length = 1000, example = "2028-03-31")]
    pub expires: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

/// The answer to an exemption whose end was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// The exemption as it is now.
    pub exemption: Exemption,
    /// What the program in the kernel does with a connection from its first prefix now.
    pub verdict: Explained,
    /// What is probably not what was meant.
    pub warnings: Vec<String>,
}

/// The answer to an exemption that was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Removed {
    /// The exemption as it was, and when it was removed.
    pub exemption: Exemption,
    /// What the program in the kernel does with a connection from its first prefix now.
    pub verdict: Explained,
}

/// Many exemptions to add: all, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportExemptions {
    /// The exemptions.
    #[schema(min_items = 1, max_items = 1_000_000)]
    pub exemptions: Vec<ImportRow>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// An exemption and where it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRow {
    /// The line that errors are to name.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u64)]
    pub line: u32,
    /// The exemption. Its end must be absolute: a file that says `90d` would mean something else each time.
    pub exemption: NewExemption,
}

/// A whole number. JSON knows only numbers, so that `14.0` is one, too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was looked at"
        )]
        return Ok(number as u32);
    }
    Err(D::Error::custom(format_args!("{number} is no line")))
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    /// Whether nothing was to be done but looking.
    pub dry_run: bool,
    /// How many were added, or would be.
    pub added: usize,
    /// How many were there already.
    pub unchanged: usize,
    /// What is probably not what was meant; the first of them.
    pub warnings: Vec<String>,
}

/// One row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Its number.
    pub revision: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What.
    pub action: ChangeKind,
    /// Why.
    pub reason: Option<String>,
    /// The exemption before.
    pub before: Option<Exemption>,
    /// The exemption after.
    pub after: Exemption,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for `after` to get more; nothing at the end.
    pub next: Option<String>,
}
