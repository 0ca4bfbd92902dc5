//! Runs the real program on one packet: `BPF_PROG_TEST_RUN` on an instance that is attached to no interface.

use aya::programs::ProgramError;
use op25b_common::{Reason, Verdict, values};
use thiserror::Error;

use super::{
    ask::{execute, run_traced},
    object::{Description, Filter, LoadError, LoadOptions, LogLevel},
    stats::Counters,
    sys::bpf::map::MapError,
};
use crate::policy::{Compiled, Dates, Role};

/// What the program did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens to the packet, by the action that the program returned.
    pub verdict: Verdict,
    /// The row of the verdict table.
    pub reason: Reason,
    /// The rule that decided, as an index into the policy's list that belongs to the reason.
    pub rule: Option<usize>,
}

/// Why there is no decision.
#[derive(Debug, Error)]
pub enum TestRunError {
    /// The kernel does not run the program.
    #[error("the kernel did not run the program on the packet (BPF_PROG_TEST_RUN)")]
    Run(#[from] ProgramError),
    /// The decision cannot be read.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The program or its map cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The program's action does not match the decision that it recorded.
    #[error("the program returned action {action} and recorded {decision:?}: this is a fault in op25b")]
    Inconsistent {
        /// The XDP action.
        action: u32,
        /// The decision that it recorded.
        decision: values::Decision,
    },
}

/// A filter loaded for test runs.
#[derive(Debug)]
pub struct TestRunner {
    filter: Filter,
}

impl TestRunner {
    /// Loads the program with this policy, recording each decision. Packets arrive on an interface without an entry of its
    /// own (Linux `LOOPBACK_IFINDEX`): all tunnels of the policy are filtered inside.
    pub fn load(compiled: &Compiled, description: &Description) -> Result<Self, LoadError> {
        let options = LoadOptions {
            log: LogLevel::Off,
            trace: true,
        };
        Ok(Self {
            filter: Filter::load(compiled, description, options)?,
        })
    }

    /// Runs the program for subscriber interfaces on `frame`, an Ethernet frame of at least 14 bytes (the kernel requires
    /// them).
    pub fn run(&mut self, frame: &[u8]) -> Result<Decision, TestRunError> {
        self.run_from(Role::Subscriber, frame)
            .map(|(decision, _)| decision)
    }

    /// Runs the program for interfaces of this role on `frame`. Returns the decision and the frame as the program leaves it.
    pub fn run_from(&mut self, role: Role, frame: &[u8]) -> Result<(Decision, Vec<u8>), TestRunError> {
        run_traced(self.filter.ebpf_mut(), role, frame, None)
    }

    /// Sets the offset of the time of day from the boot-time clock, in nanoseconds, in the program's map.
    pub fn set_clock(&mut self, boot_to_unix: i64) -> Result<(), LoadError> {
        self.filter.set_clock(boot_to_unix)
    }

    /// Changes the dates of what is enforced, as a pause does while the program runs.
    pub fn set_dates(&mut self, dates: &Dates) -> Result<(), LoadError> {
        self.filter.set_dates(dates)
    }

    /// The packets counted so far by the program for interfaces of this role.
    pub fn counters(&self, role: Role) -> Result<Counters, LoadError> {
        self.filter.counters(role)
    }
}

impl Filter {
    /// Runs the program for interfaces of this role once on `frame`. Returns the XDP action and the frame afterwards.
    pub fn run(&mut self, role: Role, frame: &[u8]) -> Result<(u32, Vec<u8>), TestRunError> {
        execute(self.ebpf_mut(), role, frame, None)
    }
}
