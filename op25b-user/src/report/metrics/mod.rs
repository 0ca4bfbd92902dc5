//! The metrics of a daemon, or of what the kernel enforces without one, in Prometheus's formats.

mod daemon;
mod format;
mod packets;
mod page;

use std::fmt;

use self::page::{MetricsPage, label, signed};
pub use self::{daemon::DaemonMetrics, format::MetricsFormat};
use super::{
    enforcement::{Enforcement, InterfaceState},
    status::{FilterStatus, PoolWord, Status},
};
use crate::{datapath::Counters, policy::Role};

/// The values at one moment. What nobody knows without a daemon has no series then.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// What is wanted and what is enforced.
    pub status: Status,
    /// The filter in the kernel, with all the interfaces that it was attached to; none if it runs nowhere.
    pub filter: Option<FilterStatus>,
    /// What only a daemon knows; none if no daemon answers.
    pub daemon: Option<DaemonMetrics>,
}

impl Metrics {
    /// The metrics of what the kernel shows, where no daemon answers.
    #[must_use]
    pub fn of_kernel(status: Status) -> Self {
        let filter = status.filter.clone().or_else(|| status.filters.first().cloned());
        Self {
            status,
            filter,
            daemon: None,
        }
    }

    /// The text of the page, with its families and their series in the order of their names and labels.
    pub fn to_text(&self, format: MetricsFormat) -> Result<String, fmt::Error> {
        let mut page = MetricsPage::default();
        page.gauge(
            "up",
            "1 if the daemon answers, 0 if the other series are what the kernel shows without one",
            i64::from(self.daemon.is_some()),
        );
        if let Some(filter) = &self.filter {
            self.packets(filter, &mut page);
            filter.write_packets(&mut page);
            page.gauge(
                "map_bytes",
                "Kernel memory of the filter's maps in bytes, about",
                signed(filter.map_bytes),
            );
            if let Some(generation) = filter
                .interfaces
                .iter()
                .map(|interface| interface.program_id)
                .max()
            {
                page.gauge(
                    "generation",
                    "Id of the newest program that runs: another one after each load",
                    i64::from(generation),
                );
            }
            page.gauge("relays", "Relays of the policy", signed(filter.relays));
        }
        self.policy(&mut page);
        self.pools(&mut page);
        self.interfaces(&mut page);
        if let Some(daemon) = &self.daemon {
            daemon.write(&self.status, &mut page);
        }
        page.into_text(format)
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
                let labels = vec![("role", role.name().into()), ("reason", reason.name().into())];
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
            let mut frames: Vec<_> = interface.not_ip.iter().collect();
            // Which are the most frequent changes.
            frames.sort_unstable_by_key(|(kind, _)| *kind);
            frames.into_iter().map(|(kind, packets)| {
                let labels = vec![
                    ("interface", interface.name.clone().into()),
                    ("ethertype", kind.to_string().into()),
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
                "IPv6 packets without a record of their subscriber, of the pools with more subscribers than there are records for: one was \
                 created (begun), or there was no room for one (lost)",
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
            ("version", version.clone().into()),
            ("file", file.display().to_string().into()),
            ("sha256", sha256.clone().into()),
        ];
        page.info(
            "policy",
            "1, labelled with the version of op25b, the policy file and the SHA-256 of the policy that is enforced",
            labels,
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
        let states = InterfaceState::ALL;
        page.gauges(
            "interface_state",
            "1 for the state of the interface: the filter runs there (enforced), no interface bears the name (missing), another process \
             took the filter off (lost), it is not attached (unfiltered), or the kernel could not be asked (unknown)",
            interfaces().flat_map(|interface| {
                states.map(|state| {
                    let mut labels = label("interface", &interface.name);
                    labels.push(("state", state.name().into()));
                    (labels, i64::from(interface.state == state))
                })
            }),
        );
        page.gauges(
            "interface_xdp_mode",
            "1, labelled with the mode in which the filter runs on the interface; no value while it does not",
            interfaces().filter_map(|interface| {
                let mut labels = label("interface", &interface.name);
                labels.push(("mode", interface.xdp.clone()?.into()));
                Some((labels, 1))
            }),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::Pause,
        report::{PoolState, PoolStatus},
    };

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
        let page = Metrics::of_kernel(status).to_text(MetricsFormat::Text).unwrap();
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
        let page = Metrics::of_kernel(Status::nothing())
            .to_text(MetricsFormat::Text)
            .unwrap();
        let values: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "op25b_state{state=\"enforced\"} 0",
            "op25b_state{state=\"degraded\"} 0",
            "op25b_state{state=\"open\"} 1",
            "op25b_up 0",
        ];
        assert_eq!(values, expected);
    }
}
