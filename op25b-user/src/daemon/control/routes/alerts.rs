//! Alerts about subscribers: a page of those that are kept, or of the next ones.

use std::time::Instant;

use axum::{Json, extract::State};

use super::{
    super::{
        openapi::{ReadProblems, Restricted},
        shared::Shared,
    },
    newest::{check, take},
    parameters::{AlertsQuery, AskedAlerts, Query},
    reads::{Read, note_once_an_hour},
};
use crate::{
    api::Problem,
    daemon::{alerts::Feed, request::Caller},
    report::AlertPage,
};

/// Lists alerts about subscribers that are beyond the thresholds of the policy, at most one about each in an hour. The newest 10,000 are
/// kept, in memory only. Without `after` these are the newest that match; with it those that follow it, for which the daemon waits if
/// there are none yet.
#[utoipa::path(
    get, path = "/v1/alerts", tag = "daemon",
    params(AlertsQuery),
    responses(
        (status = 200, description = "Alerts, the oldest first.", body = AlertPage),
        ReadProblems, Restricted,
        (
            status = 409, description = "The policy has no `alerts` (`conflict`).",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn alerts(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<AlertsQuery>,
) -> Result<Json<AlertPage>, Problem> {
    let AskedAlerts {
        query,
        page,
        sender,
        reason,
    } = query.read()?;
    let view = shared.view()?;
    check(
        &view,
        ("alerts", view.policy.alerts.is_some()),
        (
            "there is no alert about anybody",
            "alerts: { syns_per_minute: 600 }",
        ),
        query.pool.as_deref(),
    )?;
    let read = Read {
        what: "alerts",
        pool: query.pool.clone(),
        within: query.within,
        customer: None,
        reason,
    };
    note_once_an_hour(&shared, caller, "reason", read).await?;
    let Feed { hub, senders, .. } = &shared.newest.alerts;
    if let Some(sender) = sender {
        let after = page.after.unwrap_or_else(|| hub.last());
        senders.note(&sender, after, &query, Instant::now());
    }
    let taken = take(&shared, hub, |alert| query.matches(alert), &page).await?;
    Ok(Json(AlertPage {
        alerts: taken.items.iter().map(|alert| (**alert).clone()).collect(),
        next: taken.next,
        missed: taken.missed,
    }))
}
