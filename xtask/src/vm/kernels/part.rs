//! The parts of the test, and which tests each has.

use std::time::Instant;

use clap::ValueEnum;

use super::{
    super::machine::Machine,
    programs::Programs,
    row::Row,
    scenarios,
    targets::{self, Tests},
};

/// A part of it, the ones that matter most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The programs in the kernel's verifier, in every configuration.
    Verifier,
    /// Bonds, VLANs, PPP over Ethernet and over L2TP.
    Scenarios,
    /// Single frames through the program.
    Datapath,
    /// Random frames and policies, compared with the oracle.
    Oracle,
    /// Start, stop, takeover and changes of interfaces.
    Lifecycle,
    /// Attempts to get past the filter, over real stacks.
    Evasions,
}

/// What of a target asks no kernel: it runs with `--all` only.
const OF_NO_KERNEL: [&str; 1] = ["self_tests::"];

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Verifier,
        Self::Scenarios,
        Self::Datapath,
        Self::Oracle,
        Self::Lifecycle,
        Self::Evasions,
    ];

    /// Its tests: those whose outcome may be another one on another kernel, or all of them.
    pub const fn tests(self, all: bool) -> Option<Tests> {
        let (target, words, skipped): (_, &[&str], &[&str]) = match self {
            Self::Verifier => ("verifier", &[], &[]),
            Self::Datapath => ("datapath", &[], &[]),
            Self::Oracle if all => ("oracle", &[], &[]),
            Self::Oracle => ("oracle", &[], &OF_NO_KERNEL),
            Self::Lifecycle if all => (
                "namespaces",
                &[
                    "generic::",
                    "pins::",
                    "power_on::",
                    "reconcile::",
                    "starting::",
                    "stopping::",
                ],
                &[],
            ),
            // How links are attached, replaced and pinned, and what mount and network namespaces do to pins.
            Self::Lifecycle => (
                "namespaces",
                &[
                    "generic::",
                    "pins::network_namespace::",
                    "pins::persistence::",
                    "reconcile::",
                    "stopping::",
                ],
                &[],
            ),
            Self::Evasions if all => ("evasions", &[], &[]),
            // What these compare with is what the kernel's own stack makes of a packet, or forwards.
            Self::Evasions => (
                "evasions",
                &["linux", "fragments::", "overlaps::", "replies::", "softwires::"],
                &[],
            ),
            Self::Scenarios => return None,
        };
        Some(Tests {
            target,
            words,
            skipped,
        })
    }

    /// Its word.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Runs it; an error is a row, too.
    pub fn run(self, machine: &mut Machine, programs: &Programs, all: bool) -> Row {
        machine.say(&format!("==> {}", self.name()));
        let start = Instant::now();
        let result = match self.tests(all) {
            Some(tests) => targets::run(machine, programs, tests),
            None => scenarios::run(machine, programs),
        };
        let row = result.unwrap_or_else(|error| Row {
            failed: vec![format!("{error:#}")],
            is_stuck: true,
            ..Row::default()
        });
        Row {
            part: self.name(),
            took: start.elapsed(),
            ..row
        }
    }
}
