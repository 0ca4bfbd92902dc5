//! A policy that may be enforced, with the description that the loaded program has of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    datapath::{Description, PoolSummary},
    policy::{self, CompileError, Compiled, Exemption, Policy, ReadError, Report},
};

/// A policy that may be enforced.
#[derive(Debug)]
pub(crate) struct PolicyFile {
    pub(crate) policy: Arc<Policy>,
    pub(crate) compiled: Compiled,
    pub(crate) description: Description,
    /// What in it is probably not what was meant.
    pub(crate) warnings: Report,
}

impl From<policy::File> for PolicyFile {
    fn from(file: policy::File) -> Self {
        Self {
            description: describe(file.path, file.sha256, &file.policy),
            policy: Arc::new(file.policy),
            compiled: file.compiled,
            warnings: file.warnings,
        }
    }
}

impl PolicyFile {
    /// The same with exemptions that the file does not have.
    pub(crate) fn with(mut self, more: impl Iterator<Item = Exemption>) -> Result<Self, CompileError> {
        let mut more = more.peekable();
        if more.peek().is_some() {
            Arc::make_mut(&mut self.policy).exemptions.extend(more);
            self.compiled = policy::compile(&self.policy)?;
            count(&mut self.description, &self.policy);
        }
        Ok(self)
    }

    /// A policy that was enforced before, with other exemptions.
    pub(crate) fn again(policy: Policy, before: &Description) -> Result<Self, CompileError> {
        let mut description = Description {
            loaded_at: Timestamp::now(),
            ..before.clone()
        };
        count(&mut description, &policy);
        Ok(Self {
            compiled: policy::compile(&policy)?,
            warnings: Report::new(&description.policy_file.display().to_string()),
            policy: Arc::new(policy),
            description,
        })
    }
}

/// Reads a policy for a command: its errors and warnings go to stderr.
pub(crate) fn read_aloud(path: &Path) -> anyhow::Result<PolicyFile> {
    let result = policy::read(path);
    match &result {
        Ok(file) => file.warnings.print_to_stderr()?,
        Err(ReadError::Invalid(report)) => report.print_to_stderr()?,
        Err(_) => {}
    }
    Ok(result?.into())
}

/// The description of a program that enforces this policy.
fn describe(policy_file: PathBuf, policy_sha256: String, policy: &Policy) -> Description {
    let mut description = Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        loaded_at: Timestamp::now(),
        policy_file,
        policy_sha256,
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
    let ends = policy.exemptions.iter().filter_map(|exemption| exemption.expires);
    description.exemption_ends = ends.collect();
    description.exemptions = policy.exemptions.len();
}
