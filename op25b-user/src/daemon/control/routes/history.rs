//! The history of exemptions: what was changed, when and by whom, and which of them ended.

use axum::{Json, extract::State};
use jiff::Timestamp;

use super::{
    super::{
        openapi::{ReadProblems, Restricted, Unknown},
        shared::Shared,
    },
    exemptions::{batch_of, one},
    parameters::{HistoryQuery, Path, Query},
};
use crate::{
    api::{HistoryEntry, HistoryExpiry, Page, Problem},
    report::exemptions,
    store::{
        self, Records, StoreError,
        ids::{self, Found},
    },
};

/// Lists the changes of all stored exemptions, the oldest first.
#[utoipa::path(
    get, path = "/v1/history", tag = "exemptions",
    params(HistoryQuery),
    responses((status = 200, description = "A page of the history.", body = Page<HistoryEntry>), ReadProblems, Restricted)
)]
pub(super) async fn history(
    State(shared): State<Shared>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    read(&shared, None, query, exemptions::history).await
}

/// Lists the expiries of stored exemptions that were reached, the oldest first.
#[utoipa::path(
    get, path = "/v1/history/expiries", tag = "exemptions",
    params(HistoryQuery),
    responses((status = 200, description = "A page of the expiries.", body = Page<HistoryExpiry>), ReadProblems, Restricted)
)]
pub(super) async fn expiries(
    State(shared): State<Shared>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryExpiry>>, Problem> {
    read(&shared, None, query, exemptions::expiries).await
}

/// Lists the changes of one stored exemption, the oldest first.
#[utoipa::path(
    get, path = "/v1/exemptions/{id}/history", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), HistoryQuery),
    responses((status = 200, description = "A page of the history.", body = Page<HistoryEntry>), ReadProblems, Restricted, Unknown)
)]
pub(super) async fn exemption_history(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryEntry>>, Problem> {
    read(&shared, Some(id), query, exemptions::history).await
}

/// Lists the expiries of one stored exemption that were reached, the oldest first.
#[utoipa::path(
    get, path = "/v1/exemptions/{id}/history/expiries", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), HistoryQuery),
    responses((status = 200, description = "A page of the expiries.", body = Page<HistoryExpiry>), ReadProblems, Restricted, Unknown)
)]
pub(super) async fn exemption_expiries(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<HistoryExpiry>>, Problem> {
    read(&shared, Some(id), query, exemptions::expiries).await
}

/// Reads what is asked for, of one exemption or of all.
async fn read<T: Send + 'static>(
    shared: &Shared,
    id: Option<String>,
    query: HistoryQuery,
    list: fn(&dyn Records, &store::HistoryQuery, Timestamp) -> Result<T, StoreError>,
) -> Result<Json<T>, Problem> {
    let now = Timestamp::now();
    let (query, batch) = query.read(now)?;
    let read = shared.readers.read(move |store| {
        let query = match found(store, id.as_deref(), batch.as_deref(), query)? {
            Ok(query) => query,
            Err(problem) => return Ok(Err(problem)),
        };
        list(store, &query, now).map(Ok)
    });
    read.await?.map(Json)
}

/// The query with the exemption and the import that are named.
fn found(
    store: &dyn Records,
    id: Option<&str>,
    batch: Option<&str>,
    query: store::HistoryQuery,
) -> Result<Result<store::HistoryQuery, Problem>, StoreError> {
    let of = match id {
        None => None,
        Some(id) => match ids::find(store, id)? {
            Found::None => {
                return Ok(Err(Problem::not_found(format!(
                    "there is no stored exemption {id:?}; the policy file's exemptions have no history"
                ))));
            }
            found => match one(found, id) {
                Ok(id) => Some(id),
                Err(problem) => return Ok(Err(problem)),
            },
        },
    };
    let batch = batch_of(store, batch)?;
    Ok(batch.map(|batch| store::HistoryQuery { of, batch, ..query }))
}
