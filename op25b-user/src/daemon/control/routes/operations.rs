//! What was done to the filter: starts, stops, reloads, pauses and the like.

use axum::{Json, extract::State};

use super::{
    super::{openapi::ReadProblems, shared::Shared},
    parameters::{OperationsQuery, Query},
};
use crate::api::{OperationList, Problem};

/// Lists what was done to the filter, the newest first. It is kept for a year, at most 10,000 operations.
#[utoipa::path(
    get, path = "/v1/operations", tag = "daemon",
    params(OperationsQuery),
    responses((status = 200, description = "The newest operations that match.", body = OperationList), ReadProblems)
)]
pub(super) async fn operations(
    State(shared): State<Shared>,
    Query(query): Query<OperationsQuery>,
) -> Result<Json<OperationList>, Problem> {
    let (query, limit) = query.read()?;
    let found = shared.readers.read(move |store| store.operations(query));
    let mut items = found.await?;
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Json(OperationList { items, more }))
}
