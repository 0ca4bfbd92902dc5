//! The dates of enforcement that were reached, which hold whatever the clock says later.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Policy;

/// A pool's date of enforcement that was reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReachedDate {
    /// The pool's name.
    pub pool: String,
    /// The date.
    pub enforce_from: Timestamp,
}

/// The dates that were reached. One holds until a policy names another date for its pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReachedDates(BTreeSet<ReachedDate>);

impl ReachedDates {
    /// Adds a date; whether it is new.
    pub fn insert(&mut self, pool: &str, enforce_from: Timestamp) -> bool {
        self.0.insert(ReachedDate {
            pool: pool.to_owned(),
            enforce_from,
        })
    }

    /// Adds all dates of another set.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Whether the pool's date was reached.
    #[must_use]
    pub fn contains(&self, pool: &str, enforce_from: Timestamp) -> bool {
        let mut dates = self.0.iter();
        dates.any(|date| date.pool == pool && date.enforce_from == enforce_from)
    }

    /// Drops the dates of pools for which the policy names another one.
    pub fn retain_for(&mut self, policy: &Policy) {
        self.0.retain(|date| {
            policy.pools.iter().all(|pool| {
                let mut dates = pool.phases.iter().filter_map(|phase| phase.from);
                pool.name != date.pool
                    || pool.phases.iter().all(|phase| phase.from.is_none())
                    || dates.any(|from| from.at == date.enforce_from)
            })
        });
    }
}
