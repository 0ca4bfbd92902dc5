//! The reasons for which a change of the exemptions is refused.

use thiserror::Error;

use crate::{enforcer::state::RETRY, exemption::Invalid, policy::CompileError, store::StoreError};

/// A row of an import that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowRefusal {
    /// The line that the request names it by.
    pub(crate) line: u32,
    /// Why it is refused.
    pub(crate) detail: String,
}

/// Why a request is refused.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// It is not valid, or not valid without `force`.
    #[error("{0}")]
    Invalid(String),
    /// It conflicts with another exemption.
    #[error("{0}")]
    Conflict(String),
    /// There is no exemption with this id.
    #[error("there is no exemption {0}; `op25b exempt list` lists them")]
    Unknown(String),
    /// The exemption is in the policy file.
    #[error("{0}")]
    InFile(String),
    /// Rows of an import are refused.
    #[error("{}, and none was added", rows_refused(*total))]
    Rows {
        /// The first of them.
        rows: Vec<RowRefusal>,
        /// How many there are.
        total: usize,
    },
    /// An earlier request with the same key was another one.
    #[error("this Idempotency-Key was already used for another request; use a new one")]
    KeyReused,
    /// The store cannot be read or written.
    #[error("nothing was changed: {0}")]
    Store(#[from] StoreError),
    /// The disk of the store does not answer.
    #[error("nothing was changed: {0}")]
    Stalled(String),
    /// The disk of the store has not answered, and may have the change.
    #[error("{0}")]
    Unanswered(String),
    /// The daemon ends.
    #[error("nothing was changed: {0}")]
    Stopping(String),
    /// The exemptions together cannot be compiled.
    #[error("nothing was changed: {0}")]
    Compile(#[from] CompileError),
    /// The kernel refuses it.
    #[error("{0}")]
    Kernel(String),
    /// A fault of this program or the system.
    #[error("{0}")]
    Broken(String),
}

fn rows_refused(total: usize) -> String {
    match total {
        1 => "1 row is refused".to_owned(),
        many => format!("{many} rows are refused"),
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

impl Refusal {
    /// The answer about a change until the kernel has it, however often it is requested.
    pub(super) fn not_enforced_yet(error: &anyhow::Error) -> Self {
        Self::Kernel(format!(
            "the change is stored but not yet in the kernel: {error:#}; this is retried every {RETRY:?}"
        ))
    }
}
