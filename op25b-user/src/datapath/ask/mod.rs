//! Asks what a filter in the kernel does with a packet: the same program, with the same constants, over the maps of that filter.
//!
//! The program on an interface records no decisions, and a packet that it is run on counts. So its object is loaded once more,
//! attached to nothing, with its `.rodata` and with the maps that hold its policy; only counters and records are its own.

mod attached;
mod class;
mod points;
mod trace;

use aya::{Ebpf, programs::ProgramError};
use op25b_common::values::{Class, RuleIndex, UnixSeconds};

pub(super) use self::trace::{execute, run as run_traced};
pub use self::{
    attached::{AskError, AttachedProgram, attached_programs},
    points::{NoPoint, Point},
};
use super::{
    object::{LoadError, load_program},
    test_run::{Decision, TestRunError},
};
use crate::policy::Role;

/// A filter that is asked.
#[derive(Debug)]
pub struct Asker {
    ebpf: Ebpf,
}

impl Asker {
    pub(super) fn new(ebpf: Ebpf) -> Self {
        Self { ebpf }
    }

    /// What the filter does with a frame that the interface of this index receives.
    pub fn ask(
        &mut self,
        role: Role,
        interface: Option<u32>,
        frame: &[u8],
    ) -> Result<Decision, TestRunError> {
        self.prepare(role)?;
        let (decision, _) = run_traced(&mut self.ebpf, role, frame, interface)?;
        Ok(decision)
    }

    /// What the filter has for a subscriber's address: its pool and its exemptions, merged; none if it is in neither.
    pub fn class(&self, address: std::net::IpAddr) -> Result<Option<Class>, LoadError> {
        class::of(&self.ebpf, address)
    }

    /// From when on the pool of a class is enforced towards a destination, and by which of its phases that is: the place of one that
    /// has not every destination.
    pub(crate) fn enforced_from(
        &self,
        class: &Class,
        destination: std::net::IpAddr,
    ) -> Result<(UnixSeconds, Option<RuleIndex>), LoadError> {
        let phase = class::phase(&self.ebpf, class, destination)?;
        Ok(match phase.filter(|phase| phase.from <= class.enforce_from) {
            Some(phase) => (phase.from, Some(phase.place)),
            None => (class.enforce_from, None),
        })
    }

    /// From when on the pool of a class is enforced towards any destination.
    pub(crate) fn first_enforced_from(&self, class: &Class) -> Result<UnixSeconds, LoadError> {
        Ok(class::first_phase(&self.ebpf, class)?.min(class.enforce_from))
    }

    /// Loads the program for this role when it is first asked.
    fn prepare(&mut self, role: Role) -> Result<(), LoadError> {
        match load_program(&mut self.ebpf, role) {
            Err(LoadError::Program(ProgramError::AlreadyLoaded)) => Ok(()),
            result => result,
        }
    }
}
