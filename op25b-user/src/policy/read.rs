//! Reads policy files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    diagnostics::Report,
    parse::{Loaded, parse_bytes},
};

/// Why there is no policy.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is no policy; the report says why, and has the warnings as well.
    #[error("{}: the policy has errors", .0.file())]
    Invalid(Report),
}

/// Reads a policy file.
///
/// # Errors
///
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse_bytes(&path.display().to_string(), &bytes).map_err(LoadError::Invalid)
}
