//! Applying changes to the kernel: a few to the maps of the running generation, many by a new generation.
//!
//! A change is computed before it is stored, so that one that cannot be enforced is refused.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use tracing::{info, warn};
use ulid::Ulid;

use super::{active_set::Staged, refusal::Refusal};
use crate::{
    datapath::ChangeError,
    enforcer::{
        described::DescribedPolicy,
        host::Host,
        prepare::{self, Prepared},
        state::{Enforcer, RETRY},
    },
    policy::{CompileError, RuleChange},
    store::{Actor, Change, ChangeKind, Commit, Record, RequestKey},
};

/// For more changes than this, loading a new generation is faster.
const MOST_LIVE_CHANGES: usize = 256;

/// A change that is computed, and neither stored nor in the kernel yet.
pub(super) enum Pending {
    /// Changes of the maps of the running generation.
    Live(Staged),
    /// A new generation.
    Generation(Box<Prepared>),
    /// The kernel takes no new generation now. Only a removal is stored all the same.
    Later(anyhow::Error),
}

/// In which way a change was enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By changes of the maps of the running generation.
    Live,
    /// By a new generation, which replaced the running one as a reload does.
    NewGeneration,
}

/// Why changes could not be made to the running generation.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("no filter is running")]
    NoFilter,
}

/// Changes that were not made to the running generation as a whole.
struct NotApplied {
    error: LiveError,
    /// Whether the kernel has a part of them.
    has_part: bool,
}

impl Enforcer {
    /// Computes what changes in the kernel, before the change is stored.
    pub(super) async fn prepare_change(
        &mut self,
        records: &[Record],
        change: ChangeKind,
        host: &mut impl Host,
    ) -> Result<Pending, Refusal> {
        // The classes of live changes would have the dates that the policy was loaded with.
        if records.len() <= MOST_LIVE_CHANGES && !self.has_live_dates {
            match self.active_set.stage(records) {
                Ok(staged) => return Ok(Pending::Live(staged)),
                // The sets of earlier changes are in the maps as well: without them it may fit.
                Err(error) => info!(%error, "computing a new generation for a change of the exemptions"),
            }
        }
        match self.prepare_generation(records, host).await {
            Ok(prepared) => Ok(Pending::Generation(Box::new(prepared))),
            Err(error) => match error.downcast::<CompileError>() {
                Ok(error) => Err(Refusal::Compile(error)),
                Err(error) if change == ChangeKind::Remove => Ok(Pending::Later(error)),
                Err(error) => Err(Refusal::Kernel(format!("nothing was changed: {error:#}"))),
            },
        }
    }

    /// Loads a generation with these changes.
    async fn prepare_generation(
        &mut self,
        records: &[Record],
        host: &mut impl Host,
    ) -> anyhow::Result<Prepared> {
        let (policy, before) = (self.policy().clone(), self.description.clone());
        let changed: HashSet<Ulid> = records.iter().map(|record| record.id).collect();
        let records = self.active_set.records_with(records);
        let policy = host
            .run_while_waiting(self, move || DescribedPolicy::with_all(&policy, records, &before))
            .await??;
        let (reused, log) = (self.datapath.reusable(&policy.compiled)?, self.datapath_log);
        let mut prepared = host
            .run_while_waiting(self, move || prepare::load(policy, log, &reused))
            .await??;
        let left_out = self.active_set.left_out();
        let left_out = left_out.filter(|record| !changed.contains(&record.id));
        prepared.left_out = left_out.cloned().collect();
        Ok(prepared)
    }

    /// Forgets a change that was not stored.
    pub(super) fn discard(&mut self, pending: Pending) {
        if let Pending::Live(staged) = pending {
            self.active_set.unstage(staged);
        }
    }

    /// Makes the kernel equal to the store for these records, which are stored.
    ///
    /// If that fails, additions are withdrawn, with the `request` for them; an expiry or a removal is retried every 10 seconds.
    /// Returns in which way it was done.
    pub(super) async fn enforce(
        &mut self,
        pending: Pending,
        records: &[Record],
        change: ChangeKind,
        request: Option<RequestKey>,
        host: &mut impl Host,
    ) -> Result<Way, Refusal> {
        match pending {
            Pending::Live(staged) => self.enforce_live(staged, records, change, request, host).await,
            Pending::Generation(mut prepared) => {
                number(&mut prepared.records, records);
                match self.install(*prepared, host) {
                    Ok(_) => Ok(Way::NewGeneration),
                    // The generation that runs is as it was.
                    Err(error) if change.is_addition() => {
                        match self.withdraw(records, request, &error, host).await {
                            Ok(()) => Err(Refusal::Kernel(format!("nothing was changed: {error:#}"))),
                            Err(refusal) => {
                                self.active_set_is_stale = true;
                                Err(self.neither(records, &error, &refusal))
                            }
                        }
                    }
                    Err(error) => {
                        self.active_set_is_stale = true;
                        Err(self.not_enforced_yet(records, &error))
                    }
                }
            }
            Pending::Later(error) => {
                self.active_set_is_stale = true;
                Err(self.not_enforced_yet(records, &error))
            }
        }
    }

