//! Lists and shows exemptions.

use axum::{Json, extract::State};
use jiff::Timestamp;

use super::{
    super::{
        openapi::{ReadProblems, Unknown},
        shared::Shared,
    },
    parameters::{ListQuery, Path, Query},
};
use crate::{
    api::{Exemption, Page, Problem},
    report::exemptions,
};

/// Lists exemptions: those of the policy file in the file's order, then the stored ones by id.
#[utoipa::path(
    operation_id = "list_exemptions",
    get, path = "/v1/exemptions", tag = "exemptions",
    params(ListQuery),
    responses((status = 200, description = "A page of the list.", body = Page<Exemption>), ReadProblems)
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Exemption>>, Problem> {
    let now = Timestamp::now();
    let selection = query.read(now)?;
    let view = shared.view()?;
    let page = shared.readers.read(move |store| {
        let mut page = exemptions::list(view.in_file(), store, &selection, now)?;
        exemptions::note_force(&mut page.items, &view.policy);
        Ok(page)
    });
    page.await.map(Json)
}

/// Shows one exemption.
#[utoipa::path(
    operation_id = "get_exemption",
    get, path = "/v1/exemptions/{id}", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id.")),
    responses((status = 200, description = "The exemption.", body = Exemption), ReadProblems, Unknown)
)]
pub(super) async fn get(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Exemption>, Problem> {
    let view = shared.view()?;
    let wanted = id.clone();
    let found = shared
        .readers
        .read(move |store| exemptions::find(view.in_file(), store, &wanted, Timestamp::now()));
    let exemption = found.await?.ok_or_else(|| unknown(&id))?;
    Ok(Json(exemption))
}

/// The problem of an unknown id.
pub(super) fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("there is no exemption {id:?}"))
}
