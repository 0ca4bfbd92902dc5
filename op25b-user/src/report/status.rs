//! The answer of `op25b status`: one record for each filter, as JSON or as text.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use thiserror::Error;

use super::LastReload;
use crate::{
    datapath::{
        Counters, PoolSummary,
        discover::{self, DiscoverError, Found, FoundFilter, FoundInterface},
        holder, pinned_programs,
    },
    policy::Role,
};

/// Everything that `op25b status` says.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether the filter that is pinned where one looked enforces.
    pub state: State,
    /// The daemon's process, if one holds the place where one looked.
    pub daemon: Option<u32>,
    /// The filters on interfaces of this network namespace, wherever they are pinned.
    pub filters: Vec<FilterStatus>,
    /// Those of them that another version of op25b has loaded, and that this one cannot read.
    pub unreadable: Vec<UnreadableStatus>,
}

/// A filter that does not tell this version what it enforces.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadableStatus {
    /// Whether anybody keeps it up to date.
    pub state: State,
    /// Where it is attached.
    pub interfaces: Vec<InterfaceStatus>,
    /// What of it cannot be read.
    pub why: String,
}

/// Whether a filter enforces, and whether anybody keeps it up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does, and a daemon runs.
    Enforcing,
    /// It does, and no daemon runs.
    EnforcingAlone,
    /// It is pinned elsewhere than where one looked: another daemon's, or of another mount namespace.
    PinnedElsewhere,
    /// There is none.
    NotEnforcing,
}

/// One filter.
#[derive(Clone, Debug, Serialize)]
pub struct FilterStatus {
    /// Whether anybody keeps it up to date.
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
    pub pools: Vec<PoolSummary>,
    /// How many relays there are.
    pub relays: usize,
    /// The exemptions.
    pub exemptions: ExemptionStatus,
    /// Bytes of kernel memory that the filter's maps hold.
    pub map_bytes: u64,
    /// Packets from subscribers by reason, in the words of the verdict table.
    pub counters: Counters,
    /// Packets from the Internet by reason; nothing without an uplink interface.
    pub uplink_counters: Option<Counters>,
}

/// Where a policy came from.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyStatus {
    /// The file.
    pub file: PathBuf,
    /// Its SHA-256 when it was read.
    pub sha256: String,
    /// When it was loaded into the kernel.
    pub loaded_at: Timestamp,
}

/// One attachment.
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceStatus {
    /// The interface's name.
    pub name: String,
    /// The interface's index.
    pub ifindex: u32,
    /// What comes in there, in the policy's word.
    pub role: &'static str,
    /// `native` or `generic`.
    pub xdp: &'static str,
    /// The XDP program's id in the kernel.
    pub program_id: u32,
}

