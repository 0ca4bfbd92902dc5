//! The metrics of a daemon, or of what the kernel enforces without one, in Prometheus's text format.

use std::fmt;

use jiff::Timestamp;
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    enforcement::{Enforcement, InterfaceState},
    status::{FilterStatus, PoolWord, Status},
};
use crate::{
    datapath::{Counters, NotIp},
    fault::FaultKind,
    policy::Role,
};

/// The type of a page, for HTTP.
pub(crate) const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The values at one moment. What nobody knows without a daemon has no series then.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// What is wanted and what is enforced.
    pub status: Status,
    /// The filter in the kernel, with all the interfaces that it was attached to; none if it runs nowhere.
    pub filter: Option<FilterStatus>,
    /// When the daemon was started; none if no daemon answers.
    pub started_at: Option<Timestamp>,
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
    /// The metrics of what the kernel shows, where no daemon answers.
    #[must_use]
    pub fn of_kernel(status: Status) -> Self {
        let filter = status.filter.clone().or_else(|| status.filters.first().cloned());
        Self {
            status,
            filter,
            started_at: None,
        }
    }

    /// The text of the page, with its families and their series in the order of their names and labels.
    pub fn to_text(&self) -> Result<String, fmt::Error> {
        let mut page = MetricsPage(Registry::with_prefix("op25b"));
        page.gauge(
            "up",
            "1 if the daemon answers, 0 if the other series are what the kernel shows without one",
            i64::from(self.started_at.is_some()),
        );
        if let Some(filter) = &self.filter {
            self.packets(filter, &mut page);
            page.gauge(
                "map_bytes",
                "Kernel memory of the filter's maps in bytes, about",
                signed(filter.map_bytes),
            );
            page.gauge("relays", "Relays of the policy", signed(filter.relays));
        }
        self.policy(&mut page);
        self.pools(&mut page);
        self.interfaces(&mut page);
        if let Some(started_at) = self.started_at {
            self.reloads(&mut page);
            self.daemon(started_at, &mut page);
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &page.0)?;
        Ok(sorted(&text))
    }

    fn packets(&self, filter: &FilterStatus, page: &mut MetricsPage) {
        let has = |role: Role| {
            let mut interfaces = self.status.interfaces.iter();
            // An earlier version does not describe them.
            interfaces.any(|interface| interface.role.as_deref().is_none_or(|of| of == role.name()))
        };
        let subscriber = has(Role::Subscriber).then_some((Role::Subscriber, &filter.counters));
        let uplink = filter.uplink_counters.as_ref();
        let uplink = uplink.map(|counters| (Role::Uplink, counters));
        let by_role = subscriber.into_iter().chain(uplink);
        let packets = by_role.flat_map(|(role, counters): (Role, &Counters)| {
            counters.iter().map(move |(reason, packets)| {
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
        let not_ip = filter.interfaces.iter();
        let not_ip = not_ip.flat_map(|interface| {
            let frames: &NotIp = &interface.not_ip;
            frames.iter().map(|(kind, packets)| {
                let labels = vec![
                    ("interface", interface.name.clone()),
                    ("ethertype", kind.to_string()),
                ];
                (labels, packets)
            })
        });
        page.counters(
            "not_ip_packets",
            "Frames that are not IP by the last EtherType: llc for those with a length field instead, other for those beyond the \
             first 16 EtherTypes of a CPU",
            not_ip,
        );
        if let Some(misses) = filter.ipv6_misses {
            page.counters(
                "ipv6_subscriber_misses",
                "IPv6 packets without a record of their subscriber: one was created (begun), or there was no room for one (lost)",
                [
                    (label("result", "begun"), misses.begun),
                    (label("result", "lost"), misses.lost),
                ],
            );
        }
        // The count of the load is not what applies now.
        if !filter.exemptions.as_loaded {
            page.gauges(
                "exemptions",
                "Exemptions that are active and that have expired",
                [
                    (label("state", "active"), signed(filter.exemptions.active)),
                    (label("state", "expired"), signed(filter.exemptions.expired)),
                ],
            );
        }
    }

    fn policy(&self, page: &mut MetricsPage) {
        let Status {
            version: Some(version),
            policy_file: Some(file),
            policy_sha256: Some(sha256),
            loaded_at: Some(loaded_at),
            ..
        } = &self.status
        else {
            return;
        };
        let labels = vec![
            ("version", version.clone()),
            ("file", file.display().to_string()),
            ("sha256", sha256.clone()),
        ];
        page.gauges(
            "policy_info",
            "1, labelled with the version of op25b, the policy file and the SHA-256 of the policy that is enforced",
            [(labels, 1)],
        );
        page.gauge(
            "policy_loaded_timestamp_seconds",
            "Unix time at which the policy that is enforced was loaded",
            loaded_at.as_second(),
        );
        page.gauge("pools", "Pools of the policy", signed(self.status.pools.len()));
    }

    fn pools(&self, page: &mut MetricsPage) {
        let pools = self.status.pools.iter();
        let known = pools.clone().filter_map(|pool| Some((pool, pool.actual?)));
        page.gauges(
            "pool_enforced",
            "1 if the tables in the kernel enforce the pool, also if only towards the destinations of its phases that have begun; 0 \
             if they monitor it",
            known.clone().map(|(pool, actual)| {
                let is_enforced = [PoolWord::Enforce, PoolWord::Partial].contains(&actual.mode);
                (label("pool", &pool.name), i64::from(is_enforced))
            }),
        );
        page.gauges(
            "pool_partial",
            "1 if the tables in the kernel enforce the pool towards the destinations of its phases that have begun and monitor it \
             towards others, 0 if not",
            known.map(|(pool, actual)| {
                let is_partial = actual.mode == PoolWord::Partial;
                (label("pool", &pool.name), i64::from(is_partial))
            }),
        );
        if self.status.policy_file.is_none() {
            return;
        }
        page.gauge(
            "pauses",
            "Pauses that are in force: pools, or everything, are only monitored for a while",
            signed(self.status.pauses.len()),
        );
        page.gauges(
            "pool_paused",
            "1 while the pool is only monitored for a pause, 0 if not",
            pools
                .clone()
                .map(|pool| (label("pool", &pool.name), i64::from(pool.is_paused()))),
        );
        let during_pause = pools.filter(|pool| pool.is_paused());
        page.gauges(
            "pool_pause_end_timestamp_seconds",
            "Unix time at which the pause of the pool ends by itself; no value while there is none, or for one that lasts until it is \
             resumed",
            during_pause.clone().filter_map(|pool| {
                let until = pool.wanted?.until?;
                Some((label("pool", &pool.name), until.as_second()))
            }),
        );
        page.gauges(
            "pool_pause_start_timestamp_seconds",
            "Unix time at which the pause of the pool began; no value while there is none",
            during_pause.filter_map(|pool| {
                let mut pauses = self.status.pauses.iter();
                let pause = pauses.find(|pause| pause.concerns(&pool.name))?;
                Some((label("pool", &pool.name), pause.at.as_second()))
            }),
        );
    }

    fn reloads(&self, page: &mut MetricsPage) {
        let status = &self.status;
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

    fn interfaces(&self, page: &mut MetricsPage) {
        page.gauges(
            "state",
            "1 for the state of enforcement: on every interface of the policy (enforced), on some (degraded), on none (open)",
            Enforcement::ALL.map(|state| (label("state", state.name()), i64::from(state == self.status.state))),
        );
        let interfaces = || self.status.interfaces.iter();
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
    }

    /// What only the daemon knows.
    fn daemon(&self, started_at: Timestamp, page: &mut MetricsPage) {
        let interfaces = self.status.interfaces.iter();
        page.counters(
            "interface_interferences",
            "How often another process detached or replaced the filter on the interface",
            interfaces.map(|interface| (label("interface", &interface.name), interface.interferences)),
        );
        let lasts = |kind: FaultKind| self.status.faults.iter().any(|fault| fault.kind == kind);
        page.gauges(
            "fault",
            "1 while the fault lasts, 0 if not; `op25b status` shows what to do",
            FaultKind::ALL
                .iter()
                .map(|kind| (label("kind", kind.name()), i64::from(lasts(*kind)))),
        );
        page.gauge(
            "start_time_seconds",
            "Unix time at which the daemon was started",
            started_at.as_second(),
        );
    }
}

/// A page with its families in the order of their names, and the series of each in the order of their labels: the encoder's is that of
/// a hash table, another one each time. A family without a series is left out.
fn sorted(page: &str) -> String {
    let mut families: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for line in page.lines() {
        if line.starts_with("# HELP ") {
            families.push((Vec::new(), Vec::new()));
        }
        if let Some((head, series)) = families.last_mut() {
            if line.starts_with('#') {
                head.push(line);
            } else {
                series.push(line);
            }
        }
    }
    families.retain(|(_, series)| !series.is_empty());
    families.sort();
    let mut text = String::new();
    for (head, mut series) in families {
        series.sort_unstable();
        for line in head.into_iter().chain(series) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::Pause,
        report::{PoolState, PoolStatus},
    };

    #[test]
    fn families_and_series_have_an_order_and_a_family_without_series_is_left_out() {
        let page = "# HELP op25b_b_total B.\n# TYPE op25b_b_total counter\nop25b_b_total{x=\"2\"} 1\nop25b_b_total{x=\"1\"} 3\n\
            # HELP op25b_none N.\n# TYPE op25b_none gauge\n# HELP op25b_a A.\n# TYPE op25b_a gauge\nop25b_a 7\n";
        let expected = "# HELP op25b_a A.\n# TYPE op25b_a gauge\nop25b_a 7\n# HELP op25b_b_total B.\n\
            # TYPE op25b_b_total counter\nop25b_b_total{x=\"1\"} 3\nop25b_b_total{x=\"2\"} 1\n";
        assert_eq!(sorted(page), expected);
    }

    #[test]
    fn a_pause_has_series_and_the_policy_keeps_the_time_of_its_load() {
        let pause = Pause::fake(Some("mobile"));
        let state = |mode, until| Some(PoolState { mode, until });
        let pool = |name: &str, wanted| PoolStatus {
            name: name.to_owned(),
            mode: "enforce".to_owned(),
            prefixes: 1,
            remembered: true,
            enforce_from: None,
            phases: Vec::new(),
            wanted,
            actual: None,
        };
        let status = Status {
            policy_file: Some("/etc/op25b/policy.yaml".into()),
            pools: vec![
                pool("homes", state(PoolWord::Enforce, None)),
                pool("mobile", state(PoolWord::Monitor, pause.until)),
            ],
            pauses: vec![pause],
            ..Status::nothing()
        };
        let page = Metrics::of_kernel(status).to_text().unwrap();
        let pauses = page
            .lines()
            .filter(|line| line.starts_with("op25b_p") && line.contains("pause"));
        let expected = [
            "op25b_pauses 1",
            "op25b_pool_pause_end_timestamp_seconds{pool=\"mobile\"} 1795890600",
            "op25b_pool_pause_start_timestamp_seconds{pool=\"mobile\"} 1795888800",
            "op25b_pool_paused{pool=\"homes\"} 0",
            "op25b_pool_paused{pool=\"mobile\"} 1",
        ];
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn without_a_daemon_and_a_filter_the_page_says_so_and_no_more() {
        let page = Metrics::of_kernel(Status::nothing()).to_text().unwrap();
        let values: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "op25b_state{state=\"degraded\"} 0",
            "op25b_state{state=\"enforced\"} 0",
            "op25b_state{state=\"open\"} 1",
            "op25b_up 0",
        ];
        assert_eq!(values, expected);
    }
}
