//! From the policy that is enforced to the one in the file.

use std::{fs, sync::Arc};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{error, info, warn};

use super::{
    Daemon, Next,
    control::View,
    load_with,
    packet_log::PacketLog,
    policy_file::{self, PolicyFile, Refused},
    request::Request,
    service, targets,
};
use crate::{
    datapath::{Interfaces, LinkState, Target},
    enforcer::{ActiveSet, standing},
    policy::{Diff, Policy, Severity},
    report::{DaemonReport, ExemptionReport, LastReload, ReloadAnswer},
};

impl Daemon {
    /// Does what is asked for at the control socket.
    pub(super) async fn answer(&mut self, request: Request) {
        // Who asked may have gone away: an answer that nobody takes is no error.
        match request {
            Request::Reload { dry_run, answer } => {
                let said = if dry_run {
                    self.look().await
                } else {
                    self.reload("reload").await
                };
                let _ = answer.send(said);
            }
            Request::Add {
                exemption,
                caller,
                answer,
            } => {
                let added = self.add_exemption(exemption, &caller).await;
                let _ = answer.send(added.map_err(Into::into));
            }
            Request::Extend {
                id,
                extend,
                caller,
                answer,
            } => {
                let extended = self.extend_exemption(&id, extend, &caller).await;
                let _ = answer.send(extended.map_err(Into::into));
            }
            Request::Remove {
                id,
                reason,
                caller,
                answer,
            } => {
                let removed = self.remove_exemption(&id, &reason, &caller).await;
                let _ = answer.send(removed.map_err(Into::into));
            }
            Request::Import {
                import,
                caller,
                answer,
            } => {
                let imported = self.import_exemptions(import, &caller).await;
                let _ = answer.send(imported.map_err(Into::into));
            }
            Request::Explain {
                source,
                destination,
                port,
                answer,
            } => {
                let explained = self.explain(source, destination, port);
                let _ = answer.send(explained.map_err(Into::into));
            }
        }
    }

    /// Reloads unless the file says what it said the last time. One that is not there is about to be replaced.
    pub(super) async fn reload_if_changed(&mut self) {
        let digest = self.digest();
        if digest.is_some() && digest != self.seen {
            self.reload("watch").await;
        }
    }

    /// Enforces the policy as the file is now; what cannot be enforced changes nothing.
    pub(super) async fn reload(&mut self, asked_by: &str) -> ReloadAnswer {
        info!(asked_by, policy = %self.options.policy.display(), "reloading");
        service::reloading();
        self.seen = self.digest();
        let mut answer = ReloadAnswer::default();
        let result = self.try_reload(&mut answer).await;
        let policy = self.options.policy.display();
        match &result {
            Ok(()) => {
                self.reloads += 1;
                info!(%policy, "reloaded");
            }
            Err(error) => {
                self.refused_reloads += 1;
                error!("the policy was not reloaded, the one before goes on: {error:#}");
            }
        }
        answer.refused = result.err().map(|error| format!("{error:#}"));
        self.last_reload = Some(LastReload {
            at: Timestamp::now(),
            asked_by: asked_by.to_owned(),
            refused: answer.refused.clone(),
        });
        self.publish();
        service::ready(&match &answer.refused {
            None => self.summary(),
            Some(why) => format!("{}; the last reload was refused: {why}", self.summary()),
        });
        answer
    }

    async fn try_reload(&mut self, answer: &mut ReloadAnswer) -> anyhow::Result<()> {
        let file = self.compare(answer).await?;
        self.foresee(&file.policy, answer).await;
        for warning in &answer.warnings {
            warn!("{warning}");
        }
        let (options, store) = (self.options.clone(), Arc::clone(&self.store));
        let reused = self.enforced.reusable(&file.compiled)?;
        let next = self
            .meanwhile(spawn_blocking(move || {
                load_with(file, standing(&store)?, &options, &reused)
            }))
            .await??;
        self.switch(next).await?;
        if let Some(changes) = &answer.changes {
            for line in changes.to_string().lines() {
                info!("{line}");
            }
        }
        Ok(())
    }

    /// Says what a reload would change, as far as that shows without doing it.
    async fn look(&mut self) -> ReloadAnswer {
        let mut answer = ReloadAnswer {
            dry_run: true,
            ..ReloadAnswer::default()
        };
        let result = self.compare(&mut answer).await;
        if let Ok(file) = &result {
            self.foresee(&file.policy, &mut answer).await;
        }
        answer.refused = result.err().map(|error| format!("{error:#}"));
        answer
    }

