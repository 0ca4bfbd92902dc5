//! The daemon: its status, metrics and policy, and the verdict of the program in the kernel.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::{
    PartialSchema as _, ToSchema,
    openapi::{
        Ref, RefOr,
        schema::{AnyOfBuilder, Schema},
    },
};

use super::{
    super::{
        body, limits,
        openapi::{ChangeProblems, Document, ReadProblems, Restricted},
        problem,
        shared::{Shared, View},
    },
    parameters::{ExplainQuery, Query, ReloadQuery, SubscribersQuery},
    reads::{Read, note},
};
use crate::{
    api::{Explained, Problem, ProblemKind},
    daemon::{
        events::scrapes::Scrape,
        request::{Caller, Question, Request},
    },
    recent_warnings::RecentWarnings,
    report::{
        Confirmed, CountsSince, FileReport, MetricsFormat, ReloadAnswer, Status, Subscribers,
        SubscribersError, subscribers_of,
    },
    store::{NoRecords, Records, StoreError},
};

/// A refused policy: a problem with the members of a reload's answer.
#[derive(Serialize, ToSchema)]
struct ReloadRefused {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    answer: ReloadAnswer,
}

/// A refused policy, or another problem.
struct ReloadProblem;

impl utoipa::PartialSchema for ReloadProblem {
    fn schema() -> RefOr<Schema> {
        // A refused policy is both.
        let either = [ReloadRefused::name(), Problem::name()];
        let either = either.into_iter().fold(AnyOfBuilder::new(), |any, name| {
            any.item(Ref::from_schema_name(name))
        });
        Schema::AnyOf(either.build()).into()
    }
}

impl ToSchema for ReloadProblem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ReloadRefused::name().into(), ReloadRefused::schema()));
        ReloadRefused::schemas(schemas);
    }
}

/// Reports the daemon's status.
#[utoipa::path(
    get, path = "/v1/status", tag = "daemon",
    responses((status = 200, description = "The status.", body = Status), ReadProblems)
)]
pub(super) async fn status(State(shared): State<Shared>) -> Result<Json<Status>, Problem> {
    let view = shared.view()?;
    let report = view.report_now();
    // The rest of the status is there even if the kernel cannot be read, or the disk of the policy file does not answer.
    let filter = shared.scrape(limits::STATUS, Scrape::Filter);
    let (filter, file) = tokio::join!(filter, policy_file(&shared, &view));
    Ok(Json(Status {
        file: Some(file),
        warnings: RecentWarnings::of_this_process().newest_first(),
        ..Status::of_daemon(report, filter.ok())
    }))
}

/// How the policy file compares with what is enforced.
async fn policy_file(shared: &Shared, view: &View) -> FileReport {
    let compared = shared.compared_file.clone();
    let (path, enforced) = (view.report.policy_file.clone(), view.report.policy_sha256.clone());
    let reached = view.reached.clone();
    let read = shared
        .readers
        .work(move || compared.compare(&path, &enforced, &reached));
    match timeout(limits::STATUS, read).await {
        Ok(Ok(report)) => report,
        _ => FileReport::unanswered(),
    }
}

/// Returns the metrics, for a monitoring system.
#[utoipa::path(
    get, path = "/v1/metrics", tag = "daemon",
    responses(
        (
            status = 200, description = "The metrics, in the Prometheus text format.",
            body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"
        ),
        ReadProblems
    )
)]
pub(super) async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    const FORMAT: MetricsFormat = MetricsFormat::Text;
    let scrape = |answer| Scrape::Metrics(FORMAT, answer);
    let text = shared.scrape(limits::TURN, scrape).await?;
    Ok(([(CONTENT_TYPE, FORMAT.media_type())], text).into_response())
}

