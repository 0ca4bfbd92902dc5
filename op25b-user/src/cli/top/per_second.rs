//! Rates: what was counted between two readings by the time between them.

use op25b_common::Reason;

use crate::{
    datapath::Counters,
    policy::Role,
    report::{Rates, Recent},
};

/// The packets of one reason on the interfaces of one role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ReasonRate {
    pub(super) role: Role,
    pub(super) reason: Reason,
    /// All of them.
    pub(super) packets: u64,
    /// Those of a second; none if it is not known.
    pub(super) per_second: Option<f64>,
}

impl ReasonRate {
    /// Its name, for people: most routers have no uplink interface in the policy.
    pub(super) fn name(&self) -> String {
        match self.role {
            Role::Subscriber => self.reason.name().to_owned(),
            Role::Uplink => format!("{} {}", self.role.name(), self.reason.name()),
        }
    }
}

/// The reasons that have packets and `blocked`, those of the end of the verdict table first: they are the ones that matter.
pub(super) fn reasons(before: Option<&Rates>, now: &Rates) -> Vec<ReasonRate> {
    let of = |rates: &Rates| {
        let uplink = rates.uplink_counters.clone();
        [
            (Role::Subscriber, Some(rates.counters.clone())),
            (Role::Uplink, uplink),
        ]
    };
    let seconds = before.and_then(|before| seconds_between(before.clock_ms, now.clock_ms));
    // Counters that are less than before are those of another filter: what was counted since is not known of any of them.
    let is_same = before.is_some_and(|before| {
        let pairs = of(before).into_iter().zip(of(now));
        pairs
            .into_iter()
            .all(|((_, before), (_, now))| goes_on(before.as_ref(), now.as_ref()))
    });
    let mut rates = Vec::new();
    for (role, counters) in of(now) {
        let then = before.and_then(|before| match role {
            Role::Subscriber => Some(&before.counters),
            Role::Uplink => before.uplink_counters.as_ref(),
        });
        for reason in Reason::ALL.into_iter().rev() {
            let Some(counters) = &counters else { continue };
            let packets = counters.packets(reason);
            let is_shown = packets > 0 || (role, reason) == (Role::Subscriber, Reason::Blocked);
            if !reason.is_counted() || !is_shown {
                continue;
            }
            let counted = then
                .filter(|_| is_same)
                .and_then(|then| packets.checked_sub(then.packets(reason)));
            rates.push(ReasonRate {
                role,
                reason,
                packets,
                per_second: counted
                    .zip(seconds)
                    .map(|(counted, seconds)| by(counted, seconds)),
            });
        }
    }
    rates
}

/// Whether counters may be those of the same filter, later.
fn goes_on(before: Option<&Counters>, now: Option<&Counters>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => now
            .iter()
            .all(|(reason, packets)| packets >= before.packets(reason)),
        _ => true,
    }
}

/// The seconds between two readings of a clock that is never set; none if the machine was started between them.
fn seconds_between(before: u64, now: u64) -> Option<f64> {
    let between = now.checked_sub(before).filter(|between| *between > 0)?;
    Some(seconds(between))
}

/// Packets of a second, of what was measured.
pub(super) fn of_recent(recent: Option<Recent>, measured_ms: Option<u64>) -> Option<Recently> {
    let (recent, measured) = recent.zip(measured_ms.filter(|measured| *measured > 0))?;
    let seconds = seconds(measured);
    Some(Recently {
        blocked: by(recent.blocked, seconds),
        monitored: by(recent.monitored, seconds),
        hidden: by(recent.hidden, seconds),
    })
}

/// Packets of a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Recently {
    pub(super) blocked: f64,
    pub(super) monitored: f64,
    pub(super) hidden: f64,
}

impl Recently {
    /// All of them.
    pub(super) fn packets(self) -> f64 {
        self.blocked + self.monitored + self.hidden
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn by(packets: u64, seconds: f64) -> f64 {
    packets as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rates(clock_ms: u64, blocked: u64, exempt: u64, uplink: Option<u64>) -> Rates {
        let uplink = uplink.map(|packets| json!({ "relay": packets }));
        serde_json::from_value(json!({
            "at": "2026-11-29T03:00:00Z", "clock_ms": clock_ms, "measured_ms": null, "pools": [],
            "counters": { "blocked": blocked, "exempt": exempt, "relay": 7 }, "uplink_counters": uplink,
        }))
        .unwrap()
    }

    fn shown(before: Option<&Rates>, now: &Rates) -> Vec<(String, u64, Option<f64>)> {
        let rates = reasons(before, now).into_iter();
        rates
            .map(|rate| (rate.name(), rate.packets, rate.per_second))
            .collect()
    }

    #[test]
    fn a_rate_is_the_difference_of_two_readings_by_the_time_between_them() {
        let (before, now) = (rates(10_000, 100, 5, Some(3)), rates(12_000, 700, 5, Some(4)));
        assert_eq!(
            shown(Some(&before), &now),
            [
                ("blocked".to_owned(), 700, Some(300.0)),
                ("exempt".to_owned(), 5, Some(0.0)),
                ("relay".to_owned(), 7, Some(0.0)),
                ("uplink relay".to_owned(), 4, Some(0.5)),
            ]
        );
        assert_eq!(shown(None, &now)[0], ("blocked".to_owned(), 700, None));
    }

    #[test]
    fn no_rate_is_shown_of_counters_that_began_anew_or_of_a_clock_that_did() {
        let before = rates(10_000, 1_000_000, 5, None);
        // Another filter, that has counted less of one reason and much more of another.
        let other = rates(11_000, 20, 4_000_000, None);
        assert!(
            shown(Some(&before), &other)
                .iter()
                .all(|(.., rate)| rate.is_none())
        );
        // The machine was started.
        let started = rates(500, 2_000_000, 5, None);
        assert!(
            shown(Some(&before), &started)
                .iter()
                .all(|(.., rate)| rate.is_none())
        );
        assert!(
            shown(Some(&before), &before)
                .iter()
                .all(|(.., rate)| rate.is_none())
        );
        // And then they go on.
        let later = rates(12_000, 30, 4_000_000, None);
        assert_eq!(shown(Some(&other), &later)[0].2, Some(10.0));
    }

    #[test]
    fn an_uplink_that_appears_has_no_rate_before_the_second_reading() {
        let (before, now) = (rates(10_000, 100, 5, None), rates(11_000, 101, 5, Some(900)));
        let shown = shown(Some(&before), &now);
        assert_eq!((shown[0].2, shown[3].2), (Some(1.0), None));
    }

    #[test]
    fn what_was_measured_is_of_the_time_that_it_was_measured_in() {
        let recent = Recent {
            blocked: 30,
            monitored: 3,
            hidden: 0,
        };
        let rate = of_recent(Some(recent), Some(1500)).unwrap();
        assert_eq!((rate.blocked, rate.monitored, rate.packets()), (20.0, 2.0, 22.0));
        assert_eq!(of_recent(Some(recent), None), None);
        assert_eq!(of_recent(None, Some(1500)), None);
    }
}
