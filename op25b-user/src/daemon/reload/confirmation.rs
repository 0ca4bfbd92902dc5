//! Reloads that wait for a confirmation: what is needed to take one back is kept before it is made.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    api::{Problem, ProblemKind},
    daemon::{keeper::PolicyText, request::Caller, state::Daemon},
    datapath::{Description, LoadedBy},
    enforcer::{Enforcer, Host as _},
    policy::{self, Policy},
    report::{Confirmed, PolicyInForce, UnconfirmedReload, WentBack},
    state_dir::Unconfirmed,
    store::{Operation, OperationKind},
};

/// How long writing to the state directory may take: the texts of a policy may be large, and a disk may hang.
const DISK_TIME: Duration = Duration::from_secs(30);

/// A reload that waits for a confirmation.
pub(in crate::daemon) struct Waiting {
    pub(super) reload: Unconfirmed,
    /// When it is taken back, by the time that passes: the clock may be set.
    pub(super) due: Instant,
    /// The texts of its policy.
    policy: Arc<PolicyText>,
    pub(super) previous: Previous,
}

/// The policy to go back to.
#[derive(Clone)]
pub(in crate::daemon) enum Previous {
    /// As it was loaded by this process.
    Loaded(Arc<Policy>, Box<Description>),
    /// The last good one in the state directory: an earlier process loaded it.
    Kept,
}

impl Waiting {
    /// A reload of an earlier process.
    pub(in crate::daemon) fn resumed(reload: Unconfirmed, policy: PolicyText) -> Self {
        let left = remaining(&reload, Timestamp::now());
        Self {
            reload,
            due: Instant::now() + left,
            policy: Arc::new(policy),
            previous: Previous::Kept,
        }
    }

    /// What is reported of it.
    pub(in crate::daemon) fn report(&self) -> UnconfirmedReload {
        let Unconfirmed {
            sha256,
            previous_sha256,
            requested_at,
            by,
            goes_back_at,
            ..
        } = self.reload.clone();
        UnconfirmedReload {
            goes_back_at,
            requested_at,
            by,
            sha256,
            previous_sha256,
        }
    }

    /// How long it still waits.
    pub(super) fn left(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// The policy is enforced: the time begins.
    fn begin(&mut self, within: Duration) {
        self.due = Instant::now() + within;
        self.reload.goes_back_at = after(within);
    }
}

/// What is reported of a reload that was taken back.
pub(in crate::daemon) fn went_back(reload: &Unconfirmed) -> Option<WentBack> {
    Some(WentBack {
        at: reload.went_back_at?,
        by: reload.by.clone(),
        sha256: reload.sha256.clone(),
    })
}

/// How long a reload still waits. Whatever the clock says, it is no longer than it was to wait in all.
pub(in crate::daemon) fn remaining(reload: &Unconfirmed, now: Timestamp) -> Duration {
    let whole = reload.goes_back_at.duration_since(reload.requested_at);
    let left = reload.goes_back_at.duration_since(now);
    let left = left.clamp(SignedDuration::ZERO, whole.max(SignedDuration::ZERO));
    left.unsigned_abs()
}

fn after(within: Duration) -> Timestamp {
    Timestamp::now().checked_add(within).unwrap_or(Timestamp::MAX)
}

impl Daemon {
    /// Keeps what is needed to take back a reload of this file; `None` if it needs no confirmation. If the reload is not made
    /// after all, [`Self::keep_reload_state`] forgets it.
    pub(super) async fn expect_confirmation(
        &mut self,
        enforcer: &mut Enforcer,
        file: &policy::File,
        text: &Arc<PolicyText>,
        asked_by: &LoadedBy,
        within: Option<Duration>,
    ) -> anyhow::Result<Option<Waiting>> {
        let Some(within) = within else {
            return Ok(None);
        };
        let (previous, previous_sha256) = if let Some(waiting) = &self.reloads.waiting {
            // Nobody has confirmed what is enforced now.
            (waiting.previous.clone(), waiting.reload.previous_sha256.clone())
        } else {
            let description = enforcer.description().clone();
            let sha256 = description.policy_sha256.clone();
            let policy = Arc::clone(enforcer.policy());
            (Previous::Loaded(policy, Box::new(description)), sha256)
        };
        if file.sha256 == previous_sha256 {
            return Ok(None);
        }
        let reload = Unconfirmed {
            policy_file: file.path.clone(),
            sha256: file.sha256.clone(),
            previous_sha256,
            requested_at: Timestamp::now(),
            by: asked_by.user.clone().unwrap_or_else(|| asked_by.what.clone()),
            goes_back_at: after(within),
            went_back_at: None,
        };
        let work = self.keeper.begin_unconfirmed(reload.clone(), Arc::clone(text));
        let mut writing = self.start(work)?;
        let written = self.wait(enforcer, &mut writing, Some(DISK_TIME)).await;
        let policy = written
            .context("the disk of the state directory does not answer")
            .and_then(|written| written)
            .context("a reload that cannot be taken back after a restart is not made; without `--confirm` it can be");
        Ok(Some(Waiting {
            policy: policy?,
            due: Instant::now() + within,
            reload,
            previous,
        }))
    }

