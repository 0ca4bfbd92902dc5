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

/// What was forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Forgotten {
    /// How many records were removed from the kernel.
    pub records: u64,
    /// How many rows were removed from the files that `op25b stop --detach` wrote.
    pub rows: u64,
    /// The digest that stands for the prefix in the record of operations.
    pub digest: String,
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
