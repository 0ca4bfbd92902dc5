//! The history of exemptions: what was changed, when and by whom.

use axum::{Json, extract::State};
use jiff::Timestamp;

use super::{
    super::{
        openapi::{ReadProblems, Unknown},
        shared::Shared,
    },
    exemptions::one,
    parameters::{HistoryQuery, Path, Query},
};
use crate::{
    api::{HistoryEntry, Page, Problem},
    report::exemptions,
    store::ids::{self, Found},
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
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), HistoryQuery),
    responses((status = 200, description = "A page of the history.", body = Page<HistoryEntry>), ReadProblems, Unknown)
)]
pub(super) async fn exemption_history(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    let (after, limit) = query.read()?;
    let wanted = id.clone();
    let page = shared.readers.read(move |store| {
        ids::find(store, &wanted)?.try_map(|stored| {
            exemptions::history(store, Some(stored), after, limit, Timestamp::now()).map(Some)
        })
    });
    match page.await? {
        Found::None => Err(Problem::not_found(format!(
            "there is no stored exemption {id:?}; the policy file's exemptions have no history"
        ))),
        found => one(found, &id).map(Json),
    }
}