    async fn enforce_live(
        &mut self,
        staged: Staged,
        records: &[Record],
        change: ChangeKind,
        request: Option<RequestKey>,
        host: &mut impl Host,
    ) -> Result<Way, Refusal> {
        self.active_set.set_revisions(records);
        let Err(NotApplied { error, has_part }) = self.apply_all(staged.changes()) else {
            self.take_in_left_out();
            return Ok(Way::Live);
        };
        info!(%error, "loading a new generation for a change of the exemptions");
        let error = match self.load_again(host).await {
            Ok(()) => return Ok(Way::NewGeneration),
            Err(error) => error,
        };
        if !change.is_addition() {
            return Err(self.not_enforced_yet(records, &error));
        }
        if let Err(refusal) = self.withdraw(records, request, &error, host).await {
            return Err(self.neither(records, &error, &refusal));
        }
        self.active_set.unstage(staged);
        if has_part && let Err(left) = self.rewrite(records) {
            self.note_behind(
                records.iter().map(|record| record.id),
                format!("an exemption was withdrawn, and a part of it is still in the kernel: {left}"),
            );
        }
        Err(Refusal::Kernel(format!("nothing was changed: {error:#}")))
    }

    /// Applies changes to the maps of the running generation.
    fn apply_all<'a>(&mut self, changes: impl Iterator<Item = &'a RuleChange>) -> Result<(), NotApplied> {
        let mut has_part = false;
        let mut failure = None;
        for change in changes {
            // Those after one that failed are not in the kernel either.
            if failure.is_some() {
                self.active_set.not_applied(change);
                continue;
            }
            let error = match self.datapath.filter() {
                Some(filter) => match filter.apply(change) {
                    Ok(()) => {
                        has_part = true;
                        continue;
                    }
                    Err(error) => {
                        has_part |= !error.is_unchanged();
                        LiveError::from(error)
                    }
                },
                None => LiveError::NoFilter,
            };
            self.active_set.not_applied(change);
            failure = Some(error);
        }
        match failure {
            None => Ok(()),
            Some(error) => Err(NotApplied { error, has_part }),
        }
    }

    /// Writes the prefixes of these records to the maps as the active set has them.
    fn rewrite(&mut self, records: &[Record]) -> Result<(), LiveError> {
        for record in records {
            let change = self.active_set.rules()?.rewrite(&record.terms.prefixes)?;
            self.apply_all(std::iter::once(&change))
                .map_err(|failure| failure.error)?;
        }
        Ok(())
    }

    /// After a change there may be room for what is left out.
    fn take_in_left_out(&mut self) {
        if self.active_set.left_out().next().is_some() {
            self.load_again_soon();
        }
    }

    /// Withdraws additions that cannot be enforced, so that the same request can be sent again.
    async fn withdraw(
        &mut self,
        records: &[Record],
        request: Option<RequestKey>,
        error: &anyhow::Error,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let at = Timestamp::now();
        let changes = records
            .iter()
            .map(|record| Change {
                action: ChangeKind::Remove,
                before: Some(record.clone()),
                after: Record {
                    removed_at: Some(at),
                    ..record.clone()
                },
            })
            .collect();
        let reason = format!("could not be enforced: {error:#}");
        warn!("withdrawing an exemption: {reason}");
        let by = Actor::op25b();
        let commit = Commit {
            at,
            by,
            reason: Some(reason),
            changes,
            request: None,
            taken_back: request,
        };
        self.commit(commit, host).await.map(drop)
    }

    /// Notes that the kernel lacks a stored change.
    fn not_enforced_yet(&mut self, records: &[Record], error: &anyhow::Error) -> Refusal {
        self.note_behind(
            records.iter().map(|record| record.id),
            format!("a stored change of the exemptions is not in the kernel: {error:#}; this is retried every {RETRY:?}"),
        );
        Refusal::not_enforced_yet(error)
    }

    /// Notes that additions are stored, and could be neither enforced nor withdrawn.
    fn neither(&mut self, records: &[Record], error: &anyhow::Error, refusal: &Refusal) -> Refusal {
        let text = format!(
            "the exemption is stored, but could be neither enforced ({error:#}) nor withdrawn ({refusal}); this is retried \
             every {RETRY:?}"
        );
        self.note_behind(records.iter().map(|record| record.id), text.clone());
        Refusal::Kernel(text)
    }

    /// Notes that the kernel lacks what the store has of these records, until a generation is loaded again.
    fn note_behind(&mut self, ids: impl Iterator<Item = Ulid>, message: String) {
        self.lagging.extend(ids);
        self.kernel_falls_behind(message);
    }
}

/// Gives records the revisions with which they were stored.
fn number(records: &mut [Record], stored: &[Record]) {
    let revisions = stored.iter().map(|record| (record.id, record.revision));
    let revisions: HashMap<_, _> = revisions.collect();
    for record in records {
        if let Some(revision) = revisions.get(&record.id) {
            record.revision = *revision;
        }
    }
}
