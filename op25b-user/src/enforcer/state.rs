//! The state of enforcement: what is enforced now, with what is needed to change it.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tracing::warn;
use ulid::{Generator, Ulid};

use super::{
    exemptions::active_set::ActiveSet,
    live_records::LiveRecords,
    pauses::PausedAt,
    reconcile::{history::LinkHistories, native::NativeRetries, repeats::Repeats, settings::SettingWarnings},
    stall::Stalls,
    store::SharedStore,
};
use crate::{
    counted::counted,
    datapath::{
        Attachment, Counters, Description, Directories, Enforced, Filter, LoadError, LogLevel, ask::Asker,
    },
    fault::{FaultKind, Faults},
    policy::{Policy, Role, Word as _},
    store::{Revision, sqlite::Progress},
};

/// How long the kernel stays behind the store before the next attempt.
pub(super) const RETRY: Duration = Duration::from_secs(10);

/// What is enforced now.
pub(crate) struct Enforcer {
    pub(super) datapath: Enforced,
    /// The level of the packet log with which filters are loaded.
    pub(super) datapath_log: LogLevel,
    pub(super) description: Description,
    pub(super) active_set: ActiveSet,
    pub(super) store: SharedStore,
    /// The calls of the store that its disk has not answered.
    pub(super) stalls: Stalls,
    pub(super) ids: Generator,
    /// The program that answers questions about connections; loaded when it is first needed.
    pub(super) asker: Option<Asker>,
    /// When the kernel is to be given again what the store has; `None` unless the kernel is behind the store.
    pub(super) retry_at: Option<Instant>,
    /// The records whose last change is stored and not in the kernel.
    pub(super) lagging: BTreeSet<Ulid>,
    /// Whether the active set lacks what the store has: nothing may be decided by it.
    pub(super) active_set_is_stale: bool,
    /// How often the store's records had become other ones, as of the last time that the kernel was made equal to them.
    pub(super) replacements: u64,
    /// The last revision of the store that was enforced: by this process, or by those before whose filter it took over.
    pub(super) enforced_revision: Revision,
    /// When the policy is to be loaded again for dates that were reached; `None` if none was since it was loaded.
    pub(super) hold_dates_at: Option<Instant>,
    /// Whether the dates of the filter that runs were changed for pauses, which the active set does not know of.
    pub(super) has_live_dates: bool,
    /// When the pauses were put in force.
    pub(super) paused_at: PausedAt,
    /// When the next attempt is due to load the policy without the pauses that are over.
    pub(super) end_pauses_at: Option<Instant>,
    pub(super) link_histories: LinkHistories,
    /// The interfaces on which native mode was refused.
    pub(super) native_retries: NativeRetries,
    /// The settings of interfaces that disagree with the filter.
    pub(super) setting_warnings: SettingWarnings,
    /// When the ports of interfaces were listed last.
    pub(super) ports_listed_at: Instant,
    pub(super) faults: Faults,
    pub(super) live_records: LiveRecords,
    /// What prevented all interfaces from being examined.
    pub(super) reconcile_troubles: Repeats,
}

