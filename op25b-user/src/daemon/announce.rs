//! Announces whether the policy is enforced: to the service manager with every change, and in the log when the state changes.

use jiff::tz::TimeZone;
use tracing::{error, info, warn};

use super::{process::service, state::Daemon};
use crate::{
    enforcer::Enforcer,
    policy::Pause,
    report::{DaemonReport, Enforcement, paused},
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
        let status = status_line(report, &enforcer.summary(), &TimeZone::system());
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
fn status_line(report: &DaemonReport, summary: &str, time_zone: &TimeZone) -> String {
    let state = Enforcement::in_words(&report.interfaces);
    let last = report.last_reload.as_ref();
    let refused = last.and_then(|last| last.refused.as_deref());
    line(&state, &report.pauses, summary, refused, time_zone)
}

fn line(state: &str, pauses: &[Pause], summary: &str, refused: Option<&str>, time_zone: &TimeZone) -> String {
    let pauses: String = pauses
        .iter()
        .flat_map(|pause| ["PAUSED ".to_owned(), paused(pause, time_zone), "; ".to_owned()])
        .collect();
    let refused = refused.map_or_else(String::new, |why| format!("; the last reload was refused: {why}"));
    format!("{pauses}{state}: {summary}{refused}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_manager_is_told_of_a_pause_and_of_a_refused_reload() {
        let zone = TimeZone::UTC;
        let told = |pauses: &[Pause], refused| line("enforcing on eth1", pauses, "2 pools", refused, &zone);
        assert_eq!(told(&[], None), "enforcing on eth1: 2 pools");
        assert_eq!(
            told(&[Pause::fake(Some("mobile"))], Some("line 12")),
            "PAUSED pool mobile until 2026-11-28 18:30:00 +00:00 by 花子: OPS-812: メールが届かない; enforcing on eth1: \
             2 pools; the last reload was refused: line 12"
        );
    }
}
