//! The impact of another policy: which customers, and which subscribers with recent attempts, it blocks or sets free.

mod compare;
mod compute;
#[cfg(test)]
mod tests;
mod text;

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::compute::impact;

/// The most that are listed of each kind.
const MOST_LISTED: usize = 200;

/// Who becomes blocked or free by another policy, at the time of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Impact {
    /// Subscribers are taken into account whose last attempt is not older.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Customers whose exemption ends, and subscribers, who become blocked: the first of them.
    pub becomes_blocked: Vec<Affected>,
    /// Those who become free: the first of them.
    pub becomes_free: Vec<Affected>,
    /// How many become blocked or free, by pool, those who are not listed included.
    pub by_pool: Vec<PoolImpact>,
    /// How many subscribers had an attempt since then.
    pub examined: usize,
    /// The pools whose subscribers have no records: of them only customers are known.
    pub pools_not_remembered: Vec<String>,
}

/// A customer or a subscriber who is affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Affected {
    /// The subscriber's address or IPv6 prefix, or the prefixes of the customer's exemption.
    pub who: Vec<String>,
    /// The customer, if an exemption decides before or after.
    pub customer: Option<String>,
    /// The id of that exemption.
    pub exemption: Option<String>,
    /// The pool; null outside all pools.
    pub pool: Option<String>,
    /// The last attempt; null if none is recorded.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_seen: Option<Timestamp>,
    /// The destination, if only it is affected.
    #[schema(value_type = Option<String>)]
    pub destination: Option<IpAddr>,
    /// The destination port.
    pub port: u16,
    /// The reason of the verdict on a connection now.
    pub was: String,
    /// The reason of the verdict after the change.
    pub becomes: String,
}

/// How many of a pool are affected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolImpact {
    /// The pool; null for those outside all pools.
    pub pool: Option<String>,
    /// How many become blocked.
    pub becomes_blocked: usize,
    /// How many become free.
    pub becomes_free: usize,
}

impl Impact {
    /// How many become blocked, those who are not listed included.
    #[must_use]
    pub fn blocked(&self) -> usize {
        self.by_pool.iter().map(|pool| pool.becomes_blocked).sum()
    }

    /// How many become free, those who are not listed included.
    #[must_use]
    pub fn free(&self) -> usize {
        self.by_pool.iter().map(|pool| pool.becomes_free).sum()
    }
}
