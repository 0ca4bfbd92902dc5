//! Who has read the records of subscribers, and why.

use axum::{Json, extract::State};
use ipnet::IpNet;

use super::{
    super::{
        openapi::{ReadProblems, Restricted},
        shared::Shared,
    },
    parameters::{Query, ReadsQuery},
};
use crate::{
    api::{OperationList, Problem},
    daemon::request::Caller,
    report::SubscriberQuery,
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
        Some(prefix) => Some(digest(&shared, prefix).await?),
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

/// Records that somebody reads the records of subscribers; refuses it without the reason that the policy requires.
pub(super) async fn note_subscribers(
    shared: &Shared,
    caller: Caller,
    query: &SubscriberQuery,
    reason: Option<String>,
) -> Result<(), Problem> {
    if reason.is_none() && shared.view()?.policy.privacy.require_reason {
        return Err(Problem::invalid(
            "the policy requires a reason for reading the records of subscribers (`require_reason`): give `reason`, at the command \
             line `--reason`",
        ));
    }
    let of_pool = query.pool.as_ref().map(|pool| format!(" of the pool {pool}"));
    let in_prefix = match query.within {
        None => String::new(),
        // That it is read is recorded all the same.
        Some(prefix) => digest(shared, prefix).await.map_or_else(
            |problem| format!(" in one prefix, of which there is no digest: {}", problem.detail),
            |digest| format!(" in one prefix, whose digest is {digest}"),
        ),
    };
    let detail = format!("subscribers{}{in_prefix}", of_pool.unwrap_or_default());
    let read = Operation::now(OperationKind::Read, caller.actor).with_detail(detail);
    shared.note(Operation { reason, ..read }).await
}

/// The digest that stands for a prefix.
async fn digest(shared: &Shared, prefix: IpNet) -> Result<String, Problem> {
    let state_dir = shared.state_dir()?;
    let work = move || Ok(AuditKey::of(&state_dir)?.digest(prefix));
    let digest: anyhow::Result<String> = shared.readers.work(work).await?;
    digest.map_err(|error| Problem::internal(format!("{error:#}")))
}
