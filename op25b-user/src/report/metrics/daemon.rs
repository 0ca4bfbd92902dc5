//! The metrics of what only a daemon knows.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    super::{alert::AlertCounts, event::EventCount, status::Status},
    page::{Labels, MetricsPage, label, signed},
};
use crate::{fault::FaultKind, policy::Policy, store::Revision};

/// What only a daemon knows, besides what it reports for the status.
#[derive(Clone, Debug)]
pub struct DaemonMetrics {
    /// When it was started.
    pub started_at: Timestamp,
    /// When the next exemption expires; none if none does.
    pub next_expiry: Option<Timestamp>,
    /// The revision of the store's last change.
    pub store_revision: Revision,
    /// Whether the store takes changes.
    pub store_is_writable: bool,
    /// When its newest backup was taken.
    pub store_backup: Option<Timestamp>,
    /// How many packets were shown as events and how many were not; none of a policy without `events`.
    pub events: Vec<EventCount>,
    /// How many alerts there were, and how many wait; none of a policy without `alerts`.
    pub alerts: Option<AlertCounts>,
    /// By how much the clock of the program differs from the system's.
    pub clock_offset: Option<SignedDuration>,
    /// A policy, and of how many subscribers of each of its pools packets were blocked in the last five minutes.
    pub blocked: Option<(Arc<Policy>, Vec<u64>)>,
    /// How many IPv6 subscribers of the pools with more of them than there are records for have one; none if no history is recorded.
    pub ipv6_records: Option<u64>,
}

impl DaemonMetrics {
    /// Writes all of them.
    pub(super) fn write(&self, status: &Status, page: &mut MetricsPage) {
        reloads(status, page);
        interferences_and_faults(status, page);
        history(status, page);
        self.store(page);
        self.events(page);
        self.alerts(page);
        page.info(
            "build",
            "1, labelled with the version of the daemon",
            label("version", env!("CARGO_PKG_VERSION")),
        );
        page.gauge(
            "start_time_seconds",
            "Unix time at which the daemon was started",
            self.started_at.as_second(),
        );
        if let Some(offset) = self.clock_offset {
            page.fraction(
                "clock_offset_seconds",
                "By how much the clock by which the filter decides differs from the system's",
                offset.as_secs_f64(),
            );
        }
        page.gauges(
            "ipv6_subscriber_records",
            "IPv6 subscribers with a record, of the pools with more subscribers than there are records for; of those that \
             op25b_ipv6_subscriber_misses_total has as begun, the others were evicted by newer ones, or erased",
            self.ipv6_records.map(|records| (Labels::new(), signed(records))),
        );
        if let Some((policy, counts)) = &self.blocked {
            let pools = policy.pools.iter().zip(counts);
            page.gauges(
                "pool_subscribers_blocked",
                "Subscribers of the pool of whom packets were blocked in the last 5 minutes, of those that are remembered",
                pools.map(|(pool, count)| (label("pool", &pool.name), signed(*count))),
            );
        }
    }

    fn events(&self, page: &mut MetricsPage) {
        let counts = self.events.iter().flat_map(|count| {
            let outcomes = [
                ("shown", count.shown),
                ("sampled_out", count.sampled_out),
                ("lost", count.lost),
            ];
            outcomes.map(|(outcome, packets)| {
                let labels = vec![
                    ("reason", count.reason.clone().into()),
                    ("outcome", outcome.into()),
                ];
                (labels, packets)
            })
        });
        page.counters(
            "events",
            "Packets by whether they were shown as events (shown), were not to limit the rate (sampled_out), or were not because the \
             daemon had not read those before (lost), since its start; no value without events in the policy",
            counts,
        );
    }