    /// Says where a switch to a policy would leave a gap, as far as that shows beforehand.
    async fn foresee(&self, policy: &Policy, answer: &mut ReloadAnswer) {
        let Ok(interfaces) = Interfaces::list().await else {
            // The switch asks again, and says why not.
            return;
        };
        let interrupted = self
            .enforced
            .interruptions(&interfaces, &self.next_targets(policy));
        let interrupted = interrupted.unwrap_or_default().into_iter();
        answer.warnings.extend(interrupted.map(|interface| {
            format!(
                "interface {interface} changes its XDP mode, for which the kernel leaves it without a filter for a moment"
            )
        }));
    }

    /// Where a policy is to be enforced after one that is.
    fn next_targets(&self, policy: &Policy) -> Vec<Target> {
        let mut targets = targets(policy);
        for target in &mut targets {
            // An interface that has disappeared is no reason to refuse a policy for those that are there.
            let attached = self.enforced.link_state(&target.interface);
            target.may_be_missing |= attached.is_ok_and(|standing| standing != LinkState::Absent);
        }
        targets
    }

    /// Reads the policy and says what is wrong with it and what it changes.
    async fn compare(&mut self, answer: &mut ReloadAnswer) -> anyhow::Result<PolicyFile> {
        let path = self.options.policy.clone();
        let before = Arc::clone(&self.policy);
        let read = spawn_blocking(move || {
            let file = policy_file::read(&path)?;
            let changes = Diff::between(&before, &file.policy);
            Ok((file, changes))
        });
        match self.meanwhile(read).await? {
            Ok((file, changes)) => {
                answer.diagnostics = file.warnings.to_string();
                answer.changes = Some(changes);
                Ok(file)
            }
            Err(error) => Err(refusal(error, answer)),
        }
    }

    /// Goes on with what is to be done every second while something takes long elsewhere: reading and loading a large policy takes seconds.
    pub(crate) async fn meanwhile<T>(&mut self, mut work: JoinHandle<T>) -> anyhow::Result<T> {
        loop {
            tokio::select! {
                result = &mut work => return result.context("a thread of the daemon's failed"),
                _ = self.ticks.tick() => self.tick().await,
                scrape = self.scrapes.next() => self.tell_metrics(scrape),
            }
        }
    }

    /// Puts a loaded filter in the place of the one that runs.
    pub(crate) async fn switch(&mut self, next: Next) -> anyhow::Result<()> {
        let Next {
            mut filter,
            policy,
            records,
            description,
        } = next;
        let targets = self.next_targets(&policy);
        // Before the switch: afterwards nothing may fail. What the reader misses of the old filter is lost with it.
        let packet_log = PacketLog::of(&mut filter, self.options.datapath_log)?;
        // Listed late: loading a large policy takes a while.
        let interfaces = Interfaces::list().await?;
        let switched = self.enforced.replace(filter, &interfaces, &targets)?;
        self.packet_log = packet_log;
        self.policy = policy;
        self.active_set = ActiveSet::new(Arc::clone(&self.policy), records);
        self.questions = None;
        self.behind = None;
        self.description = description;
        self.tell(&switched);
        Ok(())
    }

    /// Has the control socket tell how the daemon is now.
    pub(crate) fn publish(&self) {
        let (report, policy) = (self.report(), Arc::clone(&self.policy));
        self.control.publish(View { report, policy });
    }

    /// How the daemon is now.
    pub(super) fn report(&self) -> DaemonReport {
        DaemonReport {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_file: self.description.policy_file.clone(),
            policy_sha256: self.description.policy_sha256.clone(),
            loaded_at: self.description.loaded_at,
            reloads: self.reloads,
            refused_reloads: self.refused_reloads,
            last_reload: self.last_reload.clone(),
            exemptions: ExemptionReport {
                in_file: self.policy.exemptions_in_file().len(),
                stored: self.active_set.stored(),
                kernel_is_behind: self.behind.is_some(),
            },
            interfaces: self.interface_reports(),
        }
    }

    /// The digest of the policy file as it is now, if it can be read.
    fn digest(&self) -> Option<String> {
        let bytes = fs::read(&self.options.policy).ok()?;
        Some(policy_file::digest(&bytes))
    }
}

/// Why a policy is refused, in one line with the first thing that is wrong; all of it goes to the answer.
fn refusal(refused: Refused, answer: &mut ReloadAnswer) -> anyhow::Error {
    let Refused::Invalid(report) = &refused else {
        return refused.into();
    };
    answer.diagnostics = report.to_string();
    let first = report
        .diagnostics()
        .iter()
        .find(|diagnostic| diagnostic.severity() == Severity::Error);
    match first {
        Some(first) => {
            let place = first
                .place
                .as_ref()
                .map_or_else(String::new, |place| format!("{}: ", place.position));
            let message = format!("{refused}: {place}{}", first.message);
            anyhow::Error::msg(message)
        }
        None => refused.into(),
    }
}
