//! Preparing a filter for a policy: compiled, loaded into the kernel and attached to nothing yet.

use std::sync::Arc;

use tracing::info;

use super::{described::DescribedPolicy, exemptions::active_set::exemption};
use crate::{
    datapath::{Description, Filter, LoadOptions, LogLevel, Reused},
    policy::{self, Policy},
    store::Record,
};

/// A filter that is loaded and attached to nothing yet.
pub(super) struct Prepared {
    pub(super) filter: Filter,
    pub(super) policy: Arc<Policy>,
    /// The store's records whose exemptions are in the policy.
    pub(super) records: Vec<Record>,
    pub(super) description: Description,
}

/// Loads the policy of a file with the exemptions of these records.
pub(super) fn load_with(
    file: policy::File,
    records: Vec<Record>,
    log: LogLevel,
    reused: &Reused,
) -> anyhow::Result<Prepared> {
    let policy = DescribedPolicy::from(file).with(records.iter().map(exemption))?;
    load(policy, records, log, reused)
}

/// Loads a policy that has the exemptions of these records.
pub(super) fn load(
    policy: DescribedPolicy,
    records: Vec<Record>,
    log: LogLevel,
    reused: &Reused,
) -> anyhow::Result<Prepared> {
    let DescribedPolicy {
        policy,
        compiled,
        description,
    } = policy;
    let filter = Filter::load_with(&compiled, &description, LoadOptions { log, trace: false }, reused)?;
    info!(
        policy = %description.policy_file.display(),
        pools = policy.pools.len(),
        relays = policy.relays.len(),
        exemptions = policy.exemptions.len(),
        "loaded"
    );
    Ok(Prepared {
        filter,
        policy,
        records,
        description,
    })
}
