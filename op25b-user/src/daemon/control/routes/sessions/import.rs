//! Imports sessions from a body of any size: it is passed to the thread that stores them as it arrives.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{self, State},
    http::header::CONTENT_TYPE,
};
use http_body_util::BodyExt as _;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, timeout, timeout_at},
};
use tracing::info;

use super::{
    super::{
        super::{limits, openapi::BodyProblems, shared::Shared},
        parameters::Query,
    },
    parameters::ImportQuery,
    silent_disk, state_dir,
    store::{Chunk, store},
};
use crate::{
    api::{ImportedSessions, Problem, ProblemKind},
    daemon::request::Caller,
};

/// The media type of the body: a JSON document in each line.
const LINES: &str = "application/x-ndjson";
/// How many chunks of the body may wait for the disk.
const WAITING: usize = 4;

/// Adds sessions, all of them or none: one JSON object in each line of the body. What is known already changes nothing.
#[utoipa::path(
    operation_id = "import_sessions",
    post, path = "/v1/sessions/import", tag = "sessions",
    params(ImportQuery),
    request_body(content = crate::api::NewSession, content_type = "application/x-ndjson", description = "A session in each line."),
    responses((status = 200, description = "The sessions were added.", body = ImportedSessions), BodyProblems)
)]
pub(in super::super) async fn import(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: extract::Request,
) -> Result<Json<ImportedSessions>, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE);
    let media_type = media_type
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(LINES)
    {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            format!("the body must be one JSON object in each line, with the header Content-Type: {LINES}"),
        ));
    }
    let turn = shared.import_turn().await?;
    let state_dir = state_dir(&shared)?;
    let (sender, chunks) = mpsc::channel(WAITING);
    let stored = spawn_blocking(move || {
        // The turn is held until here, even after the client has gone.
        let _turn = turn;
        store(&state_dir, query.dry_run, chunks)
    });
    // If the body ends early, the thread notices, as nothing says that it was complete.
    pass(request.into_body(), sender).await?;
    let Ok(stored) = timeout(limits::ANSWER, stored).await else {
        return Err(silent_disk());
    };
    let imported = stored.map_err(|error| Problem::internal(error.to_string()))??;
    if !query.dry_run {
        let ImportedSessions {
            added,
            extended,
            unchanged,
            ..
        } = &imported;
        let by = &caller.actor.name;
        info!(%by, added, extended, unchanged, "sessions were imported");
    }
    Ok(Json(imported))
}

/// Passes a body on as it arrives, in bounded time and size. A thread that has ended, which has found a mistake, gets no more of it.
async fn pass(mut body: Body, sender: mpsc::Sender<Chunk>) -> Result<(), Problem> {
    let deadline = Instant::now() + limits::SESSIONS_TIME;
    let mut size = 0;
    loop {
        let next = timeout(limits::BODY_TIME, timeout_at(deadline, body.frame())).await;
        let chunk = match next {
            Ok(Ok(Some(Ok(frame)))) => frame.into_data().unwrap_or_else(|_| Bytes::new()),
            Ok(Ok(Some(Err(error)))) => {
                return Err(Problem::bad_request(format!("the body is incomplete: {error}")));
            }
            Ok(Ok(None)) => {
                let _ = sender.send(Chunk::End).await;
                return Ok(());
            }
            Ok(Err(_)) | Err(_) => {
                return Err(Problem::new(
                    ProblemKind::RequestTimeout,
                    "the body did not arrive in time",
                ));
            }
        };
        size += chunk.len();
        if size > limits::SESSIONS {
            return Err(Problem::new(
                ProblemKind::TooLarge,
                format!(
                    "the body is larger than {} bytes: import the log in parts",
                    limits::SESSIONS
                ),
            ));
        }
        match timeout(limits::ANSWER, sender.send(Chunk::Data(chunk))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(silent_disk()),
        }
    }
}
