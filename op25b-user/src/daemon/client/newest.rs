//! The client's requests for the newest events and alerts, and for those that follow.

use ipnet::IpNet;
use jiff::SignedDuration;
use op25b_common::Reason;
use serde::de::DeserializeOwned;

use super::{
    call::{Call, ClientError},
    requests::{Client, with_query},
};
use crate::{
    api::duration_text,
    report::{AlertPage, EventPage},
};

/// The filters of events; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// Those of this pool.
    pub(crate) pool: Option<String>,
    /// Those of subscribers in this prefix.
    pub(crate) within: Option<IpNet>,
    /// Those with this reason.
    pub(crate) reason: Option<Reason>,
    /// Why they are read.
    pub(crate) why: Option<String>,
}

/// The filters of alerts; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlertFilter {
    /// Those about subscribers of this pool.
    pub(crate) pool: Option<String>,
    /// Those about subscribers in this prefix.
    pub(crate) within: Option<IpNet>,
    /// The name of who sends them to somebody.
    pub(crate) sender: Option<String>,
    /// Why they are read.
    pub(crate) reason: Option<String>,
}

/// Which page: the newest or, after a number, the next ones, for which the daemon waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The number.
    pub(crate) after: Option<u64>,
    /// How long the daemon waits.
    pub(crate) wait: Option<SignedDuration>,
    /// The most items.
    pub(crate) limit: usize,
}

impl Asked {
    /// The newest, at most so many.
    pub(crate) const fn newest(limit: usize) -> Self {
        Self {
            after: None,
            wait: None,
            limit,
        }
    }
}

impl Client {
    /// Events of packets.
    pub(crate) async fn events(&self, filter: &EventFilter, asked: Asked) -> Result<EventPage, ClientError> {
        let EventFilter {
            pool,
            within,
            reason,
            why,
        } = filter;
        let criteria = [
            ("pool", pool.clone()),
            ("in", within.map(|within| within.to_string())),
            ("reason", reason.map(|reason| reason.name().to_owned())),
            ("why", why.clone()),
        ];
        self.newest("/v1/events", criteria, asked).await
    }

    /// Alerts about subscribers.
    pub(crate) async fn alerts(&self, filter: &AlertFilter, asked: Asked) -> Result<AlertPage, ClientError> {
        let AlertFilter {
            pool,
            within,
            sender,
            reason,
        } = filter;
        let criteria = [
            ("pool", pool.clone()),
            ("in", within.map(|within| within.to_string())),
            ("sender", sender.clone()),
            ("reason", reason.clone()),
        ];
        self.newest("/v1/alerts", criteria, asked).await
    }

    async fn newest<P: DeserializeOwned>(
        &self,
        path: &str,
        criteria: impl IntoIterator<Item = (&'static str, Option<String>)>,
        asked: Asked,
    ) -> Result<P, ClientError> {
        let Asked { after, wait, limit } = asked;
        let asked = [
            ("limit", Some(limit.to_string())),
            ("wait", wait.map(duration_text)),
            ("after", after.map(|after| after.to_string())),
        ];
        let query = asked.into_iter().chain(criteria);
        let query: Vec<_> = query.filter_map(|(name, value)| Some((name, value?))).collect();
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Call::get(with_query(path, &query)).send(&self.runtime_dir).await
    }
}
