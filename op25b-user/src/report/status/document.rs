//! The document of `op25b status --json` and `GET /v1/status`: one shape, with a daemon and without.
//!
//! A member is added and never changed. What nobody knows without a daemon is null then.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    file::FileReport,
    filter::{FilterStatus, InterfaceStatus, State},
    pools::PoolStatus,
};
use crate::{
    datapath::LoadedBy,
    fault::Fault,
    policy::Pause,
    recent_warnings::RecentWarning,
    report::{
        daemon::{DaemonReport, ExemptionReport, HistoryReport, LastReload},
        enforcement::{Enforcement, InterfaceReport, InterfaceState},
        reload::{UnconfirmedReload, WentBack},
    },
    schema::Schema,
};

/// What is enforced, what should be, and who keeps it up to date. Adding a member is compatible, changing one is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// `op25b.status/1`.
    #[serde(default)]
    pub schema: String,
    /// Whether the policy is enforced on all of its interfaces, on some (`degraded`) or on none (`open`).
    #[serde(default)]
    pub state: Enforcement,
    /// The daemon's process id; null if no daemon runs.
    #[serde(default)]
    pub pid: Option<u32>,
    /// The same.
    #[serde(default)]
    pub daemon: Option<u32>,
    /// The version of op25b that loaded the policy.
    #[serde(default)]
    pub version: Option<String>,
    /// The policy file.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub policy_file: Option<PathBuf>,
    /// The directory of the daemon's store; none without a daemon.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub state_dir: Option<PathBuf>,
    /// SHA-256 of the policy that is enforced.
    #[serde(default)]
    pub policy_sha256: Option<String>,
    /// The lists that the policy reads.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub lists: Vec<PathBuf>,
    /// When the policy that is enforced was loaded into the kernel.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub loaded_at: Option<Timestamp>,
    /// What had the policy loaded, when and for whom; null if an earlier version loaded it.
    #[serde(default)]
    pub loaded_by: Option<LoadedBy>,
    /// How the policy file and its lists compare with what is enforced; null if nothing is.
    #[serde(default)]
    pub file: Option<FileReport>,
    /// How many reloads succeeded; null without a daemon.
    #[serde(default)]
    pub reloads: Option<u64>,
    /// How many were refused; null without a daemon.
    #[serde(default)]
    pub refused_reloads: Option<u64>,
    /// The last one, whether it succeeded or was refused; null without a daemon.
    #[serde(default)]
    pub last_reload: Option<LastReload>,
    /// The reload that waits for a confirmation; null without one.
    #[serde(default)]
    pub unconfirmed_reload: Option<UnconfirmedReload>,
    /// The reload that was not confirmed in time and was taken back, until another one succeeds or the file is another one at a start.
    #[serde(default)]
    pub went_back: Option<WentBack>,
    /// The exemptions of the policy file and the store, expired ones included; null without a daemon.
    #[serde(default)]
    pub exemptions: Option<ExemptionReport>,
    /// The history of what subscribers did; null if it is off, and without a daemon.
    #[serde(default)]
    pub history: Option<HistoryReport>,
    /// The interfaces of the policy: what is wanted of each, and what the kernel shows.
    #[serde(default)]
    pub interfaces: Vec<InterfaceReport>,
    /// The pools of the policy: what is wanted of each, and what the kernel does.
    #[serde(default)]
    pub pools: Vec<PoolStatus>,
    /// The pauses that are in force: everything or a pool is only monitored until then.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// `state` and `interfaces` once more; null if no policy is pinned and no filter runs.
    #[serde(default)]
    pub enforcement: Option<EnforcementStatus>,
    /// The filter of the pin directory, if it runs in another network namespace.
    #[serde(default)]
    pub elsewhere: Option<ElsewhereStatus>,
    /// The filter of the pin directory in the kernel; null if it runs on no interface, or while the daemon is too busy to read it.
    #[serde(default)]
    pub filter: Option<FilterStatus>,
    /// The filters on interfaces of this network namespace, wherever they are pinned: `filter` first. A daemon reports only its own.
    #[serde(default)]
    pub filters: Vec<FilterStatus>,
    /// Those of them that another version of op25b loaded, and that this one cannot read.
    #[serde(default)]
    pub unreadable: Vec<UnreadableStatus>,
    /// The faults that last; none are known without a daemon.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// The daemon's newest warnings and errors, the newest first; none are known without a daemon.
    #[serde(default)]
    pub warnings: Vec<RecentWarning>,
}

/// Whether a policy is enforced, as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnforcementStatus {
    /// On all of its interfaces, on some or on none.
    pub state: Enforcement,
    /// Its interfaces.
    pub interfaces: Vec<InterfaceReport>,
}

/// A filter that runs in another network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ElsewhereStatus {
    /// That network namespace.
    pub network_namespace: String,
    /// The interfaces that it runs on there.
    pub interfaces: Vec<String>,
}

