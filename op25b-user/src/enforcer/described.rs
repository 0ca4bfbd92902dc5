//! The description of a policy, which is stored with the filter in the kernel.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    datapath::{Description, PoolSummary},
    policy::{self, CompileError, Compiled, Exemption, Policy},
};

/// A compiled policy and its description.
pub(super) struct DescribedPolicy {
    pub(super) policy: Arc<Policy>,
    pub(super) compiled: Compiled,
    pub(super) description: Description,
}

impl From<policy::File> for DescribedPolicy {
    fn from(file: policy::File) -> Self {
        Self {
            description: describe(&file),
            policy: Arc::new(file.policy),
            compiled: file.compiled,
        }
    }
}

impl DescribedPolicy {
    /// The policy with exemptions that the file does not have.
    pub(super) fn with(mut self, more: impl Iterator<Item = Exemption>) -> Result<Self, CompileError> {
        let mut more = more.peekable();
        if more.peek().is_some() {
            Arc::make_mut(&mut self.policy).exemptions.extend(more);
            self.compiled = policy::compile(&self.policy)?;
            count(&mut self.description, &self.policy);
        }
        Ok(self)
    }

    /// The policy that is enforced, with other exemptions.
    pub(super) fn again(policy: Policy, before: &Description) -> Result<Self, CompileError> {
        let mut description = Description {
            loaded_at: Timestamp::now(),
            ..before.clone()
        };
        count(&mut description, &policy);
        Ok(Self {
            compiled: policy::compile(&policy)?,
            policy: Arc::new(policy),
            description,
        })
    }
}

/// The description of a policy file that this process loads now.
pub(crate) fn describe(file: &policy::File) -> Description {
    let policy = &file.policy;
    let mut description = Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        loaded_at: Timestamp::now(),
        policy_file: file.path.clone(),
        policy_sha256: file.sha256.clone(),
        pools: policy
            .pools
            .iter()
            .map(|pool| PoolSummary {
                name: pool.name.clone(),
                mode: pool.mode.name().to_owned(),
                prefixes: pool.prefixes.len(),
            })
            .collect(),
        pool_prefixes: policy
            .pools
            .iter()
            .map(|pool| pool.prefixes.iter().map(|prefix| prefix.net).collect())
            .collect(),
        relays: policy.relays.len(),
        exemptions: 0,
        exemption_ends: Vec::new(),
    };
    count(&mut description, policy);
    description
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
