//! The state of the daemon beside the enforcer: where events come from, and what is reported about the process.

use jiff::Timestamp;
use tokio::time::Interval;

use super::{
    clock::Clock,
    control::Control,
    dates::Dates,
    events::{packet_log::PacketLog, scrapes::Scrapes, watch::Watch},
    keeper::Keeper,
    options::Options,
    policy_source::RefusedFile,
};
use crate::{datapath::InterfaceEvents, report::LastReload};

/// The process around an enforcer.
pub(super) struct Daemon {
    pub(super) options: Options,
    pub(super) started_at: Timestamp,
    pub(super) reloads: Reloads,
    pub(super) control: Control,
    pub(super) keeper: Keeper,
    pub(super) scrapes: Scrapes,
    pub(super) watch: Watch,
    pub(super) interface_events: InterfaceEvents,
    pub(super) packet_log: PacketLog,
    pub(super) clock: Clock,
    pub(super) dates: Dates,
    pub(super) ticks: Interval,
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
}
