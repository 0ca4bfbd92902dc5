//! The report of `op25b status`: what every filter here enforces, since when and where, as JSON or as text.

mod read;
mod text;
mod types;

pub use read::{StatusError, status};
pub use types::{
    EnforcementStatus, ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State, Status,
    UnreadableStatus,
};
