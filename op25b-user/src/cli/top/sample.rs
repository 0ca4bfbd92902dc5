//! One look at the daemon: its status, what is counted, and the subscribers as far as this user may see them.

use crate::{
    api::ProblemKind,
    daemon::client::{Asked, Client, ClientError, EventFilter},
    report::{Event, RateQuery, Rates, Status, SubscriberRate, SubscriberRates},
};

/// The most subscribers that are looked at.
pub(super) const MOST: usize = 200;
/// The most events: no terminal has more lines.
const EVENTS: usize = 100;

/// What is looked at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) query: RateQuery,
    /// Why, for the daemon, which records who watches subscribers.
    pub(super) reason: Option<String>,
    /// Whether events are looked at as well.
    pub(super) with_events: bool,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) status: Status,
    /// What is counted; nothing while the filter cannot be read.
    pub(super) rates: Option<Rates>,
    /// The subscribers, or why they are missing.
    pub(super) subscribers: Result<Listed, String>,
    /// The newest events, the oldest of them first, or why they are missing; none where the policy has no events, for a user who may
    /// not see subscribers, and if they are not looked at.
    pub(super) events: Option<Result<Vec<Event>, String>>,
}

/// The subscribers.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) remembered: usize,
    pub(super) matching: usize,
    pub(super) active: Option<usize>,
    pub(super) rows: Vec<SubscriberRate>,
}

impl Sample {
    /// Asks the daemon. What it refuses is missing, with the reason, and the rest is there.
    pub(super) async fn take(client: &Client, look: &Look) -> Result<Self, ClientError> {
        let Look { query, reason, .. } = look;
        let (status, subscribers, events) = tokio::join!(
            client.status(),
            client.subscriber_rates(query, reason.as_deref()),
            events(client, look)
        );
        let (status, events) = (status?, events?);
        let refused = match subscribers {
            Ok(seen) => {
                let (rates, listed) = Listed::of(seen);
                return Ok(Self {
                    status,
                    rates: Some(rates),
                    subscribers: Ok(listed),
                    events,
                });
            }
            Err(ClientError::Refused(problem)) => problem,
            Err(error) => return Err(error),
        };
        let rates = match client.rates().await {
            Ok(rates) => Some(rates),
            Err(ClientError::Refused(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            status,
            rates,
            subscribers: Err(refused.detail),
            events: events.filter(Result::is_ok),
        })
    }
}

/// The newest events.
async fn events(client: &Client, look: &Look) -> Result<Option<Result<Vec<Event>, String>>, ClientError> {
    if !look.with_events {
        return Ok(None);
    }
    let filter = EventFilter {
        pool: look.query.pool.clone(),
        within: look.query.within,
        reason: None,
        why: look.reason.clone(),
    };
    match client.events(&filter, Asked::newest(EVENTS)).await {
        Ok(page) => Ok(Some(Ok(page.events))),
        // The policy has none.
        Err(ClientError::Refused(problem)) if problem.is(ProblemKind::Conflict) => Ok(None),
        Err(ClientError::Refused(problem)) => Ok(Some(Err(problem.detail))),
        Err(error) => Err(error),
    }
}

impl Listed {
    fn of(seen: SubscriberRates) -> (Rates, Self) {
        let SubscriberRates {
            rates,
            remembered,
            matching,
            active,
            subscribers,
        } = seen;
        let listed = Self {
            remembered,
            matching,
            active,
            rows: subscribers,
        };
        (rates, listed)
    }
}
