//! Reading a policy for a command that enforces or explains it: its diagnostics go to stderr, its errors end it.

use std::{
    fs,
    path::{self, Path},
};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    datapath::{Description, PoolSummary},
    policy::{self, Compiled, Loaded, Policy},
};

/// A policy that may be enforced.
pub(super) struct PolicyFile {
    pub(super) policy: Policy,
    pub(super) compiled: Compiled,
    pub(super) description: Description,
}

/// Reads, checks and compiles the policy at `path`; prints what is wrong with it.
pub(super) fn read(path: &Path) -> anyhow::Result<PolicyFile> {
    // Once: what is checked, enforced and described by its hash is the same text, whoever writes the file meanwhile.
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Loaded { policy, warnings } = match policy::parse_bytes(&path.display().to_string(), &bytes) {
        Ok(loaded) => loaded,
        Err(report) => {
            report.print_to_stderr()?;
            bail!("{}: the policy has errors; nothing was changed", path.display());
        }
    };
    warnings.print_to_stderr()?;
    let compiled = policy::compile(&policy).with_context(|| path.display().to_string())?;
    let description = describe(path, &bytes, &policy)?;
    Ok(PolicyFile {
        policy,
        compiled,
        description,
    })
}

/// What the loaded program will say of itself.
fn describe(path: &Path, bytes: &[u8], policy: &Policy) -> anyhow::Result<Description> {
    let ends = policy.exemptions.iter().filter_map(|exemption| exemption.expires);
    Ok(Description {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        loaded_at: Timestamp::now(),
        policy_file: path::absolute(path)
            .with_context(|| format!("cannot tell the absolute path of {}", path.display()))?,
        policy_sha256: format!("{:x}", Sha256::digest(bytes)),
        pools: policy
            .pools
            .iter()
            .map(|pool| PoolSummary {
                name: pool.name.clone(),
                mode: pool.mode.name().to_owned(),
                prefixes: pool.prefixes.len(),
            })
            .collect(),
        relays: policy.relays.len(),
        exemptions: policy.exemptions.len(),
        exemption_ends: ends.collect(),
    })
}
