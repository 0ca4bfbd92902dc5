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

/// Why something was not done.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// It is not valid, or not valid without `force`.
    #[error("{0}")]
    Invalid(String),
    /// It contradicts another exemption.
    #[error("{0}")]
    Conflict(String),
    /// There is no such exemption.
    #[error("there is no exemption {0}; `op25b exempt list` shows all")]
    Unknown(String),
    /// It is the policy file's.
    #[error("{0}")]
    InFile(String),
    /// Rows of an import make no sense; the first of them, and how many there are.
    #[error("{total} of the rows are refused, and none was added")]
    Rows {
        /// The first of them.
        rows: Vec<RowRefusal>,
        /// How many there are.
        total: usize,
    },
    /// The key of an earlier request that asked for something else.
    #[error("this Idempotency-Key was used for another request before; use a new one")]
    KeyReused,
    /// The store does not take it.
    #[error("nothing was changed: {0}")]
    Store(#[from] StoreError),
    /// It does not go together with all the others.
    #[error("nothing was changed: {0}")]
    Compile(#[from] CompileError),
    /// The kernel does not take it.
    #[error("{0}")]
    Kernel(String),
    /// A fault of this program or the system.
    #[error("{0}")]
    Broken(String),
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid.to_string())
    }
}

impl Refusal {
    /// What is answered about a change until the kernel has it, however often it is asked for.
    pub(super) fn not_enforced_yet(error: &anyhow::Error) -> Self {
        Self::Broken(format!(
            "it is stored, and the kernel does not have it yet: {error:#}; this is tried again every {RETRY:?}"
        ))
    }
}
