//! Reads the state of the filters that run from the kernel.

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use thiserror::Error;

use super::types::{
    ElsewhereStatus, EnforcementStatus, ExemptionStatus, FilterStatus, InterfaceStatus, PolicyStatus, State,
    Status, UnreadableStatus,
};
use crate::{
    datapath::{
        NotIpByIndex, PinnedPolicy,
        discover::{self, DiscoverError, Found, FoundFilter, FoundInterface},
        holder, not_ip_of, pinned_elsewhere, pinned_policy, pinned_programs,
    },
    policy::Role,
    report::enforcement::{Enforcement, KnownInterface, interface_reports},
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

/// Reports the filters of this network namespace from the kernel alone; `bpffs` is the pin directory whose state is reported.
pub async fn status(bpffs: &Path) -> Result<Status, StatusError> {
    let now = Timestamp::now();
    let Found { filters, unreadable } = discover::find().await?;
    let daemon = holder(bpffs);
    let unreadable_pins = |source| StatusError::Pins {
        path: bpffs.to_owned(),
        source,
    };
    let pinned = pinned_programs(bpffs).map_err(unreadable_pins)?;
    let elsewhere = pinned_elsewhere(bpffs).map_err(unreadable_pins)?;
    let policy = pinned_policy(bpffs).map_err(unreadable_pins)?;
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
            interfaces: interface_statuses(found.interfaces, &NotIpByIndex::default()),
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
        // The names of a policy that is enforced in another network namespace are those of its interfaces.
        enforcement: policy
            .filter(|_| elsewhere.is_none())
            .as_ref()
            .and_then(enforcement),
        elsewhere: elsewhere.map(|elsewhere| ElsewhereStatus {
            network_namespace: elsewhere.namespace,
            interfaces: elsewhere.interfaces,
        }),
        filters,
        unreadable,
        faults: Vec::new(),
    })
}

/// Whether a pinned policy is enforced on its interfaces; none of one whose version does not describe them.
fn enforcement(policy: &PinnedPolicy) -> Option<EnforcementStatus> {
    let interfaces = policy.description.interfaces.iter();
    let known: Vec<_> = interfaces
        .map(|interface| KnownInterface {
            name: interface.name.clone(),
            program_id: policy.program_id(&interface.role),
            ..KnownInterface::default()
        })
        .collect();
    (!known.is_empty()).then(|| {
        let interfaces = interface_reports(&known);
        EnforcementStatus {
            state: Enforcement::of(&interfaces),
            interfaces,
        }
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
        interfaces: interface_statuses(found.interfaces, &found.not_ip),
        pools: description.pools,
        relays: description.relays,
        exemptions: ExemptionStatus {
            total: description.exemptions,
            active: description.exemptions - expired,
            expired,
            as_loaded: true,
        },
        map_bytes: found.map_bytes,
        counters: found.subscriber,
        uplink_counters: has_uplink.then_some(found.uplink),
    }
}

fn interface_statuses(interfaces: Vec<FoundInterface>, not_ip: &NotIpByIndex) -> Vec<InterfaceStatus> {
    let indices: Vec<u32> = interfaces.iter().map(|interface| interface.index).collect();
    let interfaces = interfaces.into_iter().zip(not_ip_of(not_ip, &indices));
    interfaces
        .map(|(interface, not_ip)| InterfaceStatus {
            name: interface.name,
            ifindex: interface.index,
            role: interface.role.name().to_owned(),
            xdp: interface.mode.to_owned(),
            program_id: interface.program_id,
            not_ip,
        })
        .collect()
}
