//! Reads the state of the filters that run from the kernel.

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use thiserror::Error;

use super::{
    document::{ElsewhereStatus, Status, UnreadableStatus},
    filter::{ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State},
    pools::pool_statuses,
};
use crate::{
    datapath::{
        CounterTable, Description, NotIpByIndex,
        discover::{self, DiscoverError, Found, FoundFilter, FoundInterface},
        holder, not_ip_of, packets_of, pinned_elsewhere, pinned_policy, pinned_programs,
    },
    policy::Role,
    report::enforcement::{InterfaceReport, InterfaceState, KnownInterface, interface_reports},
};

/// Why there is no report.
#[derive(Debug, Error)]
pub enum StatusError {
    /// The filters cannot be found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The pins cannot be read.
    #[error("cannot read what is pinned at {}", path.display())]
    Pins {
        /// The pin directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What the kernel shows.
#[derive(Debug)]
pub struct KernelStatus {
    /// The report, without what only a daemon knows.
    pub status: Status,
    /// The description of the policy that the report is about.
    pub description: Option<Description>,
}

/// Reports the filters of this network namespace from the kernel alone; `bpffs` is the pin directory whose policy should be enforced
/// on its interfaces. If nothing is pinned there, that is the policy of the filter that runs.
pub fn status(bpffs: &Path) -> Result<KernelStatus, StatusError> {
    let now = Timestamp::now();
    let Found { filters, unreadable } = discover::find()?;
    let daemon = holder(bpffs);
    let unreadable_pins = |source| StatusError::Pins {
        path: bpffs.to_owned(),
        source,
    };
    let pinned = pinned_programs(bpffs).map_err(unreadable_pins)?;
    let elsewhere = pinned_elsewhere(bpffs).map_err(unreadable_pins)?;
    // The names of a policy that is enforced in another network namespace are those of its interfaces.
    let policy = match &elsewhere {
        Some(_) => None,
        None => pinned_policy(bpffs).map_err(unreadable_pins)?,
    };
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
    let mut interfaces = Vec::new();
    match &policy {
        // Earlier versions do not describe them.
        Some(policy) if !policy.description.interfaces.is_empty() => {
            let program_id = |role: &str| policy.program_id(role);
            interfaces = interface_reports(&known(&policy.description, program_id), bpffs);
        }
        _ if elsewhere.is_some() => {}
        _ => {
            for filter in &filters {
                if filter.description.interfaces.is_empty() {
                    interfaces.extend(filter.interfaces.iter().map(only_found));
                    continue;
                }
                let program_id = |role: &str| {
                    let mut attached = filter.interfaces.iter();
                    let found = attached.find(|interface| interface.role.name() == role);
                    found.map(|interface| interface.program_id)
                };
                interfaces.extend(interface_reports(&known(&filter.description, program_id), bpffs));
            }
            let unreadable = unreadable.iter().flat_map(|filter| &filter.interfaces);
            interfaces.extend(unreadable.map(only_found));
        }
    }
    let description = policy.as_ref().map(|policy| policy.description.clone());
    let description = description.or_else(|| Some(filters.first()?.description.clone()));
    let description = description.filter(|_| elsewhere.is_none());
    let mut filters: Vec<_> = filters
        .into_iter()
        .map(|found| filter_status(state(&found.interfaces), found, now))
        .collect();
    filters.sort_by_key(|filter| filter.state == State::PinnedElsewhere);
    let unreadable: Vec<_> = unreadable
        .into_iter()
        .map(|found| UnreadableStatus {
            state: state(&found.interfaces),
            interfaces: interface_statuses(found.interfaces, &NotIpByIndex::default(), None),
            why: found.why,
        })
        .collect();
    let mut status = Status::nothing();
    if policy.is_some() || !interfaces.is_empty() {
        status = status.with_interfaces(interfaces);
    }
    if let Some(description) = &description {
        status.version = Some(description.version.clone());
        status.policy_file = Some(description.policy_file.clone());
        status.policy_sha256 = Some(description.policy_sha256.clone());
        status.lists.clone_from(&description.lists);
        status.loaded_at = Some(description.policy_loaded_at());
        status.loaded_by.clone_from(&description.loaded_by);
        // One whose filter runs nowhere has pools all the same.
        status.pools = pool_statuses(description, None, now);
        status.pauses = description.pauses.in_force(now).cloned().collect();
    }
    let status = Status {
        pid: daemon,
        daemon,
        elsewhere: elsewhere.map(|elsewhere| ElsewhereStatus {
            network_namespace: elsewhere.namespace,
            interfaces: elsewhere.interfaces,
        }),
        unreadable,
        ..status.with_filters(filters)
    };
    Ok(KernelStatus { status, description })
}

/// The interfaces of a policy, with the ids of the programs that are to run there by role.
fn known(description: &Description, program_id: impl Fn(&str) -> Option<u32>) -> Vec<KnownInterface> {
    let interfaces = description.interfaces.iter();
    interfaces
        .map(|interface| KnownInterface {
            name: interface.name.clone(),
            role: Some(interface.role.clone()),
            wanted_xdp: interface.xdp.clone(),
            wait: interface.wait,
            program_id: program_id(&interface.role),
            ..KnownInterface::default()
        })
        .collect()
}

/// An interface with a filter of which nothing else is known.
fn only_found(found: &FoundInterface) -> InterfaceReport {
    InterfaceReport {
        name: found.name.clone(),
        state: InterfaceState::Enforced,
        role: Some(found.role.name().to_owned()),
        wanted_xdp: None,
        wait: None,
        since: None,
        ifindex: Some(found.index),
        program_id: Some(found.program_id),
        why: None,
        xdp: Some(found.mode.to_owned()),
        native_refused: None,
        warnings: Vec::new(),
        interferences: 0,
    }
}

fn filter_status(state: State, found: FoundFilter, now: Timestamp) -> FilterStatus {
    let pools = pool_statuses(&found.description, found.pool_starts.as_ref(), now);
    let description = found.description;
    let loaded_at = description.policy_loaded_at();
    let expired = description.exemption_ends.ended(now);
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
            loaded_at,
            loaded_by: description.loaded_by,
            lists: description.lists,
        },
        interfaces: interface_statuses(
            found.interfaces,
            &found.not_ip,
            found.pools.is_some().then_some(&found.counters),
        ),
        pools,
        relays: description.relays,
        exemptions: ExemptionStatus {
            total: description.exemptions,
            active: description.exemptions - expired,
            expired,
            as_loaded: true,
        },
        ipv6_misses: found.records.and_then(|records| records.misses_v6().ok()),
        map_bytes: found.map_bytes,
        counters: found.counters.of(Role::Subscriber),
        uplink_counters: has_uplink.then(|| found.counters.of(Role::Uplink)),
        pool_packets: found.pools,
        answers: found.answers,
    }
}

fn interface_statuses(
    interfaces: Vec<FoundInterface>,
    not_ip: &NotIpByIndex,
    counters: Option<&CounterTable>,
) -> Vec<InterfaceStatus> {
    let indices: Vec<u32> = interfaces.iter().map(|interface| interface.index).collect();
    let roles = interfaces.iter().map(|interface| interface.role);
    let attached: Vec<_> = indices.iter().copied().zip(roles).collect();
    let packets = match counters {
        Some(counters) => packets_of(counters, &attached).into_iter().map(Some).collect(),
        None => vec![None; attached.len()],
    };
    let interfaces = interfaces
        .into_iter()
        .zip(not_ip_of(not_ip, &indices))
        .zip(packets);
    interfaces
        .map(|((interface, not_ip), packets)| InterfaceStatus {
            name: interface.name,
            ifindex: interface.index,
            role: interface.role.name().to_owned(),
            xdp: interface.mode.to_owned(),
            program_id: interface.program_id,
            not_ip,
            packets,
        })
        .collect()
}
