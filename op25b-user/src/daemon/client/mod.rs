//! The client of the control socket.

mod body;
mod call;
mod exemptions;

use std::path::Path;

use hyper::{Method, StatusCode};

use self::call::{Call, connect, read};
pub(crate) use self::{
    call::ClientError,
    exemptions::{Client, Listing},
};
use crate::{
    api::{Problem, ProblemKind},
    report::{DaemonReport, ReloadAnswer},
};

/// Fetches a daemon's metrics.
pub(crate) async fn metrics(runtime_dir: &Path) -> Result<String, ClientError> {
    let (status, _, body) = Call::get("/v1/metrics")
        .exchange(connect(runtime_dir).await?)
        .await?;
    match String::from_utf8(body.into()) {
        Ok(text) if status == StatusCode::OK => Ok(text),
        _ => Err(ClientError::NoMetrics {
            status: status.as_u16(),
        }),
    }
}

/// Fetches a daemon's status.
pub(crate) async fn status(runtime_dir: &Path) -> Result<DaemonReport, ClientError> {
    let call = Call {
        // The caller sets a timeout of its own.
        is_patient: true,
        ..Call::get("/v1/status")
    };
    call.send(runtime_dir).await
}

/// Makes a daemon reload its policy, or only report what would change.
pub(crate) async fn reload(runtime_dir: &Path, dry_run: bool) -> Result<ReloadAnswer, ClientError> {
    let path = if dry_run {
        "/v1/reload?dry_run=true"
    } else {
        "/v1/reload"
    };
    let call = Call {
        method: Method::POST,
        is_patient: true,
        ..Call::get(path)
    };
    let (status, is_problem, body) = call.exchange(connect(runtime_dir).await?).await?;
    // A refused policy is a problem with the members of a reload's answer.
    let is_refused_policy = || {
        let problem = serde_json::from_slice(&body);
        problem.is_ok_and(|problem: Problem| problem.is(ProblemKind::PolicyRefused))
    };
    read(status, is_problem && !is_refused_policy(), &body)
}
