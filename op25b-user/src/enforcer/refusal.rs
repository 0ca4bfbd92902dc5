//! Why a change of the exemptions is not made, and how that is said at the control socket.

use thiserror::Error;

use crate::{
    api::{Problem, ProblemKind, RowProblem},
    exemption::Invalid,
    policy::CompileError,
    store::StoreError,
};

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
        rows: Vec<RowProblem>,
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let kind = match refusal {
            Refusal::Invalid(_) => ProblemKind::Invalid,
            Refusal::Conflict(_) => ProblemKind::Conflict,
            Refusal::Unknown(_) => ProblemKind::NotFound,
            Refusal::InFile(_) => ProblemKind::ReadOnly,
            Refusal::KeyReused => ProblemKind::KeyReused,
            Refusal::Compile(_) | Refusal::Kernel(_) => ProblemKind::InsufficientStorage,
            Refusal::Broken(_) => ProblemKind::Internal,
            Refusal::Rows { rows, .. } => return Self::invalid_rows(detail, rows),
            Refusal::Store(error) => {
                return Self {
                    detail,
                    ..Self::from(error)
                };
            }
        };
        Self::new(kind, detail)
    }
}
