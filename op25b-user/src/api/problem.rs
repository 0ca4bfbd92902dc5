//! Why something was not done, as RFC 9457 has it said.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A problem (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind it is: `urn:op25b:problem:` and a word that a script may go by.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind, for people.
    pub title: String,
    /// The HTTP status.
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
