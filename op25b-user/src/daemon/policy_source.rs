//! The policy that a daemon starts with.

use std::path::Path;

use crate::policy::{self, ReadError, Report};

/// Reads the policy file. `print` gets its errors and warnings.
pub(super) fn read(path: &Path, print: impl Fn(&Report)) -> Result<policy::File, ReadError> {
    let result = policy::read(path);
    match &result {
        Ok(file) => print(&file.warnings),
        Err(ReadError::Invalid(report)) => print(report),
        Err(_) => {}
    }
    result
}
