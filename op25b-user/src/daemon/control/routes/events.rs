//! The events of single packets: a page of those that are kept, or of the next ones.

use axum::{Json, extract::State};

use super::{
    super::{
        limits,
        openapi::{ReadProblems, Restricted},
        shared::Shared,
    },
    newest::{check, take},
    parameters::{AskedEvents, EventsQuery, Query},
    reads::{Read, note_once_an_hour},
};
use crate::{
    api::Problem,
    daemon::{events::scrapes::Scrape, request::Caller},
    report::EventPage,
};

/// Lists packets that were blocked, monitored or exempt, or that hide their ports, as the program shows them: a sample, with limits
/// for each subscriber and for all. The newest 10,000 are kept, in memory only. Without `after` these are the newest that match; with it
/// those that follow it, for which the daemon waits if there are none yet.
#[utoipa::path(
    get, path = "/v1/events", tag = "daemon",
    params(EventsQuery),
    responses(
        (status = 200, description = "Events, the oldest first.", body = EventPage),
        ReadProblems, Restricted,
        (
            status = 409, description = "The policy has no `events` (`conflict`).",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn events(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<EventsQuery>,
) -> Result<Json<EventPage>, Problem> {
    let AskedEvents { query, page, why } = query.read()?;
    let view = shared.view()?;
    check(
        &view,
        ("events", view.policy.events.is_some()),
        ("no packet is shown", "events: {}"),
        query.pool.as_deref(),
    )?;
    let read = Read {
        what: "events",
        pool: query.pool.clone(),
        within: query.within,
        customer: None,
        reason: why,
    };
    note_once_an_hour(&shared, caller, "why", read).await?;
    let hub = &shared.newest.events;
    let taken = take(&shared, hub, |event| query.matches(event), &page).await?;
    Ok(Json(EventPage {
        events: taken.items.iter().map(|event| (**event).clone()).collect(),
        next: taken.next,
        missed: taken.missed,
        // They add to the events, and there are events without them.
        counts: shared
            .scrape(limits::STATUS, Scrape::EventCounts)
            .await
            .unwrap_or_default(),
    }))
}
