//! Reports for people and scripts: status, subscribers, exemptions and metrics, from the state of the other modules.

pub(crate) mod activity;
mod alert;
mod daemon;
mod diagnosis;
pub(crate) mod doctor;
mod enforcement;
mod event;
pub mod exemptions;
mod explained;
pub(crate) mod here;
mod impact;
mod index;
mod metrics;
mod net_text;
mod not_in_force;
mod paused;
mod pool_addresses;
mod reload;
pub(crate) mod rollout;
mod status;
mod subscribers;

pub(crate) use alert::AlertQuery;
pub use alert::{Alert, AlertCounts, AlertLimits, AlertPage, Beyond};
pub(crate) use daemon::WENT_BACK;
pub use daemon::{DaemonReport, ExemptionReport, HistoryReport, LastReload};
pub(crate) use diagnosis::{
    AskedKind, Attempts, Diagnosis, FilterState, Observation, Observed, Part, PlaceVerdict, Pools, Target,
    address_or_prefix, divide, sort_exemptions,
};
pub use enforcement::{Enforcement, InterfaceReport, InterfaceState, KnownInterface, interface_reports};
pub use event::{Event, EventCount, EventPage, TcpFlags};
pub(crate) use event::{EventQuery, Made as MadeEvent, shown_reason};
pub(crate) use explained::{NO_FILTER, explained};
pub(crate) use impact::impact;
pub use impact::{Affected, Impact, PoolImpact};
pub(crate) use index::Index;
pub use metrics::{DaemonMetrics, Metrics, MetricsFormat};
pub(crate) use paused::{how_to_resume, pause_end, paused, paused_until};
pub(crate) use pool_addresses::{PoolReport, pool_reports};
pub use reload::{Confirmed, PolicyInForce, ReloadAnswer, ReloadResult, UnconfirmedReload, WentBack};
pub use status::{
    ComparedFile, ElsewhereStatus, EnforcementStatus, ExemptionStatus, FileReport, FileState, FilterStatus,
    InterfaceStatus, KernelStatus, PhaseStatus, PolicyStatus, PoolState, PoolStatus, PoolWord, State, Status,
    StatusError, UnreadableStatus, pool_statuses, status,
};
pub use subscribers::{
    CountsSince, FilterSubscribers, MissesRow, PoolRate, Rates, Recent, SortOrder, SubscriberQuery,
    SubscriberRate, SubscriberRates, SubscriberRow, Subscribers, SubscribersError, subscribers,
};
pub(crate) use subscribers::{
    FilterRecords, Forgotten, Measured, RateQuery, RateSort, Readings, Watched, attempts, measure, overdue,
    subscribers_of,
};
