//! Changing stored exemptions: each change is handed to the daemon.

use std::sync::Arc;

use axum::{
    Json,
    extract::{self, State},
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    super::{
        Shared, body, limits,
        openapi::{BodyProblems, ChangeProblems, Unknown},
    },
    parameters::{IdempotencyKey, Path, Query, RemoveQuery},
};
use crate::{
    api::{
        Added, ExtendExemption, Extended, ImportExemptions, Imported, NewExemption, Problem, Removed,
        RowProblem,
    },
    daemon::request::{Caller, Request},
};

/// Adds an exemption, which holds when this is answered.
#[utoipa::path(
    operation_id = "add_exemption",
    post, path = "/v1/exemptions", tag = "exemptions",
    params(IdempotencyKey),
    request_body = NewExemption,
    responses(
        (
            status = 201, description = "It was added.", body = Added,
            headers(("Location" = String, description = "Where it is."))
        ),
        BodyProblems,
    )
)]
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(exemption): body::Json<NewExemption>,
) -> Result<impl IntoResponse, Problem> {
    exemption.check_bounds().map_err(Problem::invalid)?;
    let added = shared.requests.ask(|answer| Request::Add {
        exemption,
        caller,
        answer,
    });
    let added = added.await??;
    let place = format!("/v1/exemptions/{}", added.exemption.id);
    Ok((StatusCode::CREATED, [(LOCATION, place)], Json(added)))
}

/// Changes when a stored exemption ends.
#[utoipa::path(
    operation_id = "extend_exemption",
    patch, path = "/v1/exemptions/{id}", tag = "exemptions",
    params(("id" = String, Path, description = "Its id."), IdempotencyKey),
    request_body = ExtendExemption,
    responses((status = 200, description = "It was changed.", body = Extended), BodyProblems, Unknown)
)]
pub(super) async fn extend(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(extend): body::Json<ExtendExemption>,
) -> Result<Json<Extended>, Problem> {
    extend.check_bounds().map_err(Problem::invalid)?;
    let extended = shared.requests.ask(|answer| Request::Extend {
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
    params(("id" = String, Path, description = "Its id."), RemoveQuery, IdempotencyKey),
    responses((status = 200, description = "It was removed.", body = Removed), ChangeProblems, Unknown)
)]
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> Result<Json<Removed>, Problem> {
    let reason = query.read()?;
    let removed = shared.requests.ask(|answer| Request::Remove {
        id,
        reason,
        caller,
        answer,
    });
    removed.await?.map(Json)
}

/// Adds many exemptions: all, or none.
#[utoipa::path(
    operation_id = "import_exemptions",
    post, path = "/v1/exemptions/import", tag = "exemptions",
    params(IdempotencyKey),
    request_body = ImportExemptions,
    responses((status = 200, description = "They were added.", body = Imported), BodyProblems)
)]
pub(super) async fn import(
    State(shared): State<Shared>,
    caller: Caller,
    request: extract::Request,
) -> Result<Json<Imported>, Problem> {
    let turn = timeout(limits::TURN, Arc::clone(&shared.imports).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Problem::busy("another import is under way; ask again"));
    };
    let bytes = body::read(request, limits::IMPORT, limits::IMPORT_TIME).await?;
    // Reading so much takes a while, and the daemon has only this thread.
    let read = spawn_blocking(move || {
        let import = body::parse(&bytes);
        // Kept until here also if the client goes away.
        (import.and_then(checked), turn)
    });
    let (import, turn) = read.await.map_err(|error| Problem::internal(error.to_string()))?;
    let import = import?;
    let imported = shared.requests.ask(|answer| Request::Import {
        import,
        caller,
        answer,
    });
    let imported = imported.await?.map(Json);
    drop(turn);
    imported
}

/// An import whose rows have bearable lengths.
fn checked(import: ImportExemptions) -> Result<ImportExemptions, Problem> {
    import.check_bounds().map_err(Problem::invalid)?;
    let wrong = import.exemptions.iter().filter_map(|row| {
        let detail = row.exemption.check_bounds().err()?;
        Some(RowProblem {
            line: row.line,
            detail,
        })
    });
    let rows: Vec<_> = wrong.take(limits::ROWS_SAID).collect();
    if rows.is_empty() {
        Ok(import)
    } else {
        Err(Problem::invalid_rows("nothing was imported: see the rows", rows))
    }
}
