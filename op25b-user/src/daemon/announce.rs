//! Announces whether the policy is enforced: to the service manager with every change, and in the log when the state changes.

use tracing::{error, info, warn};

use super::{process::service, state::Daemon};
use crate::{
    enforcer::Enforcer,
    report::{DaemonReport, Enforcement},
};

/// What was announced last.
#[derive(Debug, Default)]
pub(super) struct Announced {
    state: Option<Enforcement>,
    status: String,
}

impl Daemon {
    /// Announces what has changed since the last announcement. Returns the state in one line.
    pub(super) fn announce(&mut self, report: &DaemonReport, enforcer: &Enforcer) -> String {
        let status = status_line(report, &enforcer.summary());
        let before = self.announced.state.replace(report.state);
        if before != Some(report.state) {
            let policy = report.policy_file.display();
            match (report.state, before) {
                (Enforcement::Enforced, None) => info!(%policy, "enforcing"),
                (Enforcement::Enforced, Some(_)) => info!("enforcing on every interface of the policy again"),
                (Enforcement::Degraded, _) => warn!(%policy, "{}", Enforcement::in_words(&report.interfaces)),
                (Enforcement::Open, _) => error!(%policy, "{}", Enforcement::in_words(&report.interfaces)),
            }
        }
        if self.announced.status != status {
            service::status(&status);
            self.announced.status.clone_from(&status);
        }
        status
    }
}

/// The state for the service manager.
fn status_line(report: &DaemonReport, summary: &str) -> String {
    let state = Enforcement::in_words(&report.interfaces);
    let last = report.last_reload.as_ref();
    match last.and_then(|last| last.refused.as_ref()) {
        None => format!("{state}: {summary}"),
        Some(why) => format!("{state}: {summary}; the last reload was refused: {why}"),
    }
}
