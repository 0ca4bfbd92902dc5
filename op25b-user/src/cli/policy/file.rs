//! Reads the policy file of a command.

use std::path::Path;

use crate::{
    cli::stderr,
    policy::{self, File, ReadError, Report},
};

/// Reads a policy file. Its errors and warnings go to stderr.
pub(in crate::cli) fn read(path: &Path) -> anyhow::Result<File> {
    let result = policy::read(path);
    match &result {
        Ok(file) => print(&file.warnings),
        Err(ReadError::Invalid(report)) => print(report),
        Err(_) => {}
    }
    Ok(result?)
}

/// Prints errors and warnings of a policy file to stderr.
pub(in crate::cli) fn print(report: &Report) {
    stderr::text(format_args!("{report:#}"));
}
