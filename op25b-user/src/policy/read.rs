//! Reads a policy file once, so that what is checked, enforced and described is the same text.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{
    compile::{CompileError, Compiled, compile},
    diagnostics::Report,
    model::Policy,
    parse::{Loaded, parse_bytes},
};

/// A policy file whose policy can be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its absolute path.
    pub path: PathBuf,
    /// The SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The policy.
    pub policy: Policy,
    /// What the program for the policy reads.
    pub compiled: Compiled,
    /// What in it is probably not what was meant.
    pub warnings: Report,
}

/// Why a policy file cannot be enforced.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The policy has errors; the report has the warnings as well.
    #[error("{}: the policy has errors; nothing was changed", .0.file())]
    Invalid(Report),
    /// The policy has no errors, but does not fit into the kernel.
    #[error("{}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The policy and its warnings.
        loaded: Box<Loaded>,
        /// What it has too much of.
        source: CompileError,
    },
}

/// Reads, checks and compiles the policy file at `path`.
pub fn read(path: &Path) -> Result<File, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::read(path).map_err(unreadable)?;
    let loaded = parse_bytes(&path.display().to_string(), &bytes).map_err(ReadError::Invalid)?;
    let sha256 = digest(&bytes);
    // A large policy's text is as large as its tables: not both at once.
    drop(bytes);
    let compiled = match compile(&loaded.policy) {
        Ok(compiled) => compiled,
        Err(source) => {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                loaded: Box::new(loaded),
                source,
            });
        }
    };
    let Loaded { policy, warnings } = loaded;
    Ok(File {
        path: path::absolute(path).map_err(unreadable)?,
        sha256,
        policy,
        compiled,
        warnings,
    })
}

/// The SHA-256 of a policy's text, in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
