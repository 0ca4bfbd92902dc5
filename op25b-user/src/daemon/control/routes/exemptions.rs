//! Lists and shows exemptions.

use axum::{Json, extract::State};
use jiff::Timestamp;
use ulid::Ulid;

use super::{
    super::{
        openapi::{ReadProblems, Restricted, Unknown},
        shared::Shared,
    },
    parameters::{ListQuery, Path, Query},
};
use crate::{
    api::{Exemption, Page, Problem},
    report::exemptions,
    store::{
        Records, StoreError,
        ids::{self, Found},
    },
};

/// Lists exemptions: those of the policy file in the file's order, then the stored ones by id.
#[utoipa::path(
    operation_id = "list_exemptions",
    get, path = "/v1/exemptions", tag = "exemptions",
    params(ListQuery),
    responses((status = 200, description = "A page of the list.", body = Page<Exemption>), ReadProblems, Restricted)
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Exemption>>, Problem> {
    let now = Timestamp::now();
    let (mut selection, batch) = query.read(now)?;
    let view = shared.view()?;
    let page = shared.readers.read(move |store| {
        match batch_of(store, batch.as_deref())? {
            Ok(batch) => selection.batch = batch,
            Err(problem) => return Ok(Err(problem)),
        }
        let mut page = exemptions::list(view.in_file(), store, &selection, now)?;
        exemptions::note_force(&mut page.items, &view.policy);
        Ok(Ok(page))
    });
    page.await?.map(Json)
}

/// The import that is named, if one is.
pub(super) fn batch_of(
    store: &dyn Records,
    batch: Option<&str>,
) -> Result<Result<Option<Ulid>, Problem>, StoreError> {
    let Some(batch) = batch else {
        return Ok(Ok(None));
    };
    Ok(match ids::find_batch(store, batch)? {
        Found::None => Err(Problem::invalid(format!("no import has the id {batch:?}"))),
        found => one(found, batch).map(Some),
    })
}

/// Shows one exemption.
#[utoipa::path(
    operation_id = "get_exemption",
    get, path = "/v1/exemptions/{id}", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of a stored one's.")),
    responses((status = 200, description = "The exemption.", body = Exemption), ReadProblems, Restricted, Unknown)
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
    one(found.await?, &id).map(Json)
}

/// What is found by an id, or the problem that it names none or several.
pub(super) fn one<T>(found: Found<T>, id: &str) -> Result<T, Problem> {
    match found {
        Found::One(found) => Ok(found),
        Found::None => Err(Problem::not_found(format!(
            "there is no exemption {id:?}; `op25b exempt list --all` lists them"
        ))),
        Found::Ambiguous(ambiguous) => Err(Problem::invalid(ambiguous.to_string())),
    }
}