/// How many exemptions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExemptionStatus {
    /// All of the policy's.
    pub total: usize,
    /// Those that hold now.
    pub active: usize,
    /// Those that have ended.
    pub expired: usize,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum StatusError {
    /// The kernel does not tell of filters.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The pins cannot be read.
    #[error("cannot read what is pinned at {}", path.display())]
    Pins {
        /// Where.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Asks the kernel about the filters here, and about the one that is pinned at `bpffs` in particular.
pub async fn status(bpffs: &Path) -> Result<Status, StatusError> {
    let now = Timestamp::now();
    let Found { filters, unreadable } = discover::find().await?;
    let daemon = holder(bpffs);
    let pinned = pinned_programs(bpffs).map_err(|source| StatusError::Pins {
        path: bpffs.to_owned(),
        source,
    })?;
    let state = |interfaces: &[FoundInterface]| {
        let mut programs = interfaces.iter().map(|interface| interface.program_id);
        if !programs.any(|program| pinned.contains(&program)) {
            State::PinnedElsewhere
        } else if daemon.is_some() {
            State::Enforcing
        } else {
            State::EnforcingAlone
        }
    };
    let filters: Vec<_> = filters
        .into_iter()
        .map(|found| filter_status(state(&found.interfaces), found, now))
        .collect();
    let unreadable: Vec<_> = unreadable
        .into_iter()
        .map(|found| UnreadableStatus {
            state: state(&found.interfaces),
            interfaces: interface_statuses(found.interfaces),
            why: found.why,
        })
        .collect();
    let here = filters.iter().map(|filter| filter.state);
    let here = here.chain(unreadable.iter().map(|filter| filter.state));
    Ok(Status {
        state: here
            .min_by_key(|state| *state as u8)
            .unwrap_or(State::NotEnforcing),
        daemon,
        filters,
        unreadable,
    })
}

fn filter_status(state: State, found: FoundFilter, now: Timestamp) -> FilterStatus {
    let description = found.description;
    let expired = description
        .exemption_ends
        .iter()
        .filter(|end| **end <= now)
        .count();
    let has_uplink = found
        .interfaces
        .iter()
        .any(|interface| interface.role == Role::Uplink);
    FilterStatus {
        state,
        pid: description.pid,
        version: description.version,
        last_reload: None,
        policy: PolicyStatus {
            file: description.policy_file,
            sha256: description.policy_sha256,
            loaded_at: description.loaded_at,
        },
        interfaces: interface_statuses(found.interfaces),
        pools: description.pools,
        relays: description.relays,
        exemptions: ExemptionStatus {
            total: description.exemptions,
            active: description.exemptions - expired,
            expired,
        },
        map_bytes: found.map_bytes,
        counters: found.subscriber,
        uplink_counters: has_uplink.then_some(found.uplink),
    }
}

fn interface_statuses(interfaces: Vec<FoundInterface>) -> Vec<InterfaceStatus> {
    let interfaces = interfaces.into_iter();
    interfaces
        .map(|interface| InterfaceStatus {
            name: interface.name,
            ifindex: interface.index,
            role: interface.role.name(),
            xdp: interface.mode,
            program_id: interface.program_id,
        })
        .collect()
}

fn write_interfaces(f: &mut fmt::Formatter<'_>, interfaces: &[InterfaceStatus]) -> fmt::Result {
    let mut label = "interfaces";
    for interface in interfaces {
        writeln!(
            f,
            "  {label:<10}  {} ({}, {}, program {})",
            interface.name, interface.role, interface.xdp, interface.program_id
        )?;
        label = "";
    }
    Ok(())
}

impl fmt::Display for UnreadableStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "enforcing, loaded by another version of op25b than this one ({})",
            env!("CARGO_PKG_VERSION")
        )?;
        let daemon = match self.state {
            State::Enforcing => "runs",
            State::EnforcingAlone => "none",
            State::PinnedElsewhere | State::NotEnforcing => "at another place",
        };
        writeln!(f, "  daemon      {daemon}")?;
        write_interfaces(f, &self.interfaces)?;
        writeln!(f, "  description not readable by this version: {}", self.why)
    }
}

impl fmt::Display for FilterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self
            .policy
            .loaded_at
            .to_zoned_datetime(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S %:z");
        let (alone, daemon) = match self.state {
            State::EnforcingAlone => (" alone", "none; last "),
            State::PinnedElsewhere => ("", "at another place; "),
            State::Enforcing | State::NotEnforcing => ("", ""),
        };
        writeln!(f, "enforcing{alone} since {since}")?;
        writeln!(
            f,
            "  daemon      {daemon}process {} (op25b {})",
            self.pid, self.version
        )?;
        if let Some(reload) = &self.last_reload {
            writeln!(f, "  reload      {reload}")?;
        }
        writeln!(f, "  policy      {}", self.policy.file.display())?;
        write_interfaces(f, &self.interfaces)?;
        let mut label = "pools";
        for pool in &self.pools {
            writeln!(
                f,
                "  {label:<10}  {} ({}, prefixes: {})",
                pool.name, pool.mode, pool.prefixes
            )?;
            label = "";
        }
        writeln!(f, "  relays      {}", self.relays)?;
        let ExemptionStatus {
            total,
            active,
            expired,
        } = self.exemptions;
        writeln!(f, "  exemptions  {total} ({active} active, {expired} expired)")?;
        writeln!(
            f,
            "  memory      {} MiB of kernel memory",
            self.map_bytes.div_ceil(1 << 20)
        )?;
        match &self.uplink_counters {
            None => {
                writeln!(f, "  {:<13} {:>15}", "reason", "packets")?;
                for (reason, packets) in self.counters.iter() {
                    writeln!(f, "  {:<13} {packets:>15}", reason.name())?;
                }
            }
            Some(uplink) => {
                writeln!(f, "  {:<13} {:>15} {:>15}", "reason", "subscriber", "uplink")?;
                for ((reason, packets), (_, from_uplink)) in self.counters.iter().zip(uplink.iter()) {
                    writeln!(f, "  {:<13} {packets:>15} {from_uplink:>15}", reason.name())?;
                }
            }
        }
        Ok(())
    }
}
