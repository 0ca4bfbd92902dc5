//! Records of subscribers that are forgotten: the request, and the response to it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::exemption::{Invalid, limits};

/// Which records of subscribers are forgotten, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetSubscribers {
    /// The address of a subscriber, or a prefix with all that are in it.
    #[schema(min_length = 2, example = "198.51.100.7")]
    pub prefix: String,
    /// Only those whose last packet is older than this, such as `90d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, example = "90d")]
    pub older: Option<String>,
    /// The reason.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// Which customer is forgotten, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetCustomer {
    /// The name, as the sessions have it.
    #[schema(min_length = 1, example = "alice@example.net")]
    pub customer: String,
    /// The reason.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forgotten {
    /// How many records were removed from the kernel.
    pub records: u64,
    /// How many rows were removed from the files that `op25b stop --detach` wrote.
    pub rows: u64,
    /// How many alerts were removed from the memory of the daemon.
    #[serde(default)]
    pub alerts: u64,
    /// How many events of packets were removed from the memory of the daemon.
    #[serde(default)]
    pub events: u64,
    /// How many rows were removed from the history, each of what one subscriber did in one bucket.
    #[serde(default)]
    pub history: u64,
    /// How many sessions were removed.
    #[serde(default)]
    pub sessions: u64,
    /// How many notices were removed from the record of those that were written.
    #[serde(default)]
    pub notices: u64,
    /// The digest that stands for the prefix or the customer in the record of operations.
    pub digest: String,
    /// What is left for a while, and why.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl ForgetSubscribers {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::text("prefix", &self.prefix, limits::PREFIX)?;
        limits::text("reason", &self.reason, limits::PROSE)?;
        self.older
            .as_deref()
            .map_or(Ok(()), |older| limits::text("older", older, limits::EXPIRY))
    }
}

impl ForgetCustomer {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        limits::text("customer", &self.customer, limits::NAME)?;
        limits::text("reason", &self.reason, limits::PROSE)
    }
}
