//! Sessions: a session to import, the outcome of an import, and a list.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    session::{
        Session,
        formats::{customer, prefix},
    },
    store::sessions::Survey,
};

/// What is known of a session: of one that is known already, as much as is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The customer.
    #[schema(min_length = 1, example = "alice@example.net")]
    pub customer: String,
    /// The address or the prefix.
    #[schema(min_length = 2, max_length = 64, example = "198.51.100.7")]
    pub prefix: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it ended; absent or null if it is not known to have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// Of one without an end: the last time at which it is known to have lasted. By default that is its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen: Option<Timestamp>,
}

impl From<Session> for NewSession {
    fn from(session: Session) -> Self {
        let Session {
            customer,
            prefix,
            start,
            end,
            seen,
        } = session;
        Self {
            customer,
            prefix: shown_prefix(prefix),
            start,
            end,
            seen: (end.is_none() && seen != start).then_some(seen),
        }
    }
}

/// An address without the length, as people write it, or a prefix.
pub(crate) fn shown_prefix(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

impl NewSession {
    /// The session; what is wrong with it otherwise.
    pub(crate) fn read(self) -> Result<Session, String> {
        let Self {
            customer: name,
            prefix: text,
            start,
            end,
            seen,
        } = self;
        let (customer, prefix) = (customer(&name)?, prefix(&text)?);
        match (end, seen) {
            (Some(end), _) if end < start => Err("it ends before it begins".to_owned()),
            (Some(_), Some(_)) => Err("`seen` is of a session without `end`".to_owned()),
            (None, Some(seen)) if seen < start => Err("it was seen before it began".to_owned()),
            (Some(end), None) => Ok(Session::ended(customer, prefix, start, end)),
            (None, seen) => Ok(Session::open(customer, prefix, start, seen.unwrap_or(start))),
        }
    }
}

/// The response to an import of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedSessions {
    /// Whether this only reports what would be done.
    pub dry_run: bool,
    /// How many sessions of the import were not known before.
    pub added: usize,
    /// How many were known to have lasted for a shorter time, or not to have ended.
    pub extended: usize,
    /// How many were known already.
    pub unchanged: usize,
    /// What is conspicuous about the sessions of the time that the import covers.
    pub survey: Survey,
    /// Warnings, such as that the sessions before were lost.
    pub warnings: Vec<String>,
}

/// Sessions, by prefix and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub items: Vec<Session>,
    /// Whether more match.
    pub more: bool,
}
