//! Pauses: each is a request to the daemon.

use axum::{Json, extract::State};

use super::super::{body, openapi::BodyProblems, shared::Shared};
use crate::{
    api::{PauseAnswer, PauseRequest, Problem, ResumeRequest},
    daemon::request::{Caller, Request},
};

/// Monitors pools only for a while, or everything that blocks. The program in the kernel ends it by itself.
#[utoipa::path(
    post, path = "/v1/pause", tag = "daemon",
    request_body = PauseRequest,
    responses((status = 200, description = "The pause is in force.", body = PauseAnswer), BodyProblems)
)]
pub(super) async fn pause(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(pause): body::Json<PauseRequest>,
) -> Result<Json<PauseAnswer>, Problem> {
    pause.check_limits()?;
    let paused = shared.requests.send(|answer| Request::Pause {
        pause,
        caller,
        answer,
    });
    paused.await?.map(Json)
}

/// Ends pauses before their time.
#[utoipa::path(
    post, path = "/v1/resume", tag = "daemon",
    request_body = ResumeRequest,
    responses((status = 200, description = "The pauses have ended.", body = PauseAnswer), BodyProblems)
)]
pub(super) async fn resume(
    State(shared): State<Shared>,
    caller: Caller,
    body::Json(resume): body::Json<ResumeRequest>,
) -> Result<Json<PauseAnswer>, Problem> {
    resume.check_limits()?;
    let resumed = shared.requests.send(|answer| Request::Resume {
        resume,
        caller,
        answer,
    });
    resumed.await?.map(Json)
}