impl Enforcer {
    /// The policy as it was loaded: the exemptions of the file, then those that the store had.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        self.active_set.policy()
    }

    /// The description of the filter in the kernel.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// The directories of this process, with the store as it is known now: a disk may have hung when the filter was loaded.
    pub(super) fn directories(&self) -> Option<Directories> {
        let store = self.store.progress().identity();
        let mut directories = self.description.directories.clone()?;
        directories.store = store;
        Some(directories)
    }

    /// The file that the policy was read from.
    pub(crate) fn policy_file(&self) -> &Path {
        &self.description.policy_file
    }

    /// The number of stored exemptions that are not removed.
    pub(crate) fn stored_exemptions(&self) -> usize {
        self.active_set.stored()
    }

    /// The numbers of active and of expired exemptions at an instant.
    pub(crate) fn count_exemptions(&self, now: Timestamp) -> (usize, usize) {
        self.active_set.count(now)
    }

    /// When the next one of the exemptions that are active at an instant expires.
    pub(crate) fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.active_set.next_expiry(now)
    }

    /// What is known of the store without waiting for it.
    pub(crate) fn store_progress(&self) -> &Progress {
        self.store.progress()
    }

    /// Whether the kernel lacks what the store has.
    pub(crate) fn kernel_is_behind(&self) -> bool {
        self.retry_at.is_some() || self.store.progress().replacements() != self.replacements
    }

    /// Notes that the kernel lacks what the store has, until a generation is loaded again.
    pub(super) fn kernel_falls_behind(&mut self, message: String) {
        self.retry_at = Some(Instant::now() + RETRY);
        self.faults.raise(FaultKind::KernelBehind, message);
    }

    /// Notes whether the store's records have become other ones, without a change by this enforcer.
    pub(super) fn note_replacement(&mut self) {
        let replacements = self.store.progress().replacements();
        if replacements != self.replacements {
            self.replacements = replacements;
            self.active_set_is_stale = true;
            self.load_again_soon();
        }
    }

    /// Notes with the filter which revision of the store it enforces, unless the kernel is behind.
    pub(crate) fn note_enforced_revision(&mut self) {
        let revision = self.store.progress().revision();
        if revision <= self.enforced_revision || self.kernel_is_behind() {
            return;
        }
        let Some(filter) = self.datapath.filter() else {
            return;
        };
        if let Err(error) = filter.set_store_revision(revision) {
            warn!(
                "a store that loses changes will not be noticed: {:#}",
                anyhow::Error::from(error)
            );
        }
        self.enforced_revision = revision;
    }

    /// Loads a generation with what the store has, at the next tick.
    pub(super) fn load_again_soon(&mut self) {
        self.retry_at = Some(Instant::now());
    }

    /// The faults that last.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The subscribers' records of the filter that runs, for a thread of its own.
    pub(crate) fn live_records(&self) -> LiveRecords {
        self.live_records.clone()
    }

    /// The filter in the kernel.
    pub(crate) fn filter(&mut self) -> Option<&mut Filter> {
        self.datapath.filter()
    }

    /// Where the filter was attached.
    pub(crate) fn attachments(&self) -> &[Attachment] {
        self.datapath.attachments()
    }

    /// The counters of the filter, for each role that an interface of the policy has.
    pub(crate) fn counters(&mut self) -> Result<Vec<(Role, Counters)>, LoadError> {
        let roles: Vec<Role> = self.roles().collect();
        let Some(filter) = self.datapath.filter() else {
            return Ok(Vec::new());
        };
        let counters = filter.counter_table()?;
        Ok(roles.into_iter().map(|role| (role, counters.of(role))).collect())
    }

    /// The roles that the policy's interfaces have.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> {
        roles(self.active_set.policy())
    }

    /// The policy and the faults, in one line.
    pub(crate) fn summary(&self) -> String {
        let policy = self.policy();
        let faults = self.faults.list();
        let faults: String = faults
            .iter()
            .flat_map(|fault| ["; ", fault.kind.name()])
            .collect();
        format!(
            "{}, {}, {}{faults}",
            counted(policy.pools.len(), "pool"),
            counted(policy.relays.len(), "relay"),
            counted(policy.exemptions.len(), "exemption"),
        )
    }

    /// Periodic work of the store, such as a backup, for a thread that may wait for the disk.
    pub(crate) fn store_maintenance(&self) -> impl FnOnce() + Send + use<> {
        let store = self.store.clone();
        move || store.maintain()
    }
}

/// The roles that the policy's interfaces have.
fn roles(policy: &Policy) -> impl Iterator<Item = Role> {
    let has = |role: Role| policy.interfaces.iter().any(|interface| interface.role == role);
    Role::ALL.iter().copied().filter(move |role| has(*role))
}
