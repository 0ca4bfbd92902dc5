//! Problems: errors in responses, as RFC 9457 defines them.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{exemption::Invalid, store::StoreError};

/// The prefix of every problem's type.
const URN: &str = "urn:op25b:problem:";

/// A problem (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind: `urn:op25b:problem:` and a word that scripts can rely on.
    #[serde(rename = "type")]
    #[schema(
        pattern = "^urn:op25b:problem:[a-z-]+$",
        example = "urn:op25b:problem:not-found"
    )]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened, and what to do.
    pub detail: String,
    /// The invalid rows of an import; the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowProblem>,
}

/// An invalid row of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowProblem {
    /// Its line.
    pub line: u32,
    /// What is invalid, and what to write instead.
    pub detail: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request cannot be parsed.
    BadRequest,
    /// The user is not authorised.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The resource does not support the method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// It was changed by another request, or exists already.
    Conflict,
    /// It is in the policy file, and only an edit of the file changes it.
    ReadOnly,
    /// The body is too large.
    TooLarge,
    /// The media type of the body is not JSON.
    UnsupportedMediaType,
    /// The request can be parsed, but is not valid.
    Invalid,
    /// The policy file has errors.
    PolicyRefused,
    /// The idempotency key was used for another request.
    KeyReused,
    /// An internal failure of the daemon.
    Internal,
    /// The daemon is overloaded or shutting down.
    Busy,
    /// The exemption store cannot be used.
    StoreUnavailable,
    /// The kernel does not enforce a change now.
    KernelRefused,
    /// The daemon did not answer in time.
    Timeout,
    /// There is no space left on the disk.
    InsufficientStorage,
    /// The command line is not valid. This and the following are problems of commands, and not of the API.
    Usage,
    /// No daemon answers.
    NoDaemon,
    /// No filter is running.
    NotRunning,
    /// The command failed.
    Failed,
}

impl ProblemKind {
    /// All kinds.
    pub const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::Conflict,
        Self::ReadOnly,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Invalid,
        Self::PolicyRefused,
        Self::KeyReused,
        Self::Internal,
        Self::Busy,
        Self::StoreUnavailable,
        Self::KernelRefused,
        Self::Timeout,
        Self::InsufficientStorage,
        Self::Usage,
        Self::NoDaemon,
        Self::NotRunning,
        Self::Failed,
    ];

    /// Its HTTP status, the word in its type, and its title.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request cannot be parsed"),
            Self::Forbidden => (403, "forbidden", "The user is not authorised"),
            Self::NotFound => (404, "not-found", "The resource does not exist"),
            Self::MethodNotAllowed => (
                405,
                "method-not-allowed",
                "The resource does not support the method",
            ),
            Self::RequestTimeout => (408, "request-timeout", "The request did not arrive in time"),
            Self::Conflict => (409, "conflict", "The request conflicts with the current state"),
            Self::ReadOnly => (409, "read-only", "Only an edit of the policy file changes this"),
            Self::TooLarge => (413, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body is not JSON"),
            Self::Invalid => (422, "invalid", "The request is not valid"),
            Self::PolicyRefused => (422, "policy-refused", "The policy was refused"),
            Self::KeyReused => (
                422,
                "key-reused",
                "The idempotency key was used for another request",
            ),
            Self::Internal => (500, "internal", "Internal failure of the daemon"),
            Self::Busy => (503, "busy", "The daemon is overloaded or shutting down"),
            Self::StoreUnavailable => (503, "store-unavailable", "The exemption store cannot be used"),
            Self::KernelRefused => (
                503,
                "kernel-refused",
                "The kernel does not enforce the change now",
            ),
            Self::Timeout => (504, "timeout", "The daemon did not answer in time"),
            Self::InsufficientStorage => (507, "insufficient-storage", "No space left on the disk"),
            Self::Usage => (400, "usage", "The command line is not valid"),
            Self::NoDaemon => (503, "no-daemon", "No daemon answers"),
            Self::NotRunning => (404, "not-running", "No filter is running"),
            Self::Failed => (500, "failed", "The command failed"),
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.row().0
    }

    /// The word in its type.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.row().1
    }

    /// The kind, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

impl Problem {
    /// A problem of a kind; `detail` states what happened and what to do.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{URN}{}", kind.word()),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            rows: Vec::new(),
        }
    }

    /// Whether it is of a kind.
    #[must_use]
    pub fn is(&self, kind: ProblemKind) -> bool {
        self.kind.strip_prefix(URN) == Some(kind.word())
    }

    /// The request cannot be parsed (400).
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::BadRequest, detail)
    }

    /// The user is not authorised (403).
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Forbidden, detail)
    }

    /// The resource does not exist (404).
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// The request conflicts with the current state (409).
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }

    /// Only an edit of the policy file changes it (409).
    pub fn read_only(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::ReadOnly, detail)
    }

    /// The request is not valid (422).
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    /// Rows of an import are not valid (422).
    pub fn invalid_rows(detail: impl Into<String>, rows: Vec<RowProblem>) -> Self {
        Self {
            rows,
            ..Self::invalid(detail)
        }
    }

    /// Reading what is recorded of subscribers without the reason that the policy requires (422).
    #[must_use]
    pub fn reason_required(parameter: &str) -> Self {
        Self::invalid(format!(
            "the policy requires a reason for reading what is recorded of subscribers (`require_reason`): give `{parameter}`, at the \
             command line `--{parameter}`"
        ))
    }

    /// Internal failure of the daemon (500).
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Internal, detail)
    }

    /// The daemon is overloaded or shutting down (503).
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Busy, detail)
    }

    /// The exemption store cannot be used (503).
    pub fn store_unavailable(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::StoreUnavailable, detail)
    }

    /// There is no space left on the disk (507).
    pub fn insufficient_storage(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::InsufficientStorage, detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Problem {}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Conflict { .. } => ProblemKind::Conflict,
            StoreError::Full { .. } => ProblemKind::InsufficientStorage,
            StoreError::ReadOnly { .. }
            | StoreError::Damaged { .. }
            | StoreError::Newer { .. }
            | StoreError::Failed { .. } => ProblemKind::StoreUnavailable,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: HashSet<_> = ProblemKind::ALL.map(ProblemKind::word).into();
        assert_eq!(words.len(), ProblemKind::ALL.len());
        let problem = Problem::conflict("");
        assert!(problem.is(ProblemKind::Conflict) && !problem.is(ProblemKind::ReadOnly));
        assert_eq!(problem.kind, "urn:op25b:problem:conflict");
    }
}
