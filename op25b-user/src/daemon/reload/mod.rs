//! Reloading: from the policy that is enforced to the one in the file.

mod confirmation;
mod dry_run;
mod going_back;
mod restored;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use tracing::{error, info, warn};

use self::confirmation::in_force;
pub(super) use self::{
    confirmation::{Waiting, remaining, went_back},
    going_back::kept,
    restored::Comparisons,
};
use super::{diagnostics, keeper::PolicyText, operations::reload_operation, process::service, state::Daemon};
use crate::{
    datapath::{LoadedBy, Prediction},
    enforcer::{Enforcer, Host as _, NewInterfaces},
    fault::FaultKind,
    policy::{self, Diff, ReadError},
    report::{InterfaceState, LastReload, ReloadAnswer},
};

/// How long reading and compiling the policy file may take: a large one takes a while, and a disk that hangs for ever.
const READ_TIME: Duration = Duration::from_secs(100);

impl Daemon {
    /// Reloads unless the texts of the file and its lists, whose digest this is, are the same as the last time.
    pub(super) async fn reload_if_changed(&mut self, enforcer: &mut Enforcer, digest: String) {
        if self.reloads.digest.as_ref() != Some(&digest) {
            // A change that is only noticed confirms nothing: what waits for a confirmation goes on waiting.
            let within = self.reloads.waiting.as_ref().map(Waiting::left);
            self.reload(enforcer, LoadedBy::now("watch"), within).await;
        }
    }

    /// Enforces the policy as the file is now; what cannot be enforced changes nothing.
    ///
    /// With a time, it is taken back unless it is confirmed within that. Without one, it confirms what waits for a confirmation.
    pub(super) async fn reload(
        &mut self,
        enforcer: &mut Enforcer,
        asked_by: LoadedBy,
        confirm_within: Option<Duration>,
    ) -> ReloadAnswer {
        info!(%asked_by, policy = %self.options.policy.display(), "reloading");
        service::reloading();
        let mut answer = ReloadAnswer::default();
        let result = self
            .try_reload(enforcer, asked_by.clone(), confirm_within, &mut answer)
            .await;
        let policy = self.options.policy.display();
        match &result {
            Ok(()) => {
                self.reloads.done += 1;
                self.reloads.refused_file = None;
                enforcer.faults().clear(FaultKind::PolicyRefused);
                info!(%asked_by, %policy, "reloaded");
            }
            Err(error) => {
                self.reloads.refused += 1;
                error!(%asked_by, "the policy was not reloaded, the previous one stays in force: {error:#}");
                if let Some(refused) = &mut self.reloads.refused_file {
                    refused.refuse_again(format!("{error:#}"));
                    enforcer
                        .faults()
                        .raise(FaultKind::PolicyRefused, refused.message());
                }
            }
        }
        answer.refused = result.err().map(|error| format!("{error:#}"));
        let refused = answer.refused.as_deref();
        let policy = &enforcer.description().policy_sha256;
        answer.unconfirmed = self.reloads.waiting.as_ref().map(Waiting::report);
        let goes_back_at = answer.unconfirmed.as_ref().map(|reload| reload.goes_back_at);
        let operation = reload_operation(&asked_by, policy, refused, goes_back_at);
        self.operations.note(operation);
        self.reloads.last = Some(LastReload {
            at: Timestamp::now(),
            asked_by: asked_by.what,
            uid: asked_by.uid,
            user: asked_by.user,
            refused: answer.refused.clone(),
        });
        answer.in_force = Some(in_force(enforcer));
        answer.conclude();
        service::ready(&self.publish(enforcer));
        answer
    }

    /// Warnings about the interfaces of the policy on which the filter does not run, or runs in generic mode as the driver refused
    /// native mode.
    fn unfiltered_warnings(&self, enforcer: &Enforcer) -> Vec<String> {
        let interfaces = self.report(enforcer).interfaces.into_iter();
        let warnings = interfaces.filter_map(|interface| {
            let name = interface.name;
            match (interface.state, interface.why, interface.native_refused) {
                (InterfaceState::Enforced, _, None) => None,
                (InterfaceState::Enforced, _, Some(why)) => Some(format!(
                    "the filter runs in generic mode on interface {name}, which is several times slower: {why}"
                )),
                (_, Some(why), _) => Some(format!("the filter does not run on interface {name}: {why}")),
                (_, None, _) => Some(format!("the filter does not run on interface {name}")),
            }
        });
        warnings.collect()
    }

