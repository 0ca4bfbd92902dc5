//! Problems as HTTP: RFC 9457 for whatever is refused, whoever refuses it.

use axum::{
    Json,
    extract::rejection::{PathRejection, QueryRejection},
    http::{
        HeaderValue, Method, StatusCode, Uri,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::api::{Problem, ProblemKind};

/// The media type of problems.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// After how many seconds a request that came at a bad time may be repeated.
const LATER: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        response(self.status, &self)
    }
}

/// A problem with members of its own.
pub(super) fn response(status: u16, body: &impl Serialize) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, LATER);
    }
    response
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(causes(&rejection))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(causes(&rejection))
    }
}

/// An error with its causes, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// The answer where there is nothing.
pub(super) async fn unknown_path(uri: Uri) -> Problem {
    let detail = format!(
        "there is no {}; GET /v1/openapi.json says what there is",
        uri.path()
    );
    Problem::not_found(detail)
}

/// The answer where there is something for other methods; which ones, the header `Allow` says.
pub(super) async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not take {method}; the header Allow says what it takes",
        uri.path()
    );
    Problem::new(ProblemKind::MethodNotAllowed, detail)
}
