//! An XDP program that is not op25b's, as the tests use it: a failure of the lab is a failed test.

use std::{io, path::Path};

use op25b_testlab::{
    filter::Filter,
    foreign_program::{self, ForeignProgram as Foreign},
    lab::NetNs,
};

pub use op25b_testlab::foreign_program::NAME;

/// A program that passes everything, on one interface; dropping it detaches it.
pub struct ForeignProgram {
    _program: Foreign,
}

impl ForeignProgram {
    /// Loads one and attaches it, in the driver or in the network stack.
    pub fn attach(namespace: &NetNs, interface: &'static str, native: bool) -> Self {
        Self::try_attach(namespace, interface, native).unwrap()
    }

    /// Attaches one natively where a filter runs, quicker than its daemon could put the filter back.
    pub fn instead_of(filter: &Filter, router: &NetNs, interface: &'static str) -> Self {
        let program = Foreign::instead_of(filter, router, interface).unwrap();
        Self { _program: program }
    }

    /// [`Self::attach`], where the kernel may refuse it.
    pub fn try_attach(namespace: &NetNs, interface: &'static str, native: bool) -> io::Result<Self> {
        let program = Foreign::attach(namespace, interface, native).unwrap()?;
        Ok(Self { _program: program })
    }
}

/// Ends the link that is pinned at a path, as `bpftool link detach` does.
pub fn detach(pin: &Path) {
    foreign_program::detach(pin).unwrap();
}

/// Puts a foreign program on the link that is pinned at a path.
pub fn replace(pin: &Path) {
    foreign_program::replace(pin).unwrap();
}