/// Lists the subscribers whose packets were blocked, or would have been in a monitored pool.
#[utoipa::path(
    get, path = "/v1/subscribers", tag = "daemon",
    params(SubscribersQuery),
    responses(
        (status = 200, description = "The subscribers of the filter, the first ones of the order.", body = Subscribers),
        ReadProblems, Restricted
    )
)]
pub(super) async fn subscribers(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<SubscribersQuery>,
) -> Result<Json<Subscribers>, Problem> {
    let (query, reason) = query.read()?;
    let read = Read {
        what: "subscribers",
        pool: query.pool.clone(),
        within: query.within,
        customer: None,
        reason,
    };
    note(&shared, caller, read).await?;
    let records = shared.scrape(limits::TURN, Scrape::Records).await?;
    let read = shared
        .readers
        .work(move || subscribers_of(&[records], &query))
        .await?;
    match read {
        Ok(filters) => Ok(Json(Subscribers {
            counts_since: CountsSince::FirstSeen,
            filters,
        })),
        Err(error @ SubscribersError::NoPool { .. }) => Err(Problem::invalid(error.to_string())),
        Err(error) => Err(Problem::internal(format!("{:#}", anyhow::Error::from(error)))),
    }
}

/// Reads the policy file and enforces it, on all interfaces or on none.
#[utoipa::path(
    post, path = "/v1/reload", tag = "daemon",
    params(ReloadQuery),
    responses(
        ChangeProblems,
        (status = 200, description = "The policy is enforced, or with `dry_run` could be.", body = ReloadAnswer),
        (
            status = 422, description = "The policy is refused, and the previous one stays in force (`policy-refused`); or a parameter is not valid (`invalid`).",
            body = ReloadProblem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn reload(
    State(shared): State<Shared>,
    caller: Caller,
    Query(query): Query<ReloadQuery>,
    _: body::Arrived,
) -> Result<Response, Problem> {
    let (dry_run, confirm_within) = (query.dry_run, query.confirm_within()?);
    let since = query.since()?;
    let answer = shared
        .requests
        .send(|answer| Request::Reload {
            dry_run,
            since,
            confirm_within,
            caller,
            answer,
        })
        .await?;
    Ok(match &answer.refused {
        None => Json(answer).into_response(),
        Some(why) => {
            let problem = Problem::new(ProblemKind::PolicyRefused, why);
            problem::response(problem.status, &ReloadRefused { problem, answer })
        }
    })
}

/// Confirms the reload that waits for it: its policy stays in force.
#[utoipa::path(
    post, path = "/v1/confirm", tag = "daemon",
    responses(
        ChangeProblems,
        (status = 200, description = "The policy stays in force.", body = Confirmed),
        (
            status = 409, description = "No reload waits for a confirmation (`conflict`).",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn confirm(
    State(shared): State<Shared>,
    caller: Caller,
    _: body::Arrived,
) -> Result<Json<Confirmed>, Problem> {
    let confirmed = shared.requests.send(|answer| Request::Confirm { caller, answer });
    confirmed.await?.map(Json)
}

/// Returns the verdict of the program in the kernel on a connection, and the rule that decided it.
#[utoipa::path(
    get, path = "/v1/explain", tag = "daemon",
    params(ExplainQuery),
    responses((status = 200, description = "The verdict.", body = Explained), ReadProblems, Restricted)
)]
pub(super) async fn explain(
    State(shared): State<Shared>,
    Query(query): Query<ExplainQuery>,
    _: body::Arrived,
) -> Result<Json<Explained>, Problem> {
    let connection = query.read()?;
    let question = |answer| Question { connection, answer };
    let mut explained = shared.questions.send(question).await??;
    if explained.lacks_an_exemption() {
        explained = with_not_in_force(&shared, explained).await?;
    }
    Ok(Json(explained))
}

/// Adds the exemptions that do not let the connection pass. A store that cannot be read takes nothing away from the verdict.
async fn with_not_in_force(shared: &Shared, explained: Explained) -> Result<Explained, Problem> {
    let view = shared.view()?;
    let add = |mut explained: Explained, view: &View, store: &dyn Records| -> Result<_, StoreError> {
        explained.add_not_in_force(view.in_file(), store, &view.policy.nat64, Timestamp::now())?;
        Ok(explained)
    };
    let (copy, of_store) = (explained.clone(), Arc::clone(&view));
    let read = shared
        .readers
        .read_briefly(move |store| add(copy, &of_store, store));
    match read.await {
        Ok(explained) => Ok(explained),
        Err(problem) => {
            let mut explained = add(explained, &view, &NoRecords)?;
            explained.store_error = Some(problem.detail);
            Ok(explained)
        }
    }
}

/// Returns this description.
#[utoipa::path(
    operation_id = "describe_api",
    get, path = "/v1/openapi.json", tag = "daemon",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object))
)]
pub(super) async fn describe(Extension(Document(text)): Extension<Document>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