    fn alerts(&self, page: &mut MetricsPage) {
        let Some(alerts) = &self.alerts else { return };
        let outcomes = [
            ("made", alerts.made),
            ("repeated", alerts.repeated),
            ("unexamined", alerts.unexamined),
        ];
        page.counters(
            "alerts",
            "Readings of a subscriber by what came of them since the daemon's start: an alert, as it was beyond a threshold (made); none, as \
             there was one within the hour before (repeated); or it was not examined, as too many others were (unexamined)",
            outcomes.map(|(outcome, readings)| (label("outcome", outcome), readings)),
        );
        let waiting = alerts.waiting.iter();
        page.gauges(
            "alerts_waiting",
            "Alerts that wait for a sender, which has not asked for what follows them; no value of one that did not ask for a day",
            waiting.map(|(sender, alerts)| (label("sender", sender), signed(*alerts))),
        );
    }

    fn store(&self, page: &mut MetricsPage) {
        page.gauge(
            "store_revision",
            "Number of the last change of the exemption store; 0 as long as it cannot be read",
            signed(self.store_revision),
        );
        page.gauge(
            "store_writable",
            "1 if the exemption store takes changes, 0 if not",
            i64::from(self.store_is_writable),
        );
        if let Some(taken) = self.store_backup {
            page.gauge(
                "store_backup_timestamp_seconds",
                "Unix time of the newest backup of the exemption store",
                taken.as_second(),
            );
        }
        if let Some(expiry) = self.next_expiry {
            page.gauge(
                "exemptions_next_expiry_timestamp_seconds",
                "Unix time at which the next of the active exemptions expires; no value if none does",
                expiry.as_second(),
            );
        }
    }
}

fn reloads(status: &Status, page: &mut MetricsPage) {
    page.counter(
        "reloads",
        "Reloads that succeeded",
        status.reloads.unwrap_or_default(),
    );
    page.counter(
        "reloads_refused",
        "Reloads that were refused",
        status.refused_reloads.unwrap_or_default(),
    );
    let last = status.last_reload.as_ref();
    // Without a reload, the policy is that of the start.
    page.gauge(
            "last_reload_successful",
            "1 if the last reload succeeded or there was none; 0 if it was refused and an older policy is enforced",
            i64::from(last.is_none_or(|last| last.refused.is_none())),
        );
    if let Some(at) = last.map(|last| last.at).or(status.loaded_at) {
        page.gauge(
                "last_reload_timestamp_seconds",
                "Unix time of the last reload, whether it succeeded or was refused; of the start if there was none",
                at.as_second(),
            );
    }
}

fn interferences_and_faults(status: &Status, page: &mut MetricsPage) {
    let interfaces = status.interfaces.iter();
    page.counters(
        "interface_interferences",
        "How often another process detached or replaced the filter on the interface",
        interfaces.map(|interface| (label("interface", &interface.name), interface.interferences)),
    );
    let lasts = |kind: FaultKind| status.faults.iter().any(|fault| fault.kind == kind);
    page.gauges(
        "fault",
        "1 while the fault lasts, 0 if not; `op25b status` shows what to do",
        FaultKind::ALL
            .iter()
            .map(|kind| (label("kind", kind.name()), i64::from(lasts(*kind)))),
    );
}

/// The history of what subscribers did.
fn history(status: &Status, page: &mut MetricsPage) {
    let history = status.history;
    let fails = status
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::HistoryNotRecorded);
    page.gauge(
        "history_recorded",
        "1 if the history of what subscribers do is recorded, 0 if the policy has none or it cannot be written",
        i64::from(history.is_some() && !fails),
    );
    let Some(history) = history else { return };
    page.gauge(
        "history_max_bytes",
        "How many bytes the file of the history may have",
        signed(history.max_bytes),
    );
    for (name, help, value) in [
        ("history_bytes", "Bytes of the file of the history", history.bytes),
        (
            "history_rows",
            "Rows of the history, each of what one subscriber did in one bucket",
            history.rows,
        ),
    ] {
        page.gauges(name, help, value.map(|value| (Labels::new(), signed(value))));
    }
    page.gauges(
        "history_oldest_timestamp_seconds",
        "Unix time at which the oldest bucket of the history begins; no value while there is none",
        history.oldest.map(|oldest| (Labels::new(), oldest.as_second())),
    );
}
