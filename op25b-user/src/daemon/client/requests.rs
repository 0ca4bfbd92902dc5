//! The client's requests: a method for each route.

use std::{fmt::Display, fs::File, path::PathBuf, sync::Arc};

use form_urlencoded::Serializer;
use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    body::{Content, Sent},
    call::{Call, ClientError, connect, read},
};
use crate::{
    api::{
        Added, Exemption, Explained, ExtendExemption, Extended, ForgetCustomer, ForgetSubscribers, Forgotten,
        HistoryEntry, HistoryExpiry, ImportExemptions, Imported, ImportedSessions, NewExemption, NewRead,
        OperationList, Page, PauseAnswer, PauseRequest, Problem, ProblemKind, RemoveExemptions, Removed,
        RemovedExemptions, RestoreExemption, Restored, ResumeRequest, SessionList, duration_text,
    },
    enforcer::Connection,
    report::{
        Confirmed, RateQuery, Rates, ReloadAnswer, Status, SubscriberQuery, SubscriberRates, Subscribers,
    },
    store::Operation,
};

/// The most subscribers that the daemon lists at once.
pub(crate) const MOST_SUBSCRIBERS: usize = 10_000;
/// The items of a page.
const PAGE: usize = 1000;

/// A list as the value of a parameter.
fn joined(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(",")
}

/// A client of the daemon in a runtime directory.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(super) runtime_dir: PathBuf,
}

/// The filters of a list; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Those with this in the customer's name.
    pub(crate) customer: Option<String>,
    /// Those with this in the ticket.
    pub(crate) ticket: Option<String>,
    /// Those with this in the note.
    pub(crate) note: Option<String>,
    /// Those that this import added.
    pub(crate) batch: Option<String>,
    /// Those that expire within this time.
    pub(crate) expiring: Option<String>,
    /// Those with a prefix that overlaps this one.
    pub(crate) within: Option<String>,
    /// Expired and removed ones as well.
    pub(crate) all: bool,
}

/// The filters of a history; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HistoryFilter {
    /// That of the exemption with this id, or a beginning of it.
    pub(crate) id: Option<String>,
    /// What happened at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// What happened before this time.
    pub(crate) until: Option<Timestamp>,
    /// That of exemptions with this in the customer's name.
    pub(crate) customer: Option<String>,
    /// That of exemptions that this import added.
    pub(crate) batch: Option<String>,
}

/// The filters of sessions; a field without a value matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionFilter {
    /// Those that may have lasted at this time.
    pub(crate) at: Option<Timestamp>,
    /// Those that may have lasted at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Those that began before this time.
    pub(crate) until: Option<Timestamp>,
    /// Those of a prefix that overlaps this one.
    pub(crate) within: Option<String>,
    /// Those of customers with this in the name.
    pub(crate) customer: Option<String>,
    /// Why they are read.
    pub(crate) reason: Option<String>,
}

/// How to reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reload {
    /// Only report what would change.
    pub(crate) dry_run: bool,
    /// Go back unless it is confirmed within this time.
    pub(crate) confirm_within: Option<SignedDuration>,
    /// Since when attempts count for the impact of a dry run.
    pub(crate) since: Option<Timestamp>,
}

impl Client {
    /// A client of the daemon whose socket is in this directory.
    pub(crate) fn new(runtime_dir: impl Into<PathBuf>) -> Self {
        Self {
            runtime_dir: runtime_dir.into(),
        }
    }

    /// The daemon's status.
    pub(crate) async fn status(&self) -> Result<Status, ClientError> {
        Call::get("/v1/status").send(&self.runtime_dir).await
    }

    /// The subscribers whose packets are blocked; at most as many as the daemon lists at once.
    pub(crate) async fn subscribers(
        &self,
        query: &SubscriberQuery,
        reason: Option<&str>,
    ) -> Result<Subscribers, ClientError> {
        let top = match query.top {
            0 => MOST_SUBSCRIBERS,
            top => top.min(MOST_SUBSCRIBERS),
        };
        let mut parameters = vec![("sort", query.sort.to_string()), ("top", top.to_string())];
        parameters.extend(query.pool.clone().map(|pool| ("pool", pool)));
        parameters.extend(query.within.map(|within| ("in", within.to_string())));
        parameters.extend(reason.map(|reason| ("reason", reason.to_owned())));
        parameters.extend(query.since.map(|since| ("since", duration_text(since))));
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Call::get(with_query("/v1/subscribers", &parameters))
            .send(&self.runtime_dir)
            .await
    }

