//! The metrics of a daemon, in Prometheus's text format: the answer to `GET /v1/metrics`.

use std::fmt;

use jiff::Timestamp;
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    daemon::DaemonReport,
    enforcement::{Enforcement, InterfaceState},
};
use crate::{
    datapath::{Counters, Misses, NotIp},
    fault::FaultKind,
    policy::Role,
};

/// The values at one moment.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The daemon's own report.
    pub report: DaemonReport,
    /// When the daemon was started.
    pub started_at: Timestamp,
    /// How many pools its policy has.
    pub pools: usize,
    /// How many relays.
    pub relays: usize,
    /// How many exemptions are active.
    pub active_exemptions: usize,
    /// How many exemptions have expired.
    pub expired_exemptions: usize,
    /// Counters by the role of the interface.
    pub counters: Vec<(Role, Counters)>,
    /// Frames that are not IP by the interface's name in the policy.
    pub not_ip: Vec<(String, NotIp)>,
    /// How often IPv6 packets found no record of their subscriber.
    pub misses: Misses,
    /// Bytes of kernel memory that the filter's maps hold.
    pub map_bytes: u64,
}

/// The labels of one value.
type Labels = Vec<(&'static str, String)>;

/// A registry of values that were counted elsewhere.
struct MetricsPage(Registry);

impl MetricsPage {
    /// Registers counters. The name has no `_total`: the encoder appends it.
    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, i64)>) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(Labels::new(), value)]);
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) {
        self.gauges(name, help, [(Labels::new(), value)]);
    }
}

fn label(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn signed(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

impl Metrics {
    /// The text of the page.
    pub fn to_text(&self) -> Result<String, fmt::Error> {
        let mut page = MetricsPage(Registry::with_prefix("op25b"));
        self.packets(&mut page);
        self.policy(&mut page);
        self.reloads(&mut page);
        self.interfaces(&mut page);
        self.faults(&mut page);
        page.gauge(
            "map_bytes",
            "Kernel memory of the filter's maps in bytes, about",
            signed(self.map_bytes),
        );
        page.gauge(
            "start_time_seconds",
            "Unix time at which the daemon was started",
            self.started_at.as_second(),
        );
        let mut text = String::new();
        prometheus_text::encode(&mut text, &page.0)?;
        Ok(text)
    }

    fn packets(&self, page: &mut MetricsPage) {
        let packets = self.counters.iter().flat_map(|(role, counters)| {
            counters.iter().map(|(reason, packets)| {
                let labels = vec![
                    ("role", role.name().to_owned()),
                    ("reason", reason.name().to_owned()),
                ];
                (labels, packets)
            })
        });
        page.counters(
            "packets",
            "Packets by the role of the interface and the reason of the verdict",
            packets,
        );
        let not_ip = self.not_ip.iter().flat_map(|(interface, frames)| {
            frames.iter().map(|(kind, packets)| {
                let labels = vec![("interface", interface.clone()), ("ethertype", kind.to_string())];
                (labels, packets)
            })
        });
        page.counters(
            "not_ip_packets",
            "Frames that are not IP by the last EtherType: llc for those with a length field instead, other for those beyond the \
             first 16 EtherTypes of a CPU",
            not_ip,
        );
        page.counters(
            "ipv6_subscriber_misses",
            "IPv6 packets without a record of their subscriber: one was created (begun), or there was no room for one (lost)",
            [
                (label("result", "begun"), self.misses.begun),
                (label("result", "lost"), self.misses.lost),
            ],
        );
    }

    fn policy(&self, page: &mut MetricsPage) {
        let report = &self.report;
        let labels = vec![
            ("version", report.version.clone()),
            ("file", report.policy_file.display().to_string()),
            ("sha256", report.policy_sha256.clone()),
        ];
        page.gauges(
            "policy_info",
            "1, labelled with the version of op25b, the policy file and the SHA-256 of the policy that is enforced",
            [(labels, 1)],
        );
        page.gauge(
            "policy_loaded_timestamp_seconds",
            "Unix time at which the policy that is enforced was loaded",
            report.loaded_at.as_second(),
        );
        page.gauge("pools", "Pools of the policy", signed(self.pools));
        page.gauge("relays", "Relays of the policy", signed(self.relays));
        page.gauges(
            "exemptions",
            "Exemptions that are active and that have expired",
            [
                (label("state", "active"), signed(self.active_exemptions)),
                (label("state", "expired"), signed(self.expired_exemptions)),
            ],
        );
    }

    fn reloads(&self, page: &mut MetricsPage) {
        let report = &self.report;
        page.counter("reloads", "Reloads that succeeded", report.reloads);
        page.counter(
            "reloads_refused",
            "Reloads that were refused",
            report.refused_reloads,
        );
        let last = report.last_reload.as_ref();
        // Without a reload, the policy is that of the start.
        page.gauge(
            "last_reload_successful",
            "1 if the last reload succeeded or there was none; 0 if it was refused and an older policy is enforced",
            i64::from(last.is_none_or(|last| last.refused.is_none())),
        );
        page.gauge(
            "last_reload_timestamp_seconds",
            "Unix time of the last reload, whether it succeeded or was refused; of the start if there was none",
            last.map_or(report.loaded_at, |last| last.at).as_second(),
        );
    }

    fn interfaces(&self, page: &mut MetricsPage) {
        page.gauges(
            "state",
            "1 for the state of enforcement: on every interface of the policy (enforced), on some (degraded), on none (open)",
            Enforcement::ALL.map(|state| (label("state", state.name()), i64::from(state == self.report.state))),
        );
        let interfaces = || self.report.interfaces.iter();
        page.gauges(
            "interface_enforced",
            "1 if the filter runs on the interface, 0 if not",
            interfaces().map(|interface| {
                let enforced = interface.state == InterfaceState::Enforced;
                (label("interface", &interface.name), i64::from(enforced))
            }),
        );
        page.gauges(
            "interface_xdp_mode",
            "1, labelled with the mode in which the filter runs on the interface; no value while it does not",
            interfaces().filter_map(|interface| {
                let mut labels = label("interface", &interface.name);
                labels.push(("mode", interface.xdp.clone()?));
                Some((labels, 1))
            }),
        );
        page.counters(
            "interface_interferences",
            "How often another process detached or replaced the filter on the interface",
            interfaces().map(|interface| (label("interface", &interface.name), interface.interferences)),
        );
    }

    fn faults(&self, page: &mut MetricsPage) {
        let lasts = |kind: FaultKind| self.report.faults.iter().any(|fault| fault.kind == kind);
        page.gauges(
            "fault",
            "1 while the fault lasts, 0 if not; `op25b status` shows what to do",
            FaultKind::ALL
                .iter()
                .map(|kind| (label("kind", kind.name()), i64::from(lasts(*kind)))),
        );
    }
}
