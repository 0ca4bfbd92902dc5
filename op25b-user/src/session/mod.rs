//! Who had which address from when to when: sessions, their import from logs of assignments, and the attribution of activity
//! to customers.
//!
//! `formats` reads logs into [`Session`]s; [`crate::store::sessions`] keeps them; [`SessionIndex`] says whose the activity of a
//! subscriber was. Nothing is guessed: what a log does not say is left open, and is attributed to nobody.

pub mod attribution;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod formats;
#[cfg(test)]
mod simulation;
mod span;
#[cfg(test)]
mod tests;
pub(crate) mod timeline;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::attribution::{Attribution, IndexBuilder, SessionIndex};
pub(crate) use self::span::Span;

/// How far the clocks of those that write logs may be apart from that of the router, in seconds.
pub const SKEW_SECONDS: i64 = 30;

/// A customer had an address or a prefix for a time. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The customer, by the name that the log has.
    pub customer: String,
    /// The address, as a prefix of full length, or the prefix.
    #[schema(value_type = String, example = "198.51.100.7/32")]
    pub prefix: IpNet,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it ended; null if no log says that it did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// The last time at which it is known to have lasted: its end, or that of the last record of it.
    #[schema(value_type = String, format = DateTime)]
    pub seen: Timestamp,
}

impl Session {
    /// A session that ended.
    #[must_use]
    pub fn ended(customer: impl Into<String>, prefix: IpNet, start: Timestamp, end: Timestamp) -> Self {
        Self {
            customer: customer.into(),
            prefix,
            start,
            end: Some(end),
            seen: end,
        }
    }

    /// A session of which no end is known, and which lasted at this time.
    #[must_use]
    pub fn open(customer: impl Into<String>, prefix: IpNet, start: Timestamp, seen: Timestamp) -> Self {
        Self {
            customer: customer.into(),
            prefix,
            start,
            end: None,
            seen,
        }
    }

    /// Its time in seconds.
    pub(crate) fn span(&self) -> Span {
        let start = self.start.as_second();
        Span {
            start,
            seen: self.end.unwrap_or(self.seen).as_second().max(start),
            is_ended: self.end.is_some(),
        }
    }
}
