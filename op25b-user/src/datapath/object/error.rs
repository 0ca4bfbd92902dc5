//! The errors of loading a filter and of working with a loaded one.

use std::{borrow::Cow, io};

use aya::{EbpfError, programs::ProgramError};
use thiserror::Error;

use crate::datapath::sys::{
    bpf::{
        map::{MapError, MapOp},
        possible_cpus::CpusError,
    },
    requirements::denial,
};

/// Why a filter could not be loaded; nothing is left in the kernel.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The object cannot be loaded.
    #[error("cannot load the eBPF object into the kernel")]
    Object(#[source] EbpfError),
    /// The verifier refused the program.
    #[error(
        "the kernel refused the XDP program {program}: {source}{}",
        details(source, log)
    )]
    Refused {
        /// The program's name.
        program: &'static str,
        /// The kernel's answer.
        source: io::Error,
        /// The last lines of the verifier's log, which is very long.
        log: String,
    },
    /// An operation on a program failed.
    #[error("cannot use the XDP program")]
    Program(#[from] ProgramError),
    /// An operation on a map failed.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The object in this binary lacks something: the build is broken.
    #[error("the embedded eBPF object has no {name}: this build of op25b is broken")]
    Missing {
        /// What is missing.
        name: &'static str,
    },
    /// The description cannot be written as JSON.
    #[error("cannot write the filter's description as JSON")]
    Description(#[from] serde_json::Error),
    /// The system's clocks cannot be read.
    #[error("cannot read the system's clocks")]
    Clock(#[from] nix::Error),
    /// The number of CPUs cannot be read.
    #[error(transparent)]
    Cpus(#[from] CpusError),
}

/// The verifier's words or, if it was not asked, what may deny the program.
fn details(error: &io::Error, log: &str) -> String {
    if log.is_empty() {
        denial::remark(error)
    } else {
        format!("; verifier: {log}")
    }
}

impl From<EbpfError> for LoadError {
    fn from(error: EbpfError) -> Self {
        match error {
            EbpfError::MapError(aya::maps::MapError::CreateError { name, io_error }) => MapError {
                op: MapOp::Create,
                name: Cow::Owned(name),
                source: io_error.into(),
            }
            .into(),
            error => Self::Object(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn a_map_that_the_kernel_does_not_create_is_named() {
        let refused = || io::Error::from_raw_os_error(libc::ENOMEM);
        let error = LoadError::from(EbpfError::MapError(aya::maps::MapError::CreateError {
            name: "PAGES".into(),
            io_error: refused(),
        }));
        assert_eq!(error.to_string(), "cannot create map PAGES");
        assert_eq!(error.source().unwrap().to_string(), refused().to_string());
    }
}
