//! What a daemon says of itself: the answers of its control socket.

use std::{fmt, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::Diff;

/// The answer to `GET /v1/status`. Adding a member is compatible, changing one is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DaemonReport {
    /// The process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// The policy file that it reads.
    #[schema(value_type = String)]
    pub policy_file: PathBuf,
    /// SHA-256 of the policy that is enforced.
    pub policy_sha256: String,
    /// When the policy that is enforced was loaded.
    #[schema(value_type = String, format = DateTime)]
    pub loaded_at: Timestamp,
    /// How many reloads were done.
    pub reloads: u64,
    /// How many were refused.
    pub refused_reloads: u64,
    /// The last one, whether done or refused.
    pub last_reload: Option<LastReload>,
    /// The exemptions that hold, or held until they ended.
    #[serde(default)]
    pub exemptions: ExemptionReport,
    /// The interfaces of the policy.
    pub interfaces: Vec<InterfaceReport>,
}

/// The exemptions of a policy and its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExemptionReport {
    /// How many the policy file has.
    pub in_file: usize,
    /// How many are stored and not removed.
    pub stored: usize,
    /// Whether the kernel does not have what the store has: that is tried again every few seconds.
    pub kernel_is_behind: bool,
}

/// How it stands with one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterfaceReport {
    /// Its name.
    pub name: String,
    /// Whether the filter runs there.
    pub state: InterfaceState,
    /// How often somebody else has detached or replaced the filter.
    pub interferences: u64,
}

/// Whether the filter runs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceState {
    /// It does.
    Enforced,
    /// There is no such interface: it is waited for.
    Missing,
    /// Somebody else has taken it away.
    Lost,
}

/// A reload that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastReload {
    /// When it was over.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What asked for it: `SIGHUP`, `reload` or `watch`.
    pub asked_by: String,
    /// Why it was refused; nothing if it was not.
    pub refused: Option<String>,
}

impl fmt::Display for LastReload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            asked_by,
            refused,
        } = self;
        let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
        match refused {
            None => write!(f, "done at {at} ({asked_by})"),
            Some(why) => write!(f, "REFUSED at {at} ({asked_by}): {why}"),
        }
    }
}

/// The answer to `POST /v1/reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReloadAnswer {
    /// Whether nothing was to be done but looking.
    pub dry_run: bool,
    /// Why the policy was refused; nothing if it was not.
    pub refused: Option<String>,
    /// Errors and warnings in the policy, for people.
    pub diagnostics: String,
    /// What else is to be known before it is done, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What changes, or would change.
    pub changes: Option<Diff>,
}
