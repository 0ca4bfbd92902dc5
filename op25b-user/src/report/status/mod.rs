//! The report of `op25b status`: what should be enforced and what every filter here enforces, since when, where and for whom.

mod document;
mod file;
mod filter;
mod pools;
mod read;

pub use document::{ElsewhereStatus, EnforcementStatus, Status, UnreadableStatus};
pub use file::{ComparedFile, FileReport, FileState};
pub use filter::{ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State};
pub use pools::{PhaseStatus, PoolState, PoolStatus, PoolWord, pool_statuses};
pub use read::{KernelStatus, StatusError, status};
