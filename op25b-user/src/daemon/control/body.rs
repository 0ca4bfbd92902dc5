//! Reads and parses request bodies, in bounded time and size.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::header::{CONTENT_TYPE, HeaderMap},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::limits;
use crate::api::{Problem, ProblemKind};

/// A JSON body of ordinary size.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, limits::BODY, limits::BODY_TIME).await?;
        parse(&bytes).map(Self)
    }
}

/// A request whose body means nothing and has arrived: half a request is not executed, and keeps nobody waiting in the daemon's
/// queue.
pub(super) struct Arrived;

impl<S: Sync> FromRequest<S> for Arrived {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        collect(request.into_body(), limits::BODY, limits::BODY_TIME).await?;
        Ok(Self)
    }
}

/// Reads a whole body whose media type is JSON.
pub(super) async fn read(request: Request, most: usize, time: Duration) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        return Err(Problem::new(
            ProblemKind::UnsupportedMediaType,
            "the body must be JSON, with the header Content-Type: application/json",
        ));
    }
    collect(request.into_body(), most, time).await
}

/// Reads a whole body, in bounded time and size.
async fn collect(body: Body, most: usize, time: Duration) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ProblemKind::TooLarge,
            format!("the body is larger than {most} bytes"),
        )
    };
    // A Content-Length that is too large is refused before the body arrives.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    match timeout(time, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::bad_request(format!("the body is incomplete: {error}"))),
        Err(_) => Err(Problem::new(
            ProblemKind::RequestTimeout,
            format!("the body did not arrive within {} seconds", time.as_secs()),
        )),
    }
}

/// Parses JSON; the error names the member that is wrong.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner();
        Problem::bad_request(match path.as_str() {
            "." | "?" => format!("the body cannot be parsed: {why}"),
            path => format!("the body cannot be parsed: `{path}`: {why}"),
        })
    })?;
    let end = deserializer.end();
    end.map_err(|why| Problem::bad_request(format!("the body cannot be parsed: {why}")))?;
    Ok(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else {
        return false;
    };
    let (media_type, _) = value.split_once(';').unwrap_or((value, ""));
    media_type.trim().eq_ignore_ascii_case("application/json")
}
