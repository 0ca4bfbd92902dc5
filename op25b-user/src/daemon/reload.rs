//! Reloading: from the policy that is enforced to the one in the file.

use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use tracing::{error, info, warn};

use super::{diagnostics, keeper::PolicyText, operations::reload_operation, process::service, state::Daemon};
use crate::{
    datapath::LoadedBy,
    enforcer::{Enforcer, Host as _},
    fault::FaultKind,
    policy::{self, Diff, Policy, ReadError},
    report::{InterfaceState, LastReload, ReloadAnswer},
};

/// How long reading and compiling the policy file may take: a large one takes a while, and a disk that hangs for ever.
const READ_TIME: Duration = Duration::from_secs(100);

impl Daemon {
    /// Reloads unless the texts of the file and its lists, whose digest this is, are the same as the last time.
    pub(super) async fn reload_if_changed(&mut self, enforcer: &mut Enforcer, digest: String) {
        if self.reloads.digest.as_ref() != Some(&digest) {
            self.reload(enforcer, LoadedBy::now("watch")).await;
        }
    }

    /// Enforces the policy as the file is now; what cannot be enforced changes nothing.
    pub(super) async fn reload(&mut self, enforcer: &mut Enforcer, asked_by: LoadedBy) -> ReloadAnswer {
        info!(%asked_by, policy = %self.options.policy.display(), "reloading");
        service::reloading();
        let mut answer = ReloadAnswer::default();
        let result = self.try_reload(enforcer, asked_by.clone(), &mut answer).await;
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
        self.operations.note(reload_operation(&asked_by, policy, refused));
        self.reloads.last = Some(LastReload {
            at: Timestamp::now(),
            asked_by: asked_by.what,
            uid: asked_by.uid,
            user: asked_by.user,
            refused: answer.refused.clone(),
        });
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
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<()> {
        let file = self.compare(enforcer, answer).await?;
        answer.warnings = interruption_warnings(enforcer, &file.policy).await?;
        for warning in &answer.warnings {
            warn!("{warning}");
        }
        let text = PolicyText::of(&file);
        answer
            .warnings
            .extend(enforcer.replace(file, asked_by, self).await?);
        answer.warnings.extend(self.unfiltered_warnings(enforcer));
        self.keeper.keep_policy(text);
        if let Some(changes) = &answer.changes {
            for line in changes.to_string().lines() {
                info!("{line}");
            }
        }
        Ok(())
    }

    /// Reports what a reload would change, as far as that is known without doing it.
    pub(super) async fn dry_run(&mut self, enforcer: &mut Enforcer) -> ReloadAnswer {
        let mut answer = ReloadAnswer {
            dry_run: true,
            ..ReloadAnswer::default()
        };
        let result = self.try_dry_run(enforcer, &mut answer).await;
        answer.refused = result.err().map(|error| format!("{error:#}"));
        answer
    }

    async fn try_dry_run(
        &mut self,
        enforcer: &mut Enforcer,
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<()> {
        let file = self.compare(enforcer, answer).await?;
        answer.warnings = interruption_warnings(enforcer, &file.policy).await?;
        let conflicts = enforcer.conflicts_with_store(file.policy, self).await?;
        answer.warnings.extend(conflicts);
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

/// Warnings about the interfaces that a switch to a policy would leave without a filter for a moment.
async fn interruption_warnings(enforcer: &Enforcer, policy: &Policy) -> anyhow::Result<Vec<String>> {
    let interrupted = enforcer.predict_interruptions(policy).await?.into_iter();
    let warnings = interrupted.map(|interface| {
        format!(
            "interface {interface} changes its XDP mode: the kernel leaves it without a filter for a moment"
        )
    });
    Ok(warnings.collect())
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
