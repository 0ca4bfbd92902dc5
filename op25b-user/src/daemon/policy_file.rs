//! Reading a policy to enforce or explain it: once, so that what is checked, enforced and described is the same text.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{
    datapath::{Description, PoolSummary},
    policy::{self, CompileError, Compiled, Exemption, Loaded, Policy, Report},
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

/// Why a policy may not be enforced.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is none.
    #[error("{}: the policy has errors; nothing was changed", .0.file())]
    Invalid(Report),
    /// It does not fit into the kernel.
    #[error("{}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: CompileError,
    },
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

/// Reads, checks and compiles the policy at `path`.
pub(crate) fn read(path: &Path) -> Result<PolicyFile, Refused> {
    let unreadable = |source| Refused::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::read(path).map_err(unreadable)?;
    let Loaded { policy, warnings } =
        policy::parse_bytes(&path.display().to_string(), &bytes).map_err(Refused::Invalid)?;
    let policy_sha256 = digest(&bytes);
    // A large policy's text is as large as its tables: not both at once.
    drop(bytes);
    let compiled = policy::compile(&policy).map_err(|source| Refused::TooMuch {
        path: path.to_owned(),
        source,
    })?;
    let absolute = path::absolute(path).map_err(unreadable)?;
    let description = describe(absolute, policy_sha256, &policy);
    Ok(PolicyFile {
        policy: Arc::new(policy),
        compiled,
        description,
        warnings,
    })
}

/// The same for a command: what is wrong with the policy goes to stderr.
pub(crate) fn read_aloud(path: &Path) -> anyhow::Result<PolicyFile> {
    let result = read(path);
    match &result {
        Ok(file) => file.warnings.print_to_stderr()?,
        Err(Refused::Invalid(report)) => report.print_to_stderr()?,
        Err(_) => {}
    }
    Ok(result?)
}

/// The SHA-256 of a policy's text, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// What the loaded program will say of itself.
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

/// Says how many exemptions there are.
fn count(description: &mut Description, policy: &Policy) {
    let ends = policy.exemptions.iter().filter_map(|exemption| exemption.expires);
    description.exemption_ends = ends.collect();
    description.exemptions = policy.exemptions.len();
}
