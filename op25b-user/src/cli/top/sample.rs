//! One look at the daemon: its status, what is counted, and the subscribers as far as this user may see them.

use crate::{
    daemon::client::{Client, ClientError},
    report::{RateQuery, Rates, Status, SubscriberRate, SubscriberRates},
};

/// The most subscribers that are looked at.
pub(super) const MOST: usize = 200;

/// What is looked at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) query: RateQuery,
    /// Why, for the daemon, which records who watches subscribers.
    pub(super) reason: Option<String>,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) status: Status,
    /// What is counted; nothing while the filter cannot be read.
    pub(super) rates: Option<Rates>,
    /// The subscribers, or why they are missing.
    pub(super) subscribers: Result<Listed, String>,
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
        let Look { query, reason } = look;
        let (status, subscribers) =
            tokio::join!(client.status(), client.subscriber_rates(query, reason.as_deref()));
        let status = status?;
        let refused = match subscribers {
            Ok(seen) => {
                let (rates, listed) = Listed::of(seen);
                return Ok(Self {
                    status,
                    rates: Some(rates),
                    subscribers: Ok(listed),
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
        })
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
