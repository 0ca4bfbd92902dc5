//! The number of CPUs that the kernel may ever use, among which it divides its per-CPU maps.

use std::{io, num::NonZero};

use aya::util::nr_cpus;
use thiserror::Error;

/// The number of CPUs cannot be read.
#[derive(Debug, Error)]
#[error("cannot read from {path} how many CPUs are possible")]
pub struct CpusError {
    /// The kernel's file.
    path: &'static str,
    source: io::Error,
}

/// How many CPUs there may ever be: more than run, where more can be added.
pub(crate) fn possible_cpus() -> Result<NonZero<usize>, CpusError> {
    let count = nr_cpus().map_err(|(path, source)| CpusError { path, source })?;
    // The kernel lists at least the CPU that reads it.
    Ok(NonZero::new(count).unwrap_or(NonZero::<usize>::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cpu_runs_that_is_not_possible() {
        let running = std::thread::available_parallelism().unwrap();
        assert!(possible_cpus().unwrap() >= running);
    }
}
