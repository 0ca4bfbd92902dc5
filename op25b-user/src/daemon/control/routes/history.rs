//! What was done to exemptions, when and by whom?

use axum::{Json, extract::State};
use jiff::Timestamp;
use ulid::Ulid;

use super::{
    super::{
        Shared,
        openapi::{ReadProblems, Unknown},
    },
    exemptions::unknown,
    parameters::{HistoryQuery, Path, Query},
};
use crate::{
    api::{HistoryEntry, Page, Problem},
    report::exemptions,
};

/// Tells what was done to all stored exemptions, in the order in which it was.
#[utoipa::path(
    get, path = "/v1/history", tag = "exemptions",
    params(HistoryQuery),
    responses((status = 200, description = "A page of it.", body = Page<HistoryEntry>), ReadProblems)
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

/// Tells what was done to one stored exemption.
#[utoipa::path(
    get, path = "/v1/exemptions/{id}/history", tag = "exemptions",
    params(("id" = String, Path, description = "Its id."), HistoryQuery),
    responses((status = 200, description = "A page of it.", body = Page<HistoryEntry>), ReadProblems, Unknown)
)]
pub(super) async fn exemption_history(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    let (after, limit) = query.read()?;
    let Ok(stored) = Ulid::from_string(&id) else {
        return Err(Problem::not_found(format!(
            "there is no stored exemption {id:?}; what happens to the policy file's is not kept"
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