    /// Notes how a reload that was made is to be confirmed; returns what an operator should know.
    pub(super) async fn settle(
        &mut self,
        enforcer: &mut Enforcer,
        text: Option<Arc<PolicyText>>,
        waiting: Option<(Waiting, Duration)>,
    ) -> Vec<String> {
        if let Some((mut waiting, within)) = waiting {
            waiting.begin(within);
            self.reloads.went_back = None;
            self.reloads.waiting = Some(waiting);
            self.keep_reload_state();
            return Vec::new();
        }
        let confirms = self.reloads.waiting.take().is_some() | self.reloads.went_back.take().is_some();
        if !confirms {
            self.keeper.keep_policy(text);
            return Vec::new();
        }
        // A start must not take back what is confirmed: it is on the disk before the answer.
        let work = self.keeper.confirm(text.clone());
        let written = match self.start(work) {
            Ok(mut work) => self.wait(enforcer, &mut work, Some(DISK_TIME)).await,
            Err(error) => Err(error),
        };
        self.keeper.keep_policy(text);
        match written.context("the disk of the state directory does not answer") {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(error)) | Err(error) => vec![format!(
                "the state directory does not have it yet that the policy is confirmed: {error:#}; this is retried, and a restart \
                 before it succeeds goes back"
            )],
        }
    }

    /// Has the state directory say how it is with the last reload.
    pub(super) fn keep_reload_state(&mut self) {
        match (&self.reloads.waiting, &self.reloads.went_back) {
            (Some(waiting), _) => self
                .keeper
                .keep_unconfirmed(waiting.reload.clone(), Arc::clone(&waiting.policy)),
            (None, Some(reload)) => self.keeper.keep_went_back(reload.clone()),
            (None, None) => self.keeper.keep_policy(None),
        }
    }

    /// Confirms the reload that waits for it.
    pub(in crate::daemon) async fn confirm(
        &mut self,
        enforcer: &mut Enforcer,
        caller: Caller,
    ) -> Result<Confirmed, Problem> {
        let Some(waiting) = &self.reloads.waiting else {
            return Err(Problem::new(
                ProblemKind::Conflict,
                self.nothing_to_confirm(enforcer),
            ));
        };
        let (reload, text) = (waiting.report(), Arc::clone(&waiting.policy));
        info!(
            user = caller.actor.name,
            uid = caller.actor.uid,
            policy = reload.sha256,
            requested_by = reload.by,
            "confirmed: the policy stays in force"
        );
        let confirm = Operation::now(OperationKind::Confirm, caller.actor).with_detail(format!(
            "the policy that {} had loaded, with the SHA-256 {}",
            reload.by, reload.sha256
        ));
        self.operations.note(confirm);
        let warnings = self.settle(enforcer, Some(text), None).await;
        for warning in &warnings {
            warn!("{warning}");
        }
        Ok(Confirmed {
            in_force: in_force(enforcer),
            reload,
            warnings,
        })
    }

    /// Why there is nothing to confirm.
    fn nothing_to_confirm(&self, enforcer: &Enforcer) -> String {
        let policy = in_force(enforcer);
        match self.reloads.went_back.as_ref().and_then(went_back) {
            Some(back) => format!(
                "{}; `op25b reload --confirm TIME` makes it again",
                back.told(&policy)
            ),
            None => format!("no reload waits for a confirmation: {policy} is in force and stays"),
        }
    }
}

/// The policy that is enforced.
pub(super) fn in_force(enforcer: &Enforcer) -> PolicyInForce {
    let description = enforcer.description();
    PolicyInForce {
        file: description.policy_file.clone(),
        sha256: description.policy_sha256.clone(),
        loaded_at: description.policy_loaded_at(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_after_a_restart_makes_no_reload_wait_longer_than_it_was_to() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let reload = Unconfirmed {
            policy_file: "/etc/op25b/policy.yaml".into(),
            sha256: String::new(),
            previous_sha256: String::new(),
            requested_at: at("2026-11-28T17:00:00Z"),
            by: "root".to_owned(),
            goes_back_at: at("2026-11-28T17:05:00Z"),
            went_back_at: None,
        };
        for (now, seconds) in [
            ("2026-11-28T17:01:00Z", 240),
            ("2026-11-28T17:05:00Z", 0),
            ("2026-11-29T00:00:00Z", 0),
            ("1970-01-01T00:00:00Z", 300),
        ] {
            assert_eq!(remaining(&reload, at(now)).as_secs(), seconds, "{now}");
        }
    }
}