/// A filter whose description this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadableStatus {
    /// Whether it enforces, and whether a daemon runs.
    pub state: State,
    /// Where it is attached.
    pub interfaces: Vec<InterfaceStatus>,
    /// Which part of it cannot be read, and why.
    pub why: String,
}

impl Status {
    /// That nothing is known to be enforced.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            schema: Schema::Status.name().to_owned(),
            state: Enforcement::Open,
            pid: None,
            daemon: None,
            version: None,
            policy_file: None,
            state_dir: None,
            policy_sha256: None,
            lists: Vec::new(),
            loaded_at: None,
            loaded_by: None,
            file: None,
            reloads: None,
            refused_reloads: None,
            last_reload: None,
            unconfirmed_reload: None,
            went_back: None,
            exemptions: None,
            history: None,
            interfaces: Vec::new(),
            pools: Vec::new(),
            pauses: Vec::new(),
            enforcement: None,
            elsewhere: None,
            filter: None,
            filters: Vec::new(),
            unreadable: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What a daemon reports, with its filter as it is in the kernel.
    #[must_use]
    pub fn of_daemon(report: DaemonReport, filter: Option<FilterStatus>) -> Self {
        let filter = filter.and_then(|mut filter| {
            // An interface may have lost the filter since that was attached.
            let enforced = |name: &str| {
                let mut interfaces = report.interfaces.iter();
                interfaces
                    .any(|interface| interface.name == name && interface.state == InterfaceState::Enforced)
            };
            filter.interfaces.retain(|interface| enforced(&interface.name));
            (!filter.interfaces.is_empty()).then_some(filter)
        });
        Self {
            pid: Some(report.pid),
            daemon: Some(report.pid),
            version: Some(report.version),
            policy_file: Some(report.policy_file),
            state_dir: report.state_dir,
            policy_sha256: Some(report.policy_sha256),
            lists: report.lists,
            loaded_at: Some(report.loaded_at),
            loaded_by: report.loaded_by,
            reloads: Some(report.reloads),
            refused_reloads: Some(report.refused_reloads),
            last_reload: report.last_reload,
            unconfirmed_reload: report.unconfirmed_reload,
            went_back: report.went_back,
            exemptions: Some(report.exemptions),
            history: report.history,
            pauses: report.pauses,
            faults: report.faults,
            ..Self::nothing()
        }
        .with_interfaces(report.interfaces)
        .with_filters(filter.into_iter().collect())
    }

    /// The same with these interfaces of the policy.
    pub(super) fn with_interfaces(mut self, interfaces: Vec<InterfaceReport>) -> Self {
        self.state = Enforcement::of(&interfaces);
        self.enforcement = Some(EnforcementStatus {
            state: self.state,
            interfaces: interfaces.clone(),
        });
        self.interfaces = interfaces;
        self
    }

    /// The same with these filters, of which one of the pin directory comes first.
    pub(super) fn with_filters(mut self, filters: Vec<FilterStatus>) -> Self {
        let own = filters
            .first()
            .filter(|filter| filter.state != State::PinnedElsewhere);
        self.filter = own.cloned();
        if let Some(filter) = own.or_else(|| filters.first()) {
            self.pools.clone_from(&filter.pools);
        }
        self.filters = filters;
        self
    }

    /// What a daemon reports, which knows more of its own filter than its maps say, with the other filters that run here.
    #[must_use]
    pub fn joined(mut self, daemon: Self) -> Self {
        if self.elsewhere.is_some() {
            // Its interfaces are those of another network namespace.
            self.faults = daemon.faults;
            return self;
        }
        let is_its_own =
            |filter: &FilterStatus| filter.state != State::PinnedElsewhere || Some(filter.pid) == daemon.pid;
        // Where a filter runs only the kernel knows for certain: an interface may have another name by now.
        for filter in self.filters.iter_mut().filter(|filter| is_its_own(filter)) {
            if let Some(reported) = daemon.filters.first() {
                // Its pins may be out of sight here.
                filter.state = reported.state;
                filter.last_reload.clone_from(&reported.last_reload);
                filter.exemptions = reported.exemptions;
            }
        }
        self.filters.sort_by_key(|filter| !is_its_own(filter));
        let filters = std::mem::take(&mut self.filters);
        let pools = if daemon.pools.is_empty() {
            self.pools
        } else {
            daemon.pools.clone()
        };
        let joined = Self {
            unreadable: self.unreadable,
            file: daemon.file.clone().or(self.file),
            ..daemon
        }
        .with_filters(filters);
        Self { pools, ..joined }
    }

    /// Whether no filter at all runs here.
    #[must_use]
    pub fn is_without_filter(&self) -> bool {
        self.filters.is_empty() && self.unreadable.is_empty()
    }
}
