//! Asks the real program about one packet: `BPF_PROG_TEST_RUN` on an instance that is attached to nothing.

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
    /// The rule that decided, as an index into the list that the reason speaks of.
    pub rule: Option<usize>,
}

/// Why the program could not be asked.
#[derive(Debug, Error)]
pub enum TestRunError {
    /// The kernel does not run it.
    #[error("the kernel did not run the program on the packet (BPF_PROG_TEST_RUN)")]
    Run(#[from] ProgramError),
    /// The decision cannot be read.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The program or its map is not there.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The program's answer makes no sense.
    #[error("the program answered action {action}, {decision:?}: this is a fault in op25b")]
    Nonsense {
        /// The XDP action.
        action: u32,
        /// The record it left.
        decision: values::Decision,
    },
}

/// A filter loaded for questions.
#[derive(Debug)]
pub struct TestRunner {
    filter: Filter,
}

impl TestRunner {
    /// Loads the program with this policy, keeping each decision.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn load(compiled: &Compiled, description: &Description) -> Result<Self, LoadError> {
        let options = LoadOptions {
            log: LogLevel::Off,
            trace: true,
        };
        let mut filter = Filter::load(compiled, description, options)?;
        filter.set_all_tunnels(LOOPBACK)?;
        Ok(Self { filter })
    }

    /// Loads the program beside a filter that is pinned in a directory, to read the same policy, also when that changes.
    pub(super) fn beside(filter: &Filter, pinned: &Path) -> Result<Self, LoadError> {
        Ok(Self {
            filter: filter.beside(pinned)?,
        })
    }

    /// What the program for subscriber interfaces does with `frame`, an Ethernet frame of at least 14 bytes (the kernel
    /// asks for them).
    ///
    /// # Errors
    ///
    /// [`TestRunError`].
    pub fn run(&mut self, frame: &[u8]) -> Result<Decision, TestRunError> {
        self.judge(Role::Subscriber, frame).map(|(decision, _)| decision)
    }

    /// What the program for interfaces of this role does with `frame`, and the frame as the program leaves it.
    ///
    /// # Errors
    ///
    /// [`TestRunError`].
    pub fn judge(&mut self, role: Role, frame: &[u8]) -> Result<(Decision, Vec<u8>), TestRunError> {
        self.forget()?;
        let (action, output) = self.filter.run(role, frame)?;
        let decision = self.decision()?;
        let nonsense = || TestRunError::Nonsense { action, decision };
        let verdict = Verdict::from_u32(decision.verdict).ok_or_else(nonsense)?;
        if action_of(verdict) != action {
            return Err(nonsense());
        }
        let decision = Decision {
            verdict,
            reason: Reason::from_u32(decision.reason).ok_or_else(nonsense)?,
            rule: (decision.rule != NO_RULE).then_some(decision.rule as usize),
        };
        Ok((decision, output))
    }

    /// Lets the program believe that the time of day is so many nanoseconds ahead of the boot-time clock.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn set_clock(&mut self, boot_to_unix: i64) -> Result<(), LoadError> {
        self.filter.set_clock(boot_to_unix)
    }

    /// The packets judged so far by the program for interfaces of this role.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn counters(&self, role: Role) -> Result<Counters, LoadError> {
        self.filter.counters(role)
    }

    /// Overwrites the last decision, so that an answer is this packet's or nonsense.
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
    /// Runs the program for interfaces of this role once on `frame`; the XDP action, and the frame afterwards.
    ///
    /// # Errors
    ///
    /// [`TestRunError::Run`].
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

/// By how much the program makes a frame longer at most: the headers of an ICMP error, rounded up.
const MOST_GROWTH: usize = 64;

/// The interface that test runs come in on: always the loopback's index (Linux `LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The XDP action (`linux/bpf.h`) behind a verdict.
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
