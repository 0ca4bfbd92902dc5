//! Which records of subscribers, or which parts of them, are older than the policy keeps them.

use std::collections::HashMap;

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;

use super::{pools::Pools, row::Times};
use crate::{
    datapath::{Description, Erasure},
    policy::{PoolMode, Privacy},
};

/// How records of a pool's subscribers are kept.
#[derive(Clone, Copy)]
struct Kept {
    is_monitored: bool,
    /// Whether the time has passed for which the records of monitoring are kept after the pool is enforced.
    is_monitoring_over: bool,
}

/// What is overdue of each record of a filter. While `is_paused`, nothing of monitoring is taken from records of enforced pools: the pause
/// records there.
pub(crate) fn overdue(
    description: &Description,
    privacy: Privacy,
    is_paused: bool,
) -> nix::Result<impl Fn(IpNet, &Subscriber) -> Erasure> {
    let times = Times::now()?;
    Ok(overdue_at(
        description,
        privacy,
        is_paused,
        Timestamp::now(),
        times,
    ))
}

fn overdue_at(
    description: &Description,
    privacy: Privacy,
    is_paused: bool,
    now: Timestamp,
    times: Times,
) -> impl Fn(IpNet, &Subscriber) -> Erasure {
    let pools = Pools::new(description);
    let kept: HashMap<&str, Kept> = description
        .pools
        .iter()
        .map(|pool| {
            // One that is enforced towards some destinations is monitored towards the others.
            let has_all = pool.phases.is_empty() || pool.phases.iter().any(|phase| phase.only_to == 0);
            let is_enforced = pool.mode != PoolMode::Monitor.name()
                && has_all
                && pool.enforce_from.is_none_or(|from| from <= now);
            let over = pool.enforce_from.zip(privacy.monitor_retain);
            let is_over = over.is_some_and(|(from, retain)| now.duration_since(from) > retain);
            let kept = Kept {
                is_monitored: !is_enforced,
                is_monitoring_over: is_enforced && is_over && !is_paused,
            };
            (pool.name.as_str(), kept)
        })
        .collect();
    move |net, record| {
        let kept = pools.of(net.addr()).and_then(|pool| kept.get(pool).copied());
        let retain = match kept {
            Some(Kept {
                is_monitored: true, ..
            }) => privacy.monitor_retain,
            _ => privacy.retain,
        };
        let has_monitored = record.cold.monitored_syns != 0 || record.cold.monitored_others != 0;
        if retain.is_some_and(|retain| times.since(record.hot.last_seen) > retain) {
            Erasure::Whole
        } else if has_monitored && kept.is_some_and(|kept| kept.is_monitoring_over) {
            Erasure::Monitored
        } else {
            Erasure::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use op25b_common::values::{Cold, Hot};

    use super::*;
    use crate::datapath::{PhaseSummary, PoolSummary};

    const DAY: i64 = 24;

    /// A record whose last packet was so many days ago.
    fn record(times: Times, now: Timestamp, days: i64) -> Subscriber {
        let seen = now - SignedDuration::from_hours(days * DAY);
        Subscriber {
            hot: Hot {
                last_seen: times.seen(seen),
                ..Hot::default()
            },
            cold: Cold {
                monitored_syns: 1,
                ..Cold::default()
            },
            ..Subscriber::default()
        }
    }

    #[test]
    fn each_record_is_kept_as_long_as_its_pools_mode_has_it() {
        let now: Timestamp = "2026-11-29T00:00:00Z".parse().unwrap();
        let times = Times::fake(now, now - SignedDuration::from_hours(400 * DAY));
        let pool = |name: &str, mode: &str, days_ago: Option<i64>| PoolSummary {
            name: name.into(),
            mode: mode.into(),
            prefixes: 1,
            remembered: true,
            enforce_from: days_ago.map(|days| now - SignedDuration::from_hours(days * DAY)),
            phases: Vec::new(),
        };
        let only_to = PhaseSummary {
            from: None,
            only_to: 1,
            sample: None,
        };
        let description = Description {
            pools: vec![
                pool("enforced", "enforce", None),
                pool("watched", "monitor", None),
                pool("dated", "enforce", Some(40)),
                pool("lately", "enforce", Some(20)),
                pool("soon", "enforce", Some(-5)),
                PoolSummary {
                    phases: vec![only_to],
                    ..pool("partly", "enforce", None)
                },
            ],
            pool_prefixes: [
                "192.0.2.0/28",
                "192.0.2.16/28",
                "192.0.2.32/28",
                "192.0.2.48/28",
                "192.0.2.64/28",
                "192.0.2.80/28",
            ]
            .map(|net| vec![net.parse().unwrap()])
            .to_vec(),
            ..Description::new("policy.yaml")
        };
        let privacy = Privacy {
            retain: Some(SignedDuration::from_hours(90 * DAY)),
            monitor_retain: Some(SignedDuration::from_hours(30 * DAY)),
            require_reason: false,
        };
        let overdue = |privacy, is_paused, address: &str, days| {
            let decide = overdue_at(&description, privacy, is_paused, now, times);
            decide(address.parse().unwrap(), &record(times, now, days))
        };
        for (address, days, erasure) in [
            ("192.0.2.1/32", 89, Erasure::Nothing),
            ("192.0.2.1/32", 91, Erasure::Whole),
            ("192.0.2.17/32", 29, Erasure::Nothing),
            ("192.0.2.17/32", 31, Erasure::Whole),
            ("192.0.2.33/32", 5, Erasure::Monitored),
            ("192.0.2.33/32", 91, Erasure::Whole),
            ("192.0.2.49/32", 31, Erasure::Nothing),
            ("192.0.2.65/32", 29, Erasure::Nothing),
            ("192.0.2.65/32", 31, Erasure::Whole),
            ("192.0.2.81/32", 31, Erasure::Whole),
            ("198.51.100.1/32", 91, Erasure::Whole),
        ] {
            assert_eq!(
                overdue(privacy, false, address, days),
                erasure,
                "{address} {days}"
            );
        }
        assert_eq!(overdue(privacy, true, "192.0.2.33/32", 5), Erasure::Nothing);
        let forever = Privacy {
            retain: None,
            monitor_retain: None,
            require_reason: false,
        };
        assert_eq!(overdue(forever, false, "192.0.2.33/32", 399), Erasure::Nothing);
    }
}
