//! The document of `op25b top --json`.

use jiff::Timestamp;
use serde::Serialize;

use super::super::{
    per_second::{Recently, of_recent, reasons},
    sample::Sample,
};
use crate::report::{Enforcement, InterfaceReport, Rates, SubscriberRow};

/// What goes on.
#[derive(Debug, Serialize)]
pub(super) struct Top {
    /// When it was read.
    at: Timestamp,
    /// Whether the policy is enforced on its interfaces.
    state: Enforcement,
    /// Packets by reason; empty while the filter cannot be read.
    reasons: Vec<OfReason>,
    pools: Vec<OfPool>,
    interfaces: Vec<InterfaceReport>,
    /// None if this user may not see them, or the filter cannot be read.
    subscribers: Option<Subscribers>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_no_subscribers: Option<String>,
}

#[derive(Debug, Serialize)]
struct OfReason {
    role: &'static str,
    reason: &'static str,
    packets: u64,
    /// None if it is not known.
    per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
struct OfPool {
    pool: String,
    /// Without records of its subscribers nothing else is known.
    remembered: bool,
    subscribers: usize,
    active: Option<usize>,
    per_second: Option<PerSecond>,
}

#[derive(Debug, Serialize)]
struct Subscribers {
    remembered: usize,
    matching: usize,
    active: Option<usize>,
    items: Vec<Subscriber>,
}

#[derive(Debug, Serialize)]
struct Subscriber {
    #[serde(flatten)]
    record: SubscriberRow,
    per_second: Option<PerSecond>,
}

#[derive(Debug, Serialize)]
struct PerSecond {
    blocked: f64,
    monitored: f64,
    hidden: f64,
}

impl Top {
    /// Of two samples, one after the other.
    pub(super) fn of(before: &Sample, now: &Sample) -> Self {
        let rates = now.rates.as_ref();
        let measured = rates.and_then(|rates| rates.measured_ms);
        let reasons = rates.map(|rates| reasons(before.rates.as_ref(), rates));
        let reasons = reasons.into_iter().flatten().map(|rate| OfReason {
            role: rate.role.name(),
            reason: rate.reason.name(),
            packets: rate.packets,
            per_second: rate.per_second.map(rounded),
        });
        let pools = rates.into_iter().flat_map(|rates| &rates.pools);
        let pools = pools.map(|pool| OfPool {
            pool: pool.pool.clone(),
            remembered: pool.remembered,
            subscribers: pool.subscribers,
            active: pool.active,
            per_second: of_recent(pool.recent, measured).map(PerSecond::from),
        });
        let subscribers = now.subscribers.as_ref().map(|listed| Subscribers {
            remembered: listed.remembered,
            matching: listed.matching,
            active: listed.active,
            items: listed
                .rows
                .iter()
                .map(|row| Subscriber {
                    record: row.record.clone(),
                    per_second: of_recent(row.recent, measured).map(PerSecond::from),
                })
                .collect(),
        });
        let at = |rates: &Rates| rates.at;
        Self {
            at: rates.map_or_else(Timestamp::now, at),
            state: now.status.state,
            reasons: reasons.collect(),
            pools: pools.collect(),
            interfaces: now.status.interfaces.clone(),
            why_no_subscribers: subscribers.as_ref().err().map(ToString::to_string),
            subscribers: subscribers.ok(),
        }
    }
}

impl From<Recently> for PerSecond {
    fn from(recently: Recently) -> Self {
        Self {
            blocked: rounded(recently.blocked),
            monitored: rounded(recently.monitored),
            hidden: rounded(recently.hidden),
        }
    }
}

/// To thousandths.
fn rounded(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}
