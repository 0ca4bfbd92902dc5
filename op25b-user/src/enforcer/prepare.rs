//! Preparing a filter for a policy: compiled, loaded into the kernel and attached to nothing yet.

use std::{panic, sync::Arc, thread};

use anyhow::Context as _;
use jiff::Timestamp;
use tracing::info;

use super::{described::DescribedPolicy, exemptions::conflicts::file_over_stored};
use crate::{
    datapath::{Description, Directories, Filter, LoadOptions, LoadedBy, LogLevel, Reused},
    policy::{self, Policy},
    store::Record,
};

/// A filter that is loaded and attached to nothing yet.
pub(super) struct Prepared {
    pub(super) filter: Filter,
    pub(super) policy: Arc<Policy>,
    /// The store's records whose exemptions are in the policy.
    pub(super) records: Vec<Record>,
    /// The store's records that do not fit.
    pub(super) left_out: Vec<Record>,
    /// What had expired then is not in the tables.
    pub(super) compiled_at: Timestamp,
    pub(super) description: Description,
    /// What in the policy and the store does not go together.
    pub(super) warnings: Vec<String>,
    pub(super) new_interfaces: NewInterfaces,
}

/// Whether the interfaces that are new in a policy must get its filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NewInterfaces {
    /// They must, as far as the policy says so: otherwise the filter before goes on.
    Required,
    /// They get it if possible: the policy was enforced before, and going back to it may not fail for one of them.
    Optional,
}

/// Loads the policy of a file with the exemptions of these records, or of as many as fit.
pub(super) fn load_with(
    file: policy::File,
    loaded_by: LoadedBy,
    directories: Option<Directories>,
    records: Vec<Record>,
    log: LogLevel,
    reused: &Reused,
) -> anyhow::Result<Prepared> {
    let policy = DescribedPolicy::of_file(file, loaded_by, directories, records)?;
    let warnings = file_over_stored(&policy.policy, policy.compiled_at);
    let prepared = load(policy, log, reused)?;
    Ok(Prepared { warnings, ..prepared })
}

/// Loads a policy, and proves meanwhile that its tables say what it says: of tables that do not, nothing is left in the kernel.
pub(super) fn load(policy: DescribedPolicy, log: LogLevel, reused: &Reused) -> anyhow::Result<Prepared> {
    let DescribedPolicy {
        policy,
        compiled,
        description,
        records,
        left_out,
        compiled_at,
    } = policy;
    let filter = thread::scope(|scope| {
        let proof = thread::Builder::new()
            .name("proof".to_owned())
            .spawn_scoped(scope, || policy::prove(&policy, &compiled, compiled_at))
            .context("cannot start a thread to prove the tables")?;
        let filter = Filter::load_with(&compiled, &description, LoadOptions { log, trace: false }, reused);
        proof.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
        anyhow::Ok(filter?)
    })?;
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
        left_out,
        compiled_at,
        description,
        warnings: Vec::new(),
        new_interfaces: NewInterfaces::Required,
    })
}
