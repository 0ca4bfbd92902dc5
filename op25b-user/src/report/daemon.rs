//! The daemon's report on itself: bodies of the responses of its control socket.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    enforcement::{Enforcement, InterfaceReport, KnownInterface, interface_reports},
    reload::{UnconfirmedReload, WentBack},
};
use crate::{datapath::LoadedBy, fault::Fault, policy::Pause};

/// What a daemon knows of itself and of what it enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonReport {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// The policy file that it reads.
    pub policy_file: PathBuf,
    /// The directory of its store.
    pub state_dir: Option<PathBuf>,
    /// SHA-256 of the policy that is enforced.
    pub policy_sha256: String,
    /// When the policy that is enforced was loaded.
    pub loaded_at: Timestamp,
    /// What had it loaded.
    pub loaded_by: Option<LoadedBy>,
    /// The lists that it names.
    pub lists: Vec<PathBuf>,
    /// How many reloads succeeded.
    pub reloads: u64,
    /// How many were refused.
    pub refused_reloads: u64,
    /// The last one, whether it succeeded or was refused.
    pub last_reload: Option<LastReload>,
    /// The reload that waits for a confirmation.
    pub unconfirmed_reload: Option<UnconfirmedReload>,
    /// The reload that was not confirmed in time and was taken back, until another one succeeds or the file is another one at a start.
    pub went_back: Option<WentBack>,
    /// The pauses that are in force.
    pub pauses: Vec<Pause>,
    /// The exemptions of the policy file and the store, expired ones included.
    pub exemptions: ExemptionReport,
    /// The history of what subscribers did; none if it is off.
    pub history: Option<HistoryReport>,
    /// Whether the policy is enforced on all of its interfaces, when this was asked for.
    pub state: Enforcement,
    /// The interfaces of the policy, as the kernel shows them when this is asked for.
    pub interfaces: Vec<InterfaceReport>,
    /// The faults that last.
    pub faults: Vec<Fault>,
}

impl DaemonReport {
    /// Asks the kernel for the state of the interfaces.
    pub(crate) fn ask_kernel(&mut self, known: &[KnownInterface], pins: &Path) {
        self.interfaces = interface_reports(known, pins);
        self.state = Enforcement::of(&self.interfaces);
    }
}

/// The exemptions of a policy and its store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExemptionReport {
    /// How many the policy file has.
    pub in_file: usize,
    /// How many are stored and not removed.
    pub stored: usize,
    /// Whether the kernel does not enforce what the store holds; this is retried every few seconds.
    pub kernel_is_behind: bool,
}

/// The history of what subscribers did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryReport {
    /// The length of a bucket.
    pub bucket_seconds: i64,
    /// How long buckets are kept: the shorter of `history.keep` and what `privacy` says.
    pub keep_seconds: i64,
    /// How many bytes the file may have.
    pub max_bytes: u64,
    /// How many it has; null until it is open.
    pub bytes: Option<u64>,
    /// How many lines there are, each of what one subscriber did in one bucket; null until then.
    pub rows: Option<u64>,
    /// When the oldest bucket begins; null if there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest: Option<Timestamp>,
    /// When the newest bucket begins that was written; null if there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub newest: Option<Timestamp>,
    /// Whether buckets that should be kept were removed, as the file would have become too large.
    pub is_full: bool,
}

/// A completed reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastReload {
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What requested it: `SIGHUP`, `reload` or `watch`; `went back` if it was taken back.
    pub asked_by: String,
    /// The user who requested it at the control socket.
    #[serde(default)]
    pub uid: Option<u32>,
    /// That user's name; the number if the system has none.
    #[serde(default)]
    pub user: Option<String>,
    /// Why it was refused; none if it succeeded.
    pub refused: Option<String>,
}

/// What requests that a reload that was not confirmed is taken back.
pub(crate) const WENT_BACK: &str = "went back";

impl LastReload {
    /// Whether the reload was done, and taken back as it was not confirmed.
    #[must_use]
    pub fn was_taken_back(&self) -> bool {
        self.asked_by == WENT_BACK
    }
}
