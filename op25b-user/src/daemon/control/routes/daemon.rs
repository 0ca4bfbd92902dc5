//! The daemon itself: how it is, its policy, and what the program in the kernel does.

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::{sync::oneshot, time::timeout};
use utoipa::ToSchema;

use super::{
    super::{
        Shared, limits,
        openapi::{ChangeProblems, DOCUMENT, ReadProblems},
        problem,
    },
    parameters::{ExplainQuery, Query, ReloadQuery},
};
use crate::{
    api::{Explained, Problem, ProblemKind},
    daemon::request::{Caller, Request},
    report::{DaemonReport, ReloadAnswer},
};

/// Prometheus's text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A policy that was refused: a problem that says everything that a reload says.
#[derive(Serialize, ToSchema)]
struct ReloadRefused {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    answer: ReloadAnswer,
}

/// Says how the daemon is.
#[utoipa::path(
    get, path = "/v1/status", tag = "daemon",
    responses((status = 200, description = "How it is.", body = DaemonReport), ReadProblems)
)]
pub(super) async fn status(State(shared): State<Shared>) -> Result<Json<DaemonReport>, Problem> {
    Ok(Json(shared.view()?.report.clone()))
}

/// Says what is counted, for a monitoring system.
#[utoipa::path(
    get, path = "/v1/metrics", tag = "daemon",
    responses(
        (
            status = 200, description = "The metrics, in the text format of Prometheus.",
            body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"
        ),
        ReadProblems
    )
)]
pub(super) async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let ends = || Problem::busy("the daemon cannot tell its metrics now; its log says why");
    let (answer, answered) = oneshot::channel();
    let asked = async {
        shared.scrapes.send(answer).await.ok()?;
        answered.await.ok()
    };
    match timeout(limits::TURN, asked).await {
        Ok(text) => Ok(([(CONTENT_TYPE, METRICS)], text.ok_or_else(ends)?).into_response()),
        Err(_) => Err(Problem::new(
            ProblemKind::Timeout,
            "the daemon did not come to it in time; ask again",
        )),
    }
}

/// Reads the policy file and enforces it, on all interfaces or on none.
#[utoipa::path(
    post, path = "/v1/reload", tag = "daemon",
    params(ReloadQuery),
    responses(
        ChangeProblems,
        (status = 200, description = "It is enforced, or with `dry_run` could be.", body = ReloadAnswer),
        (
            status = 422, description = "The policy is refused, and the one before goes on (`policy-refused`).",
            body = ReloadRefused, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn reload(
    State(shared): State<Shared>,
    _: Caller,
    Query(ReloadQuery { dry_run }): Query<ReloadQuery>,
) -> Result<Response, Problem> {
    let answer = shared
        .requests
        .ask(|answer| Request::Reload { dry_run, answer })
        .await?;
    Ok(match &answer.refused {
        None => Json(answer).into_response(),
        Some(why) => {
            let problem = Problem::new(ProblemKind::PolicyRefused, why);
            problem::response(problem.status, &ReloadRefused { problem, answer })
        }
    })
}

/// Asks the program in the kernel what it does with a connection.
#[utoipa::path(
    get, path = "/v1/explain", tag = "daemon",
    params(ExplainQuery),
    responses((status = 200, description = "What it does.", body = Explained), ReadProblems)
)]
pub(super) async fn explain(
    State(shared): State<Shared>,
    Query(query): Query<ExplainQuery>,
) -> Result<Json<Explained>, Problem> {
    query.check()?;
    let ExplainQuery {
        source,
        destination,
        port,
    } = query;
    let explained = shared.requests.ask(|answer| Request::Explain {
        source,
        destination,
        port,
        answer,
    });
    explained.await?.map(Json)
}

/// Gives this description.
#[utoipa::path(
    operation_id = "describe_api",
    get, path = "/v1/openapi.json", tag = "daemon",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object))
)]
pub(super) async fn describe() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}
