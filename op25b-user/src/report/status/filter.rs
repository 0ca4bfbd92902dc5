//! One filter in the kernel, as `op25b status` shows it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pools::PoolStatus;
use crate::{
    datapath::{AnswerCount, Counters, LoadedBy, Misses, NotIp, PacketCounts, PoolCounts},
    report::daemon::LastReload,
};

/// Whether a filter enforces, and whether a daemon keeps it up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FilterState)]
pub enum State {
    /// It does, and a daemon runs.
    Enforcing,
    /// It does, and no daemon runs.
    EnforcingAlone,
    /// It is pinned in another directory: another daemon's, or one of another mount namespace.
    PinnedElsewhere,
    /// There is no filter.
    NotEnforcing,
}

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterStatus {
    /// Whether it enforces, and whether a daemon runs.
    pub state: State,
    /// The process that loaded it.
    pub pid: u32,
    /// The op25b that loaded it.
    pub version: String,
    /// Its daemon's last reload, if there was one and the daemon answers at its control socket.
    pub last_reload: Option<LastReload>,
    /// The policy it enforces.
    pub policy: PolicyStatus,
    /// Where it is attached.
    pub interfaces: Vec<InterfaceStatus>,
    /// The pools.
    pub pools: Vec<PoolStatus>,
    /// How many relays there are.
    pub relays: usize,
    /// The exemptions.
    pub exemptions: ExemptionStatus,
    /// How often IPv6 packets found no record of their subscriber; none if the kernel's records cannot be read.
    #[serde(default)]
    pub ipv6_misses: Option<Misses>,
    /// Bytes of kernel memory that the filter's maps hold.
    pub map_bytes: u64,
    /// Packets from subscribers by the reasons of the verdict table.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub counters: Counters,
    /// Packets from the Internet by reason; none without an uplink interface.
    #[schema(value_type = Option<std::collections::HashMap<String, u64>>)]
    pub uplink_counters: Option<Counters>,
    /// The packets by pool, for the metrics; none if another version counts them otherwise.
    #[serde(skip)]
    pub pool_packets: Option<PoolCounts>,
    /// The replies to rejected packets, for the metrics; none if another version counts them otherwise.
    #[serde(skip)]
    pub answers: Option<Vec<AnswerCount>>,
}

/// Where a policy came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyStatus {
    /// The file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// Its SHA-256 when it was read.
    pub sha256: String,
    /// When it was loaded into the kernel.
    #[schema(value_type = String, format = DateTime)]
    pub loaded_at: Timestamp,
    /// What had it loaded, when and for whom; none if an earlier version loaded it.
    #[serde(default)]
    pub loaded_by: Option<LoadedBy>,
    /// The lists that it reads.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub lists: Vec<PathBuf>,
}

/// One attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterfaceStatus {
    /// The interface's name.
    pub name: String,
    /// The interface's index.
    pub ifindex: u32,
    /// Which packets it receives, as in the policy.
    pub role: String,
    /// `native` or `generic`.
    pub xdp: String,
    /// The XDP program's id in the kernel.
    pub program_id: u32,
    /// Frames that are not IP, by their last `EtherType` in hexadecimal, `llc` for those with a length field instead, and `other`.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub not_ip: NotIp,
    /// The packets by reason and verdict, for the metrics; none if another version counts them otherwise.
    #[serde(skip)]
    pub packets: Option<PacketCounts>,
}

/// How many exemptions are active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExemptionStatus {
    /// All of the policy's.
    pub total: usize,
    /// Those that are active now.
    pub active: usize,
    /// Those that have expired.
    pub expired: usize,
    /// Whether they were counted when the policy was loaded, without the changes since: no daemon reports them.
    #[serde(default)]
    pub as_loaded: bool,
}
