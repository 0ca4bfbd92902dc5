//! The state of the daemon beside the enforcer: where events come from, and what is reported about the process.

use jiff::Timestamp;
use tokio::{
    task::AbortHandle,
    time::{Instant, Interval},
};

use super::{
    announce::Announced,
    clock::Clock,
    control::Control,
    dates::Dates,
    events::{packet_log::PacketLog, questions::Questions, scrapes::Scrapes, signals::Signals, watch::Watch},
    framing::FramingWatch,
    history::HistoryThread,
    keeper::Keeper,
    metrics_server::MetricsServer,
    operations::Operations,
    options::Options,
    packet_events::PacketEvents,
    policy_source::RefusedFile,
    reload::{Comparisons, Waiting},
    retention::Retention,
};
use crate::{datapath::InterfaceEvents, report::LastReload, state_dir::Unconfirmed};

/// The process around an enforcer.
pub(super) struct Daemon {
    pub(super) options: Options,
    pub(super) started_at: Timestamp,
    pub(super) reloads: Reloads,
    pub(super) announced: Announced,
    pub(super) control: Control,
    pub(super) keeper: Keeper,
    /// Whether the kernel is given pauses that are kept already.
    pub(super) is_pausing: bool,
    pub(super) operations: Operations,
    pub(super) retention: Retention,
    pub(super) signals: Signals,
    /// The signal that ends the daemon, once it has arrived.
    pub(super) stopping: Option<Stopping>,
    /// Whether a signal has asked for a reload that is not done yet.
    pub(super) reload_is_due: bool,
    pub(super) questions: Questions,
    pub(super) scrapes: Scrapes,
    pub(super) watch: Watch,
    pub(super) interface_events: InterfaceEvents,
    pub(super) packet_log: PacketLog,
    pub(super) packet_events: PacketEvents,
    pub(super) clock: Clock,
    pub(super) framing: FramingWatch,
    pub(super) history: HistoryThread,
    pub(super) metrics_server: MetricsServer,
    pub(super) dates: Dates,
    pub(super) ticks: Interval,
    /// The upkeep of the store, if it is under way.
    pub(super) maintenance: Option<AbortHandle>,
}

/// A signal that ends the daemon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    /// Its name.
    pub(super) signal: &'static str,
    /// Until when work that is under way may end.
    pub(super) until: Instant,
}

/// The reloads so far.
#[derive(Default)]
pub(super) struct Reloads {
    /// How many were done.
    pub(super) done: u64,
    /// How many were refused.
    pub(super) refused: u64,
    /// The last one.
    pub(super) last: Option<LastReload>,
    /// The digest of the policy file when it was read last, whether it was refused or not.
    pub(super) digest: Option<String>,
    /// Why the policy file is not enforced, since the start.
    pub(super) refused_file: Option<RefusedFile>,
    /// How that is compared with what is enforced.
    pub(super) comparisons: Comparisons,
    /// The reload that waits for a confirmation.
    pub(super) waiting: Option<Waiting>,
    /// The one that was not confirmed and was taken back.
    pub(super) went_back: Option<Unconfirmed>,
    /// The thread that reads the policy file.
    pub(super) reading: Option<AbortHandle>,
}
