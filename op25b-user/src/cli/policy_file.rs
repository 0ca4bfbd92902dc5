//! Reads the policy file of a command.

use std::path::Path;

use crate::policy::{self, File, ReadError};

/// Reads a policy file. Its errors and warnings go to stderr.
pub(super) fn read(path: &Path) -> anyhow::Result<File> {
    let result = policy::read(path);
    match &result {
        Ok(file) => file.warnings.print_to_stderr()?,
        Err(ReadError::Invalid(report)) => report.print_to_stderr()?,
        Err(_) => {}
    }
    Ok(result?)
}
