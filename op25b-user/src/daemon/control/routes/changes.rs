//! Changes of stored exemptions: each is a request to the daemon.

use axum::{
    Json,
    extract::{self, State},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use tokio::task::spawn_blocking;

use super::{
    super::{
        body, limits,
        openapi::{BodyProblems, ChangeProblems, Unknown},
        shared::Shared,
    },
    parameters::{IdempotencyKey, Path, Query, RemoveQuery},
};
use crate::{
    api::{
        Added, ExtendExemption, Extended, ImportExemptions, Imported, NewExemption, Problem,
        RemoveExemptions, Removed, RemovedExemptions, RestoreExemption, Restored, RowProblem,
    },
    daemon::request::{Caller, Request},
};

/// Adds an exemption. It is in force when the response is sent.
#[utoipa::path(
    operation_id = "add_exemption",
    post, path = "/v1/exemptions", tag = "exemptions",
    params(IdempotencyKey),
    request_body = NewExemption,
    responses(
        (
            status = 201, description = "The exemption was added.", body = Added,
            headers(("Location" = String, description = "The path of the exemption."))
        ),
        BodyProblems,
    )
)]
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(exemption): body::Json<NewExemption>,
) -> Result<impl IntoResponse, Problem> {
    exemption.check_limits()?;
    let added = shared.requests.send(|answer| Request::Add {
        exemption,
        caller,
        answer,
    });
    let added = added.await??;
    let location = format!("/v1/exemptions/{}", added.exemption.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(added)))
}

/// Changes the expiry of a stored exemption.
#[utoipa::path(
    operation_id = "extend_exemption",
    patch, path = "/v1/exemptions/{id}", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), IdempotencyKey),
    request_body = ExtendExemption,
    responses((status = 200, description = "The expiry was changed.", body = Extended), BodyProblems, Unknown)
)]
pub(super) async fn extend(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(extend): body::Json<ExtendExemption>,
) -> Result<Json<Extended>, Problem> {
    extend.check_limits()?;
    let extended = shared.requests.send(|answer| Request::Extend {
        id,
        extend,
        caller,
        answer,
    });
    extended.await?.map(Json)
}

/// Removes a stored exemption.
#[utoipa::path(
    operation_id = "remove_exemption",
    delete, path = "/v1/exemptions/{id}", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), RemoveQuery, IdempotencyKey),
    responses((status = 200, description = "The exemption was removed.", body = Removed), ChangeProblems, Unknown)
)]
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<RemoveQuery>,
    _: body::Arrived,
) -> Result<Json<Removed>, Problem> {
    let reason = query.read()?;
    let removed = shared.requests.send(|answer| Request::Remove {
        id,
        reason,
        caller,
        answer,
    });
    removed.await?.map(Json)
}

/// Removes the exemptions of one import or with one prefix, all of them or none.
#[utoipa::path(
    operation_id = "remove_exemptions",
    post, path = "/v1/exemptions/remove", tag = "exemptions",
    params(IdempotencyKey),
    request_body = RemoveExemptions,
    responses((status = 200, description = "The exemptions were removed.", body = RemovedExemptions), BodyProblems)
)]
pub(super) async fn remove_many(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(remove): body::Json<RemoveExemptions>,
) -> Result<Json<RemovedExemptions>, Problem> {
    remove.check_limits()?;
    let removed = shared.requests.send(|answer| Request::RemoveMany {
        remove,
        caller,
        answer,
    });
    removed.await?.map(Json)
}

/// Puts a removed exemption in force again, with its terms.
#[utoipa::path(
    operation_id = "restore_exemption",
    post, path = "/v1/exemptions/{id}/restore", tag = "exemptions",
    params(("id" = String, Path, description = "The exemption's id, or a unique beginning of it."), IdempotencyKey),
    request_body = RestoreExemption,
    responses((status = 200, description = "The exemption is in force again.", body = Restored), BodyProblems, Unknown)
)]
pub(super) async fn restore(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(restore): body::Json<RestoreExemption>,
) -> Result<Json<Restored>, Problem> {
    restore.check_limits()?;
    let restored = shared.requests.send(|answer| Request::Restore {
        id,
        restore,
        caller,
        answer,
    });
    restored.await?.map(Json)
}

/// Adds many exemptions, all of them or none.
#[utoipa::path(
    operation_id = "import_exemptions",
    post, path = "/v1/exemptions/import", tag = "exemptions",
    params(IdempotencyKey),
    request_body = ImportExemptions,
    responses((status = 200, description = "The exemptions were added.", body = Imported), BodyProblems)
)]
pub(super) async fn import(
    State(shared): State<Shared>,
    caller: Caller,
    request: extract::Request,
) -> Result<Json<Imported>, Problem> {
    let turn = shared.import_turn().await?;
    let bytes = body::read(request, limits::IMPORT, limits::IMPORT_TIME).await?;
    // Parsing so much takes time, and the daemon has only this thread.
    let read = spawn_blocking(move || {
        let import = body::parse(&bytes);
        // The turn is held until here, even after the client has gone.
        (import.and_then(checked), turn)
    });
    let (import, turn) = read.await.map_err(|error| Problem::internal(error.to_string()))?;
    let import = import?;
    let imported = shared.requests.send(|answer| Request::Import {
        import,
        caller,
        answer,
    });
    let imported = imported.await?.map(Json);
    drop(turn);
    imported
}

/// Checks the limits of an import and its rows.
fn checked(import: ImportExemptions) -> Result<ImportExemptions, Problem> {
    import.check_limits()?;
    let wrong = import.exemptions.iter().filter_map(|row| {
        let invalid = row.exemption.check_limits().err()?;
        Some(RowProblem {
            line: row.line,
            detail: invalid.to_string(),
        })
    });
    let rows: Vec<_> = wrong.take(limits::ROWS_REPORTED).collect();
    if rows.is_empty() {
        Ok(import)
    } else {
        Err(Problem::invalid_rows(
            "nothing was imported: some rows exceed a limit",
            rows,
        ))
    }
}
