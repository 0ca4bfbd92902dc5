//! Who has read the records of subscribers, and why.

use std::time::Instant;

use axum::{Json, extract::State};
use ipnet::IpNet;

use super::{
    super::{
        body,
        followers::Following,
        openapi::{BodyProblems, ReadProblems, Restricted},
        shared::Shared,
    },
    parameters::{Query, ReadsQuery, prefix},
};
use crate::{
    api::{NewRead, OperationList, Problem},
    daemon::request::Caller,
    state_dir::AuditKey,
    store::{Operation, OperationKind},
};

/// Lists who has read the records of subscribers through the daemon, the newest first. It is kept for a year, at most 100,000 of them.
#[utoipa::path(
    get, path = "/v1/reads", tag = "daemon",
    params(ReadsQuery),
    responses((status = 200, description = "The newest that match.", body = OperationList), ReadProblems, Restricted)
)]
pub(super) async fn reads(
    State(shared): State<Shared>,
    Query(query): Query<ReadsQuery>,
) -> Result<Json<OperationList>, Problem> {
    let (query, within, limit) = query.read()?;
    let digest = match within {
        Some(prefix) => Some(digest(&shared, move |key| key.digest(prefix)).await?),
        None => None,
    };
    let found = shared.readers.read(move |store| store.operations(query));
    let mut items = found.await?;
    if let Some(digest) = digest {
        items.retain(|item| {
            item.detail
                .as_deref()
                .is_some_and(|detail| detail.contains(&digest))
        });
    }
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Json(OperationList { items, more }))
}

/// What somebody reads.
#[derive(Default)]
pub(super) struct Read {
    /// In a word.
    pub(super) what: &'static str,
    pub(super) pool: Option<String>,
    pub(super) within: Option<IpNet>,
    /// What is searched for in the names of customers.
    pub(super) customer: Option<String>,
    pub(super) reason: Option<String>,
}

/// Records that somebody reads the history in the state directory, before they do; refuses it without the reason that the policy
/// requires.
#[utoipa::path(
    operation_id = "note_read",
    post, path = "/v1/reads", tag = "daemon",
    request_body = NewRead,
    responses((status = 200, description = "It is recorded.", body = Operation), BodyProblems)
)]
pub(super) async fn note_read(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(read): body::Json<NewRead>,
) -> Result<Json<Operation>, Problem> {
    read.check_limits()?;
    let within = read.within.as_deref().map(prefix).transpose()?;
    let read = Read {
        what: read.what.name(),
        pool: read.pool,
        within: within.map(|net| net.trunc()),
        customer: None,
        reason: read.reason,
    };
    note(&shared, caller, read).await.map(Json)
}

/// Records that somebody reads what is recorded of subscribers and customers; refuses it without the reason that the policy requires.
pub(super) async fn note(shared: &Shared, caller: Caller, read: Read) -> Result<Operation, Problem> {
    reason_given(shared, "reason", read.reason.as_deref())?;
    let Read {
        what,
        pool,
        within,
        customer,
        reason,
    } = read;
    let mut detail = what.to_owned();
    if let Some(pool) = pool {
        detail.push_str(" of the pool ");
        detail.push_str(&pool);
    }
    if let Some(prefix) = within {
        let digest = digest(shared, move |key| key.digest(prefix)).await;
        detail.push_str(&of_one("in one prefix", digest));
    }
    if let Some(customer) = customer {
        let digest = digest(shared, move |key| key.digest_of_customer(&customer)).await;
        detail.push_str(&of_one("of one customer", digest));
    }
    let read = Operation {
        reason,
        ..Operation::now(OperationKind::Read, caller.actor).with_detail(detail)
    };
    shared.note(read.clone()).await?;
    Ok(read)
}

/// Records the same of somebody who asks again and again, once an hour for the same. The reason is in the parameter of this name.
pub(super) async fn note_once_an_hour(
    shared: &Shared,
    caller: Caller,
    parameter: &str,
    read: Read,
) -> Result<(), Problem> {
    reason_given(shared, parameter, read.reason.as_deref())?;
    let following = Following {
        uid: caller.actor.uid,
        what: read.what,
        pool: read.pool.clone(),
        within: read.within,
        reason: read.reason.clone(),
    };
    if !shared.followers.is_recorded(&following, Instant::now()) {
        note(shared, caller, read).await?;
        shared.followers.note(following, Instant::now());
    }
    Ok(())
}

/// Refuses a read without the reason that the policy requires.
fn reason_given(shared: &Shared, parameter: &str, reason: Option<&str>) -> Result<(), Problem> {
    if reason.is_none() && shared.view()?.policy.privacy.require_reason {
        return Err(Problem::reason_required(parameter));
    }
    Ok(())
}

/// That one is read, with the digest that stands for it. That it is read is recorded also without one.
fn of_one(what: &str, digest: Result<String, Problem>) -> String {
    match digest {
        Ok(digest) => format!(" {what}, whose digest is {digest}"),
        Err(problem) => format!(" {what}, of which there is no digest: {}", problem.detail),
    }
}

/// The digest that stands for a prefix or a customer.
async fn digest(
    shared: &Shared,
    of: impl FnOnce(&AuditKey) -> String + Send + 'static,
) -> Result<String, Problem> {
    let state_dir = shared.state_dir()?;
    let work = move || Ok(of(&AuditKey::of(&state_dir)?));
    let digest: anyhow::Result<String> = shared.readers.work(work).await?;
    digest.map_err(|error| Problem::internal(format!("{error:#}")))
}
