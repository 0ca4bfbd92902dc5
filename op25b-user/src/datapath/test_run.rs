//! Runs the real program on one packet: `BPF_PROG_TEST_RUN` on an instance that is attached to no interface.

use std::path::Path;

use aya::{
    maps::{Array, MapData},
    programs::{ProgramError, TestRun as _, TestRunOptions},
};
use op25b_common::{
    Reason, Verdict,
    names::DECISION,
    values::{self, NO_RULE},
};
use thiserror::Error;

use super::{
    object::{Description, Filter, LoadError, LoadOptions, LogLevel},
    stats::Counters,
    sys::map::MapError,
};
use crate::policy::{Compiled, Role};

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

    /// Loads the program with the policy's maps of a filter that is pinned in a directory, so that it follows every change.
    pub(super) fn beside(filter: &Filter, pinned: &Path) -> Result<Self, LoadError> {
        Ok(Self {
            filter: filter.beside(pinned)?,
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
        self.forget()?;
        let (action, output) = self.filter.run(role, frame)?;
        let decision = self.decision()?;
        let inconsistent = || TestRunError::Inconsistent { action, decision };
        let verdict = Verdict::from_u32(decision.verdict).ok_or_else(inconsistent)?;
        if action_of(verdict) != action {
            return Err(inconsistent());
        }
        let decision = Decision {
            verdict,
            reason: Reason::from_u32(decision.reason).ok_or_else(inconsistent)?,
            rule: (decision.rule != NO_RULE).then_some(decision.rule as usize),
        };
        Ok((decision, output))
    }

    /// Sets the offset of the time of day from the boot-time clock, in nanoseconds, in the program's map.
    pub fn set_clock(&mut self, boot_to_unix: i64) -> Result<(), LoadError> {
        self.filter.set_clock(boot_to_unix)
    }

    /// The packets counted so far by the program for interfaces of this role.
    pub fn counters(&self, role: Role) -> Result<Counters, LoadError> {
        self.filter.counters(role)
    }

    /// Overwrites the last decision, so that what is read afterwards is this packet's decision or an invalid one.
    fn forget(&mut self) -> Result<(), TestRunError> {
        let nothing = values::Decision {
            reason: u32::MAX,
            verdict: u32::MAX,
            rule: u32::MAX,
        };
        Ok(self.filter.set_decision(nothing)?)
    }

    fn decision(&self) -> Result<values::Decision, TestRunError> {
        let failed = MapError::read(DECISION);
        let array = Array::<&MapData, values::Decision>::try_from(self.filter.map(DECISION)?);
        Ok(array.and_then(|array| array.get(&0, 0)).map_err(failed)?)
    }
}

impl Filter {
    /// Runs the program for interfaces of this role once on `frame`. Returns the XDP action and the frame afterwards.
    pub fn run(&mut self, role: Role, frame: &[u8]) -> Result<(u32, Vec<u8>), TestRunError> {
        let mut output = vec![0; frame.len() + MOST_GROWTH];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut output),
            ..TestRunOptions::default()
        };
        let result = self.program(role)?.test_run(options)?;
        output.truncate(result.data_size_out as usize);
        Ok((result.return_value, output))
    }
}

/// The most bytes that the program adds to a frame: the headers of an ICMP error, rounded up.
const MOST_GROWTH: usize = 64;

/// The XDP action (`linux/bpf.h`) of a verdict.
fn action_of(verdict: Verdict) -> u32 {
    const XDP_DROP: u32 = 1;
    const XDP_PASS: u32 = 2;
    const XDP_TX: u32 = 3;
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
        Verdict::Reject => XDP_TX,
    }
}
