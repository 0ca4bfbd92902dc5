//! Going back to the policy before a reload that was not confirmed in time.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    READ_TIME,
    confirmation::{Previous, Waiting, in_force, went_back},
};
use crate::{
    daemon::{policy_source::RefusedFile, process::service, state::Daemon},
    datapath::LoadedBy,
    enforcer::{Enforcer, Host as _, NewInterfaces},
    fault::FaultKind,
    policy::{self, ReachedDates},
    report::{LastReload, WENT_BACK},
    state_dir::{KeptPolicy, Slot, Unconfirmed},
    store::{Actor, Operation, OperationKind},
};

/// How long after a failure the next attempt is.
const RETRY: Duration = Duration::from_secs(10);

impl Daemon {
    /// Goes back if a reload was not confirmed in time. The daemon calls this every second.
    pub(in crate::daemon) async fn go_back_if_due(&mut self, enforcer: &mut Enforcer) {
        let is_due = |waiting: &mut Waiting| waiting.due <= Instant::now();
        let Some(mut waiting) = self.reloads.waiting.take_if(is_due) else {
            return;
        };
        warn!(
            requested_by = waiting.reload.by,
            policy = waiting.reload.sha256,
            previous = waiting.reload.previous_sha256,
            "the reload was not confirmed in time: going back to the policy before it"
        );
        service::reloading();
        match self.enforce_previous(enforcer, &waiting).await {
            Ok(warnings) => {
                for warning in warnings {
                    warn!("{warning}");
                }
                self.note_went_back(enforcer, waiting.reload);
            }
            Err(error) => {
                let since = waiting.reload.goes_back_at;
                enforcer.faults().raise(
                    FaultKind::GoingBackFailed,
                    format!(
                        "the policy that was not confirmed by {since:.0} is still enforced, as the one before it cannot be: \
                         {error:#}; this is retried every {RETRY:?}"
                    ),
                );
                waiting.due = Instant::now() + RETRY;
                self.reloads.waiting = Some(waiting);
            }
        }
        service::ready(&self.publish(enforcer));
    }

    async fn enforce_previous(
        &mut self,
        enforcer: &mut Enforcer,
        waiting: &Waiting,
    ) -> anyhow::Result<Vec<String>> {
        let previous = waiting.previous.clone();
        let (dir, sha256) = (
            self.options.state_dir.clone(),
            waiting.reload.previous_sha256.clone(),
        );
        let mut reached = enforcer.reached_dates().clone();
        let read = move || match previous {
            Previous::Loaded(policy, description) => {
                reached.extend(&description.reached);
                let (path, sha256) = (description.policy_file, description.policy_sha256);
                anyhow::Ok(policy::File::again(&policy, path, sha256, reached)?)
            }
            Previous::Kept => kept(&dir, &sha256, &reached),
        };
        let mut reading = self.start(read)?;
        let file = self.wait(enforcer, &mut reading, Some(READ_TIME)).await;
        let file = file.context("the policy before was not read")??;
        // What was enforced before needs no interface that has gone since.
        enforcer
            .replace(file, LoadedBy::now(WENT_BACK), NewInterfaces::Optional, self)
            .await
    }

    /// Notes that the policy before a reload is enforced again.
    pub(in crate::daemon) fn note_went_back(&mut self, enforcer: &Enforcer, reload: Unconfirmed) {
        let reload = Unconfirmed {
            went_back_at: Some(reload.went_back_at.unwrap_or_else(Timestamp::now)),
            ..reload
        };
        let policy = in_force(enforcer);
        if let Some(back) = went_back(&reload) {
            let told = back.told(&policy);
            info!("{told}");
            let operation = Operation::now(OperationKind::WentBack, Actor::op25b()).with_detail(&told);
            self.operations.note(operation);
            self.reloads.last = Some(LastReload {
                at: back.at,
                asked_by: WENT_BACK.to_owned(),
                uid: None,
                user: None,
                refused: Some(told.clone()),
            });
            let refused = RefusedFile::unconfirmed(told);
            let faults = enforcer.faults();
            faults.clear(FaultKind::GoingBackFailed);
            faults.raise(FaultKind::PolicyRefused, refused.message());
            self.reloads.refused_file = Some(refused);
        }
        // The file as it is was refused: it is enforced when somebody asks for it, or when it has changed.
        self.reloads.went_back = Some(reload);
        self.keep_reload_state();
    }
}

/// The policy in the state directory with this digest.
pub(in crate::daemon) fn kept(
    state_dir: &Path,
    sha256: &str,
    reached: &ReachedDates,
) -> anyhow::Result<policy::File> {
    let kept = KeptPolicy::read(state_dir, Slot::LastGood)?.filter(|kept| kept.origin.sha256 == sha256);
    let KeptPolicy { origin, text, lists } =
        kept.with_context(|| format!("{} does not have it any more", state_dir.display()))?;
    Ok(policy::read_texts(&origin.policy_file, text, lists, reached)?)
}