    /// What is counted, and what pools do now.
    pub(crate) async fn rates(&self) -> Result<Rates, ClientError> {
        Call::get("/v1/rates").send(&self.runtime_dir).await
    }

    /// The same, with the subscribers who do most.
    pub(crate) async fn subscriber_rates(
        &self,
        query: &RateQuery,
        reason: Option<&str>,
    ) -> Result<SubscriberRates, ClientError> {
        let (top, within) = (
            query.top.to_string(),
            query.within.map(|within| within.to_string()),
        );
        let parameters: Vec<_> = [
            ("sort", Some(query.sort.name())),
            ("top", Some(&top)),
            ("pool", query.pool.as_deref()),
            ("in", within.as_deref()),
            ("reason", reason),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        Call::get(with_query("/v1/subscribers/rates", &parameters))
            .send(&self.runtime_dir)
            .await
    }

    /// Has records of subscribers removed.
    pub(crate) async fn forget_subscribers(
        &self,
        forget: &ForgetSubscribers,
    ) -> Result<Forgotten, ClientError> {
        Call::change(Method::POST, "/v1/subscribers/forget", Some(forget))?
            .send(&self.runtime_dir)
            .await
    }

    /// Has the daemon remove what is recorded of a customer.
    pub(crate) async fn forget_customer(&self, forget: &ForgetCustomer) -> Result<Forgotten, ClientError> {
        Call::change(Method::POST, "/v1/sessions/forget", Some(forget))?
            .send(&self.runtime_dir)
            .await
    }

    /// Has the daemon record that the history is read.
    pub(crate) async fn note_read(&self, read: &NewRead) -> Result<Operation, ClientError> {
        Call::change(Method::POST, "/v1/reads", Some(read))?
            .send(&self.runtime_dir)
            .await
    }

    /// The daemon's metrics.
    pub(crate) async fn metrics(&self) -> Result<String, ClientError> {
        let (status, _, body) = Call::get("/v1/metrics")
            .exchange(connect(&self.runtime_dir).await?, &self.runtime_dir)
            .await?;
        match String::from_utf8(body.into()) {
            Ok(text) if status == StatusCode::OK => Ok(text),
            _ => Err(ClientError::NoMetrics {
                status: status.as_u16(),
            }),
        }
    }

    /// Makes the daemon reload its policy, or only report what would change.
    pub(crate) async fn reload(&self, reload: &Reload) -> Result<ReloadAnswer, ClientError> {
        let mut query = Vec::new();
        if reload.dry_run {
            query.push(("dry_run", "true".to_owned()));
        }
        let within = reload.confirm_within.map(duration_text);
        query.extend(within.map(|within| ("confirm_within", within)));
        query.extend(reload.since.map(|since| ("since", since.to_string())));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let path = with_query("/v1/reload", &query);
        let call = Call {
            method: Method::POST,
            is_patient: true,
            ..Call::get(path)
        };
        let (status, is_problem, body) = call
            .exchange(connect(&self.runtime_dir).await?, &self.runtime_dir)
            .await?;
        // A refused policy is a problem with the members of a reload's answer.
        let is_refused_policy = || {
            let problem = serde_json::from_slice(&body);
            problem.is_ok_and(|problem: Problem| problem.is(ProblemKind::PolicyRefused))
        };
        read(status, is_problem && !is_refused_policy(), &body)
    }

    /// Confirms the reload that waits for it.
    pub(crate) async fn confirm(&self) -> Result<Confirmed, ClientError> {
        let call = Call {
            method: Method::POST,
            is_patient: true,
            ..Call::get("/v1/confirm")
        };
        call.send(&self.runtime_dir).await
    }

    /// Monitors pools only for a while.
    pub(crate) async fn pause(&self, pause: &PauseRequest) -> Result<PauseAnswer, ClientError> {
        Call::change(Method::POST, "/v1/pause", Some(pause))?
            .send(&self.runtime_dir)
            .await
    }

    /// Ends pauses.
    pub(crate) async fn resume(&self, resume: &ResumeRequest) -> Result<PauseAnswer, ClientError> {
        Call::change(Method::POST, "/v1/resume", Some(resume))?
            .send(&self.runtime_dir)
            .await
    }

    /// The exemptions of the policy file and the store.
    pub(crate) async fn list(&self, listing: &Listing) -> Result<Vec<Exemption>, ClientError> {
        let mut query: Vec<(&str, &str)> = Vec::new();
        query.extend(listing.customer.as_deref().map(|customer| ("customer", customer)));
        query.extend(listing.ticket.as_deref().map(|ticket| ("ticket", ticket)));
        query.extend(listing.note.as_deref().map(|note| ("note", note)));
        query.extend(listing.batch.as_deref().map(|batch| ("batch", batch)));
        query.extend(listing.expiring.as_deref().map(|time| ("expiring", time)));
        query.extend(listing.within.as_deref().map(|prefix| ("in", prefix)));
        if listing.all {
            query.push(("all", "true"));
        }
        let mut exemptions = Vec::new();
        let mut after = None;
        loop {
            let page: Page<Exemption> = self.page("/v1/exemptions", &query, after.as_deref()).await?;
            exemptions.extend(page.items);
            match page.next {
                // A cursor that does not advance would make this loop endless.
                Some(next) if Some(&next) != after.as_ref() => after = Some(next),
                _ => return Ok(exemptions),
            }
        }
    }

    /// One exemption.
    pub(crate) async fn show(&self, id: &str) -> Result<Exemption, ClientError> {
        Call::get(of(id, "")).send(&self.runtime_dir).await
    }

    /// A page of the history of one exemption or of all.
    pub(crate) async fn history(
        &self,
        filter: &HistoryFilter,
        after: Option<&str>,
    ) -> Result<Page<HistoryEntry>, ClientError> {
        self.history_page("/history", filter, after).await
    }

    /// A page of the expiries of one exemption or of all.
    pub(crate) async fn expiries(
        &self,
        filter: &HistoryFilter,
        after: Option<&str>,
    ) -> Result<Page<HistoryExpiry>, ClientError> {
        self.history_page("/history/expiries", filter, after).await
    }

    async fn history_page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        filter: &HistoryFilter,
        after: Option<&str>,
    ) -> Result<Page<T>, ClientError> {
        let path = match &filter.id {
            None => format!("/v1{path}"),
            Some(id) => of(id, path),
        };
        let [since, until] = [filter.since, filter.until].map(|at| at.map(|at| at.to_string()));
        let query: Vec<_> = [
            ("since", &since),
            ("until", &until),
            ("customer", &filter.customer),
            ("batch", &filter.batch),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
        self.page(&path, &query, after).await
    }

    /// What was done to the filter since a time, the newest first.
    pub(crate) async fn operations(
        &self,
        since: Timestamp,
        limit: usize,
    ) -> Result<OperationList, ClientError> {
        let query = [("since", since.to_string()), ("limit", limit.to_string())];
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        Call::get(with_query("/v1/operations", &query))
            .send(&self.runtime_dir)
            .await
    }

    /// Adds an exemption.
    pub(crate) async fn add(&self, exemption: &NewExemption) -> Result<Added, ClientError> {
        Call::change(Method::POST, "/v1/exemptions", Some(exemption))?
            .send(&self.runtime_dir)
            .await
    }

    /// Changes the expiry of an exemption.
    pub(crate) async fn extend(&self, id: &str, extend: &ExtendExemption) -> Result<Extended, ClientError> {
        Call::change(Method::PATCH, of(id, ""), Some(extend))?
            .send(&self.runtime_dir)
            .await
    }

    /// Removes an exemption.
    pub(crate) async fn remove(&self, id: &str, reason: &str) -> Result<Removed, ClientError> {
        let uri = with_query(&of(id, ""), &[("reason", reason)]);
        Call::change(Method::DELETE, uri, None::<&()>)?
            .send(&self.runtime_dir)
            .await
    }

    /// Removes many exemptions, or only says which.
    pub(crate) async fn remove_many(
        &self,
        remove: &RemoveExemptions,
    ) -> Result<RemovedExemptions, ClientError> {
        Call::change(Method::POST, "/v1/exemptions/remove", Some(remove))?
            .send(&self.runtime_dir)
            .await
    }

    /// Puts a removed exemption in force again.
    pub(crate) async fn restore(
        &self,
        id: &str,
        restore: &RestoreExemption,
    ) -> Result<Restored, ClientError> {
        Call::change(Method::POST, of(id, "/restore"), Some(restore))?
            .send(&self.runtime_dir)
            .await
    }

    /// Adds many exemptions at once. `sent` gets the size of the request, and returns what is called with the number of
    /// bytes sent so far.
    pub(crate) async fn import(
        &self,
        import: &ImportExemptions,
        sent: impl FnOnce(u64) -> Sent,
    ) -> Result<Imported, ClientError> {
        let mut call = Call::change(Method::POST, "/v1/exemptions/import", Some(import))?;
        call.sent = sent(call.body.len());
        call.send(&self.runtime_dir).await
    }

    /// Imports the sessions of a file that has one in each line, of this size. `sent` is called with the number of bytes sent so far.
    pub(crate) async fn import_sessions(
        &self,
        lines: (File, u64),
        dry_run: bool,
        sent: Sent,
    ) -> Result<ImportedSessions, ClientError> {
        let uri = if dry_run {
            "/v1/sessions/import?dry_run=true"
        } else {
            "/v1/sessions/import"
        };
        let (file, length) = lines;
        let call = Call {
            body: Content::Lines(Arc::new(file), length),
            sent,
            ..Call::change(Method::POST, uri, None::<&()>)?
        };
        call.send(&self.runtime_dir).await
    }

    /// The first sessions that match.
    pub(crate) async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
    ) -> Result<SessionList, ClientError> {
        let SessionFilter {
            at,
            since,
            until,
            within,
            customer,
            reason,
        } = filter;
        let [at, since, until] = [at, since, until].map(|at| at.map(|at| at.to_string()));
        let limit = Some(limit.to_string());
        let query: Vec<_> = [
            ("at", &at),
            ("since", &since),
            ("until", &until),
            ("in", within),
            ("customer", customer),
            ("reason", reason),
            ("limit", &limit),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
        Call::get(with_query("/v1/sessions", &query))
            .send(&self.runtime_dir)
            .await
    }

    /// The verdict of the program in the kernel on a connection.
    pub(crate) async fn explain(&self, connection: &Connection) -> Result<Explained, ClientError> {
        let Connection {
            source,
            destination,
            port,
            interface,
            vlan,
            tunnels,
            inner_sources,
        } = connection;
        let text = |value: &dyn Display| value.to_string();
        let mut query = vec![("source", text(source)), ("port", text(port))];
        query.extend(
            destination
                .as_ref()
                .map(|destination| ("destination", text(destination))),
        );
        query.extend(interface.clone().map(|interface| ("interface", interface)));
        let lists = [
            ("vlan", joined(vlan)),
            ("tunnel", joined(tunnels)),
            ("inner_source", joined(inner_sources)),
        ];
        // A daemon of an earlier version knows only the others.
        query.extend(lists.into_iter().filter(|(_, list)| !list.is_empty()));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Call::get(with_query("/v1/explain", &query))
            .send(&self.runtime_dir)
            .await
    }

    async fn page<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        after: Option<&str>,
    ) -> Result<Page<T>, ClientError> {
        let limit = PAGE.to_string();
        let mut query = query.to_vec();
        query.extend(after.map(|after| ("after", after)));
        query.push(("limit", &limit));
        Call::get(with_query(path, &query)).send(&self.runtime_dir).await
    }
}

/// The path of an exemption; an id from a policy file may have any character in it.
fn of(id: &str, below: &str) -> String {
    format!(
        "/v1/exemptions/{}{below}",
        utf8_percent_encode(id, NON_ALPHANUMERIC)
    )
}

pub(super) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(query).finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_an_id_or_a_query_stays_in_it() {
        assert_eq!(of("a/b?c", "/history"), "/v1/exemptions/a%2Fb%3Fc/history");
        let query = [("customer", "佐藤 & Söhne +1"), ("in", "2001:db8::/32")];
        let uri = with_query("/v1/exemptions", &query);
        let parsed: hyper::Uri = uri.parse().unwrap();
        let pairs: Vec<_> = form_urlencoded::parse(parsed.query().unwrap().as_bytes()).collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!(
            (pairs[0].1.as_ref(), pairs[1].1.as_ref()),
            (query[0].1, query[1].1)
        );
        assert_eq!(with_query("/v1/history", &[]), "/v1/history");
    }
}
