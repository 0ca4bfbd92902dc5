//! Problems as HTTP responses (RFC 9457).

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
/// `Retry-After`, in seconds, of a 503.
const RETRY: HeaderValue = HeaderValue::from_static("5");

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        response(self.status, &self)
    }
}

/// The response for a problem, which may have members of its own.
pub(super) fn response(status: u16, body: &impl Serialize) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY);
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

/// An error with its causes, each stated once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The response to an unknown path.
pub(super) async fn unknown_path(uri: Uri) -> Problem {
    let detail = format!("there is no {}; GET /v1/openapi.json lists the paths", uri.path());
    Problem::not_found(detail)
}

/// The response to an unsupported method; the header `Allow` lists the supported ones.
pub(super) async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not support {method}; the header Allow lists the methods",
        uri.path()
    );
    Problem::new(ProblemKind::MethodNotAllowed, detail)
}
