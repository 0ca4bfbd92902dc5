//! The history of exemptions: what was changed, when and by whom.

use axum::{Json, extract::State};
use jiff::Timestamp;
use ulid::Ulid;

use super::{
    super::{
        openapi::{ReadProblems, Unknown},
        shared::Shared,
    },
    exemptions::unknown,
    parameters::{HistoryQuery, Path, Query},
};
use crate::{
    api::{HistoryEntry, Page, Problem},
    report::exemptions,
};

/// Lists the changes of all stored exemptions, the oldest first.
#[utoipa::path(
    get, path = "/v1/history", tag = "exemptions",
    params(HistoryQuery),
    responses((status = 200, description = "A page of the history.", body = Page<HistoryEntry>), ReadProblems)
)]
pub(super) async fn history(
    State(shared): State<Shared>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    let (after, limit) = query.read()?;
    let page = shared
        .readers
        .read(move |store| exemptions::history(store, None, after, limit, Timestamp::now()));
    page.await.map(Json)
}

/// Lists the changes of one stored exemption, the oldest first.
#[utoipa::path(
    get, path = "/v1/exemptions/{id}/history", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id."), HistoryQuery),
    responses((status = 200, description = "A page of the history.", body = Page<HistoryEntry>), ReadProblems, Unknown)
)]
pub(super) async fn exemption_history(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    let (after, limit) = query.read()?;
    let Ok(stored) = Ulid::from_string(&id) else {
        return Err(Problem::not_found(format!(
            "there is no stored exemption {id:?}; the policy file's exemptions have no history"
        )));
    };
    let page = shared.readers.read(move |store| {
        if store.get(stored)?.is_none() {
            return Ok(None);
        }
        exemptions::history(store, Some(stored), after, limit, Timestamp::now()).map(Some)
    });
    page.await?.map(Json).ok_or_else(|| unknown(&id))
}
