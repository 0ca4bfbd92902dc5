//! Why something was not done, as RFC 9457 has it said.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{exemption::Invalid, store::StoreError};

/// What the type of every problem begins with.
const URN: &str = "urn:op25b:problem:";

/// A problem (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind it is: `urn:op25b:problem:` and a word that a script may go by.
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
    /// What of it happened here, and what to do.
    pub detail: String,
    /// The rows that an import was refused for; the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowProblem>,
}

/// What is wrong with a row of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowProblem {
    /// Its line.
    pub line: u32,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// The kinds of problems that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request cannot be read.
    BadRequest,
    /// This user may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The thing is there, and this cannot be done to it.
    MethodNotAllowed,
    /// The request was not sent to its end in time.
    RequestTimeout,
    /// Somebody else changed it, or it is there already.
    Conflict,
    /// Only an edit of the policy file changes it.
    ReadOnly,
    /// The body is too large.
    TooLarge,
    /// The body is no JSON, by its own account.
    UnsupportedMediaType,
    /// The request can be read, and what it asks for is not possible.
    Invalid,
    /// The policy file has errors.
    PolicyRefused,
    /// The key was used for another request.
    KeyReused,
    /// Something in the daemon failed.
    Internal,
    /// The daemon has too much to do, or is about to end.
    Busy,
    /// The exemption store does not work.
    StoreUnavailable,
    /// The daemon did not answer in time.
    Timeout,
    /// There is no room on the disk.
    InsufficientStorage,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 17] = [
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
        Self::Timeout,
        Self::InsufficientStorage,
    ];

    /// Its HTTP status, the word in its type, and its title.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request cannot be read"),
            Self::Forbidden => (403, "forbidden", "This user may not do that"),
            Self::NotFound => (404, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "That cannot be done here"),
            Self::RequestTimeout => (408, "request-timeout", "The request took too long to arrive"),
            Self::Conflict => (409, "conflict", "It is not as the request supposes"),
            Self::ReadOnly => (409, "read-only", "Only an edit of the policy file changes that"),
            Self::TooLarge => (413, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body is not JSON"),
            Self::Invalid => (422, "invalid", "The request asks for something that cannot be"),
            Self::PolicyRefused => (422, "policy-refused", "The policy was refused"),
            Self::KeyReused => (422, "key-reused", "The key was used for another request"),
            Self::Internal => (500, "internal", "Something in the daemon failed"),
            Self::Busy => (503, "busy", "The daemon has too much to do"),
            Self::StoreUnavailable => (503, "store-unavailable", "The exemption store does not work"),
            Self::Timeout => (504, "timeout", "The daemon did not answer in time"),
            Self::InsufficientStorage => (507, "insufficient-storage", "There is no room on the disk"),
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
    /// A problem of a kind; `detail` says what of it happened, and what to do.
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

    /// The request cannot be read (400).
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::BadRequest, detail)
    }

    /// This user may not (403).
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Forbidden, detail)
    }

    /// There is no such thing (404).
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// It is not as the request supposes (409).
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }

    /// Only an edit of the policy file changes it (409).
    pub fn read_only(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::ReadOnly, detail)
    }

    /// What is asked for is not possible (422).
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Invalid, detail)
    }

    /// An import is not possible because of these rows (422).
    pub fn invalid_rows(detail: impl Into<String>, rows: Vec<RowProblem>) -> Self {
        Self {
            rows,
            ..Self::invalid(detail)
        }
    }

    /// Something in the daemon failed (500).
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Internal, detail)
    }

    /// The daemon has too much to do (503).
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Busy, detail)
    }

    /// The exemption store does not work (503).
    pub fn store_unavailable(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::StoreUnavailable, detail)
    }

    /// There is no room on the disk (507).
    pub fn insufficient_storage(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::InsufficientStorage, detail)
    }
}

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
