//! What filters in the kernel are doing, for people and for scripts.

pub mod exemptions;
mod metrics;
mod report;
mod status;
mod subscribers;

pub use metrics::Metrics;
pub use report::{DaemonReport, ExemptionReport, InterfaceReport, InterfaceState, LastReload, ReloadAnswer};
pub use status::{
    ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State, Status, StatusError,
    UnreadableStatus, status,
};
pub use subscribers::{
    FilterSubscribers, MissesRow, Question, SortBy, SubscriberRow, SubscribersError, subscribers,
};
