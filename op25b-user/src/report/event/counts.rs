//! How many packets were shown as events and how many were not.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The packets with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// The reason.
    pub reason: String,
    /// How many were shown.
    pub shown: u64,
    /// How many were not, to limit their rate.
    pub sampled_out: u64,
    /// How many were not, because the daemon had not read those before.
    pub lost: u64,
}
