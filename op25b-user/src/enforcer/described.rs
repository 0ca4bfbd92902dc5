//! The description of a policy, which is stored with the filter in the kernel.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;

use super::{
    exemptions::active_set::exemption,
    fit::{Fitted, fit},
};
use crate::{
    datapath::{
        Description, Directories, InterfaceSummary, LoadedBy, NetworkNamespace, PhaseSummary, PoolSummary,
    },
    policy::{self, CompileError, Compiled, Exemption, Phase, Policy, Pool, Wait},
    store::Record,
};

/// A compiled policy and its description.
pub(super) struct DescribedPolicy {
    pub(super) policy: Arc<Policy>,
    pub(super) compiled: Compiled,
    pub(super) description: Description,
    /// The stored records whose exemptions are in the policy.
    pub(super) records: Vec<Record>,
    /// The stored records that do not fit.
    pub(super) left_out: Vec<Record>,
    /// What had expired then is not in the tables.
    pub(super) compiled_at: Timestamp,
}

impl DescribedPolicy {
    /// The policy of a file with the exemptions of these records, or of as many as fit.
    pub(super) fn of_file(
        file: policy::File,
        loaded_by: LoadedBy,
        directories: Option<Directories>,
        records: Vec<Record>,
    ) -> Result<Self, CompileError> {
        let now = Timestamp::now();
        let mut description = Description {
            loaded_by: Some(loaded_by),
            directories,
            ..describe(&file)
        };
        let has_expired = |exemption: &Exemption| exemption.terms.have_expired(now);
        if records.is_empty() && !file.policy.exemptions.iter().any(has_expired) {
            // It is compiled.
            return Ok(Self {
                policy: Arc::new(file.policy),
                compiled: file.compiled,
                description,
                records,
                left_out: Vec::new(),
                compiled_at: now,
            });
        }
        // It is as large as the one that is to come.
        drop(file.compiled);
        let fitted = fit(file.policy, records, now)?;
        count(&mut description, &fitted.policy);
        Ok(Self::fitted(fitted, description, now))
    }

    /// The policy that is enforced, with the exemptions of these records instead of those before, or of as many as fit.
    pub(super) fn again(
        policy: &Policy,
        records: Vec<Record>,
        before: &Description,
    ) -> Result<Self, CompileError> {
        let now = Timestamp::now();
        let fitted = fit(with_dates(policy, before), records, now)?;
        let description = described_again(before, &fitted.policy);
        Ok(Self::fitted(fitted, description, now))
    }

    /// The same with all of these records, or an error.
    pub(super) fn with_all(
        policy: &Policy,
        records: Vec<Record>,
        before: &Description,
    ) -> Result<Self, CompileError> {
        let now = Timestamp::now();
        let mut policy = with_dates(policy, before);
        let in_file = policy.exemptions_in_file().len();
        policy.exemptions.truncate(in_file);
        policy.exemptions.extend(records.iter().map(exemption));
        Ok(Self {
            compiled: policy::compile_without_expired(&policy, now)?,
            description: described_again(before, &policy),
            policy: Arc::new(policy),
            records,
            left_out: Vec::new(),
            compiled_at: now,
        })
    }

    fn fitted(fitted: Fitted, description: Description, compiled_at: Timestamp) -> Self {
        Self {
            policy: Arc::new(fitted.policy),
            compiled: fitted.compiled,
            description,
            records: fitted.records,
            left_out: fitted.left_out,
            compiled_at,
        }
    }
}

/// The policy that is enforced, with the dates that were reached since it was loaded and with the pauses of its description.
fn with_dates(policy: &Policy, before: &Description) -> Policy {
    let mut policy = policy.clone();
    policy.mark_reached(&before.reached);
    policy.pause(&before.pauses);
    policy
}

/// The description of the policy that is enforced, with other exemptions.
fn described_again(before: &Description, policy: &Policy) -> Description {
    let mut description = Description {
        loaded_at: Timestamp::now(),
        ..before.clone()
    };
    count(&mut description, policy);
    description
}

/// The description of a policy file that this process loads now.
pub(crate) fn describe(file: &policy::File) -> Description {
    let policy = &file.policy;
    let mut description = Description {
        network_namespace: NetworkNamespace::current().ok(),
        policy_sha256: file.sha256.clone(),
        lists: policy.lists.iter().map(|list| list.path.clone()).collect(),
        interfaces: policy
            .interfaces
            .iter()
            .map(|interface| InterfaceSummary {
                name: interface.name.clone(),
                role: interface.role.name().to_owned(),
                xdp: Some(interface.xdp.name().to_owned()),
                wait: Some(interface.wait == Wait::Yes),
            })
            .collect(),
        pools: policy.pools.iter().map(|pool| summary(policy, pool)).collect(),
        reached: file.reached.clone(),
        unlisted: Some(policy.block.unlisted.name().to_owned()),
        pauses: file.pauses.clone(),
        pool_prefixes: policy
            .pools
            .iter()
            .map(|pool| pool.prefixes.iter().map(|prefix| prefix.net).collect())
            .collect(),
        relays: policy.relays.len(),
        ..Description::new(file.path.clone())
    };
    count(&mut description, policy);
    description
}

fn summary(policy: &Policy, pool: &Pool) -> PoolSummary {
    let date = |phase: &Phase| phase.from.map(|from| from.at);
    let everywhere = pool.phases.iter().find(|phase| phase.is_everywhere());
    let phases = if pool.is_phased() { &pool.phases[..] } else { &[] };
    PoolSummary {
        name: pool.name.clone(),
        mode: pool.mode.name().to_owned(),
        prefixes: pool.prefixes.len(),
        remembered: policy.subscribers.remember.includes(&pool.name),
        enforce_from: everywhere.and_then(date),
        phases: (phases.iter().enumerate())
            .map(|(place, phase)| PhaseSummary {
                from: date(phase),
                only_to: phase.only_to.len(),
                sample: sample(phase, &phases[..place]),
            })
            .collect(),
    }
}

/// An address of a phase that the phases before it do not have.
fn sample(phase: &Phase, before: &[Phase]) -> Option<IpAddr> {
    let mut addresses = phase.only_to.iter().map(|prefix| prefix.net.network());
    addresses.find(|address| {
        let mut earlier = before.iter().flat_map(|phase| &phase.only_to);
        !earlier.any(|prefix| prefix.net.contains(address))
    })
}

/// Counts the policy's exemptions.
fn count(description: &mut Description, policy: &Policy) {
    let ends = policy
        .exemptions
        .iter()
        .filter_map(|exemption| exemption.terms.expires_at);
    description.exemption_ends = ends.collect();
    description.exemptions = policy.exemptions.len();
}