    async fn try_reload(
        &mut self,
        enforcer: &mut Enforcer,
        asked_by: LoadedBy,
        confirm_within: Option<Duration>,
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<()> {
        let file = self.compare(enforcer, answer).await?;
        answer.warnings = gaps(&enforcer.predict(&file.policy)?);
        for warning in &answer.warnings {
            warn!("{warning}");
        }
        let text = PolicyText::of(&file).context("the policy was not read from its file")?;
        let text = Arc::new(text);
        let expected = self
            .expect_confirmation(enforcer, &file, &text, &asked_by, confirm_within)
            .await;
        let replaced = match expected {
            Ok(waiting) => {
                let replaced = enforcer
                    .replace(file, asked_by, NewInterfaces::Required, self)
                    .await;
                replaced.map(|warnings| (warnings, waiting))
            }
            Err(error) => Err(error),
        };
        let (warnings, waiting) = match replaced {
            Ok(replaced) => replaced,
            Err(error) => {
                if confirm_within.is_some() {
                    // Of what was not made nothing is to be taken back.
                    self.keep_reload_state();
                }
                return Err(error);
            }
        };
        answer.warnings.extend(warnings);
        answer.warnings.extend(self.unfiltered_warnings(enforcer));
        answer.warnings.extend(Self::warn_of_pauses(enforcer));
        if confirm_within.is_some() && waiting.is_none() {
            answer.warnings.push(
                "this is the policy that is confirmed already: it waits for no confirmation".to_owned(),
            );
        }
        let settled = self
            .settle(enforcer, Some(text), waiting.zip(confirm_within))
            .await;
        answer.warnings.extend(settled);
        if let Some(changes) = &answer.changes {
            for line in changes.to_string().lines() {
                info!("{line}");
            }
        }
        Ok(())
    }

    /// Reads the policy; the answer gets its diagnostics and what it changes.
    async fn compare(
        &mut self,
        enforcer: &mut Enforcer,
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<policy::File> {
        if let Some(reading) = &self.reloads.reading
            && !reading.is_finished()
        {
            bail!("the disk of the policy file does not answer: an earlier reload still waits for it");
        }
        let path = self.options.policy.clone();
        let before = enforcer.policy().clone();
        let reached = enforcer.reached_dates().clone();
        let read = move || {
            // The digest also of what is refused, so that it is not refused once more when its change is noticed.
            let (digest, read) = policy::read_digested(&path, &reached);
            let read = read.map(|file| {
                let changes = Diff::between(&before, &file.policy);
                (file, changes)
            });
            (digest, read)
        };
        let mut reading = self.start(read)?;
        self.reloads.reading = Some(reading.abort_handle());
        let result = self.wait(enforcer, &mut reading, Some(READ_TIME)).await;
        let (digest, read) = result.context("the policy file was not read")?;
        answer.file_sha256.clone_from(&digest);
        if !answer.dry_run {
            self.reloads.digest = digest;
        }
        match read {
            Ok((file, changes)) => {
                if !answer.dry_run {
                    diagnostics::log(&file.warnings);
                }
                answer.diagnostics = file.warnings.to_string();
                answer.changes = Some(changes);
                Ok(file)
            }
            Err(error) => Err(refusal(error, answer)),
        }
    }
}

/// Warnings about the interfaces that a switch to a policy leaves without a filter, for a moment or altogether.
fn gaps(prediction: &Prediction) -> Vec<String> {
    let interrupted = prediction.interrupted.iter().map(|interface| {
        format!(
            "interface {interface} changes its XDP mode: the kernel leaves it without a filter for a moment"
        )
    });
    let released = prediction.released.iter().map(|interface| {
        format!(
            "interface {interface} goes bare: the policy names it no longer, and no filter runs there after this"
        )
    });
    interrupted.chain(released).collect()
}

/// The reason for which a policy is refused, in one line with its first error; all of it goes to the answer.
fn refusal(refused: ReadError, answer: &mut ReloadAnswer) -> anyhow::Error {
    let ReadError::Invalid(report) = &refused else {
        return refused.into();
    };
    if !answer.dry_run {
        diagnostics::log(report);
    }
    answer.diagnostics = report.to_string();
    anyhow::anyhow!("{refused}: {}", report.first_error())
}
