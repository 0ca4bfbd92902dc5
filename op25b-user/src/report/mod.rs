//! What filters in the kernel are doing, for people and for scripts.

mod daemon;
pub mod exemptions;
mod metrics;
mod status;
mod subscribers;

pub use daemon::{DaemonReport, ExemptionReport, InterfaceReport, InterfaceState, LastReload, ReloadAnswer};
pub use metrics::Metrics;
pub use status::{
    ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State, Status, StatusError,
    UnreadableStatus, status,
};
pub use subscribers::{
    FilterSubscribers, MissesRow, Question, SortBy, SubscriberRow, SubscribersError, subscribers,
};
