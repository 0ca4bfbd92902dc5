//! Which events somebody wants to see.

use ipnet::IpNet;
use op25b_common::Reason;

use super::Event;

/// The criteria; one without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventQuery {
    /// Those of subscribers of this pool.
    pub(crate) pool: Option<String>,
    /// Those of subscribers in this prefix.
    pub(crate) within: Option<IpNet>,
    /// Those with this reason.
    pub(crate) reason: Option<Reason>,
}

/// The reasons whose packets have events.
const SHOWN: [Reason; 5] = [
    Reason::Blocked,
    Reason::Monitored,
    Reason::Uninspectable,
    Reason::NotPooled,
    Reason::Exempt,
];

/// A reason whose packets have events, by its name.
pub(crate) fn shown_reason(name: &str) -> Result<Reason, String> {
    let mut reasons = SHOWN.into_iter();
    reasons.find(|reason| reason.name() == name).ok_or_else(|| {
        let names = SHOWN.map(Reason::name);
        format!(
            "packets with the reason {name:?} have no events; those with these have: {}",
            names.join(", ")
        )
    })
}

impl EventQuery {
    /// Whether an event matches all criteria.
    pub(crate) fn matches(&self, event: &Event) -> bool {
        let Self { pool, within, reason } = self;
        let is_within = |within: &IpNet| {
            let subscriber = event.subscriber();
            subscriber.is_some_and(|subscriber| within.contains(&subscriber))
        };
        pool.as_ref().is_none_or(|pool| event.pool.as_ref() == Some(pool))
            && within.as_ref().is_none_or(is_within)
            && reason.is_none_or(|reason| event.reason == reason)
    }
}
