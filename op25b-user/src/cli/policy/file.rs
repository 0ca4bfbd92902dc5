//! Reads the policy file of a command.

use std::path::Path;

use crate::{
    cli::{progress::Progress, stderr},
    policy::{self, File, ReadError, Report},
};

/// Reads a policy file.
pub(in crate::cli) fn read(path: &Path) -> Result<File, ReadError> {
    let _progress = Progress::of("reading the policy");
    policy::read(path)
}

/// The same; its errors and warnings go to stderr.
pub(in crate::cli) fn read_and_print(path: &Path) -> anyhow::Result<File> {
    let result = read(path);
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
