//! Reads the policy file of a command.

use std::path::Path;

use super::stderr;
use crate::policy::{self, File, ReadError};

/// Reads a policy file. Its errors and warnings go to stderr.
pub(super) fn read(path: &Path) -> anyhow::Result<File> {
    let result = policy::read(path);
    match &result {
        Ok(file) => stderr::text(format_args!("{:#}", file.warnings)),
        Err(ReadError::Invalid(report)) => stderr::text(format_args!("{report:#}")),
        Err(_) => {}
    }
    Ok(result?)
}
