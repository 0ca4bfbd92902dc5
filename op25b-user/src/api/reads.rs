//! What is read of subscribers and customers beside the daemon, for the record of reads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::exemption::{Invalid, limits};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadKind {
    /// A report on the history.
    Report,
    /// The history, for notices to customers.
    Notices,
}

impl ReadKind {
    /// Its word in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Notices => "notices",
        }
    }
}

/// That somebody reads the history in the state directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRead {
    /// What is read.
    pub what: ReadKind,
    /// Of which pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub pool: Option<String>,
    /// Of which address or prefix. The record has its digest.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 2, max_length = 64, example = "198.51.100.7")]
    pub within: Option<String>,
    /// Why. The policy may require it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1)]
    pub reason: Option<String>,
}

impl NewRead {
    /// Checks that no text is empty or exceeds its limit.
    pub fn check_limits(&self) -> Result<(), Invalid> {
        for (name, value, limit) in [
            ("pool", &self.pool, limits::NAME),
            ("in", &self.within, limits::PREFIX),
            ("reason", &self.reason, limits::PROSE),
        ] {
            if let Some(value) = value {
                limits::text(name, value, limit)?;
            }
        }
        Ok(())
    }
}
