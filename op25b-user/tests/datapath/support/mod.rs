//! Runs a table of frames through the program and compares the decisions.

use std::fmt::Write as _;

use op25b::{
    datapath::{Counters, Decision, Description, Filter, LoadOptions, PoolSummary, TestRunner, requirements},
    policy::{self, Compiled, Policy, Pool, Role},
};
use op25b_common::{Reason, Verdict};

pub mod framing;
pub mod generations;
pub mod kernel;
pub mod packet;
pub mod world;

/// Mismatches that are printed; the others are counted.
const SHOWN: usize = 20;

/// One line of a table: a frame, what happens to it, and a description.
pub struct Row {
    pub words: String,
    pub frame: Vec<u8>,
    pub expected: Decision,
}

pub fn row(words: impl Into<String>, frame: Vec<u8>, expected: Decision) -> Row {
    Row {
        words: words.into(),
        frame,
        expected,
    }
}

pub const NOT_IP: Decision = untouched(Reason::NotIp);
pub const NOT_TCP: Decision = untouched(Reason::NotTcp);
pub const LATER_FRAGMENT: Decision = untouched(Reason::LaterFragment);
pub const OTHER_PORT: Decision = untouched(Reason::OtherPort);
pub const NOT_POOLED: Decision = untouched(Reason::NotPooled);
pub const NOT_POOLED_DROPPED: Decision = Decision {
    verdict: Verdict::Drop,
    ..NOT_POOLED
};
/// From a source in no pool.
pub const UNINSPECTABLE: Decision = untouched(Reason::Uninspectable);
pub const UNINSPECTABLE_DROPPED: Decision = Decision {
    verdict: Verdict::Drop,
    ..UNINSPECTABLE
};

const fn untouched(reason: Reason) -> Decision {
    Decision {
        verdict: Verdict::Pass,
        reason,
        rule: None,
    }
}

const fn by_rule(verdict: Verdict, reason: Reason, rule: usize) -> Decision {
    Decision {
        verdict,
        reason,
        rule: Some(rule),
    }
}

pub const fn relay(rule: usize) -> Decision {
    by_rule(Verdict::Pass, Reason::Relay, rule)
}

pub const fn exempt(rule: usize) -> Decision {
    by_rule(Verdict::Pass, Reason::Exempt, rule)
}

pub const fn blocked(pool: usize) -> Decision {
    by_rule(Verdict::Drop, Reason::Blocked, pool)
}

pub const fn monitored(pool: usize) -> Decision {
    by_rule(Verdict::Pass, Reason::Monitored, pool)
}

pub const fn uninspectable_dropped(pool: usize) -> Decision {
    by_rule(Verdict::Drop, Reason::Uninspectable, pool)
}

pub const fn uninspectable_passed(pool: usize) -> Decision {
    by_rule(Verdict::Pass, Reason::Uninspectable, pool)
}

/// The policy with these sections, as YAML; warnings do not matter here.
pub fn parse(sections: &str) -> Policy {
    let text = format!("version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\n{sections}");
    match policy::parse("test.yaml", &text) {
        Ok(loaded) => loaded.policy,
        Err(report) => panic!("{text}\n{report}"),
    }
}

/// The program with that policy, ready for test runs.
pub fn runner(sections: &str) -> TestRunner {
    runner_of(&parse(sections))
}

pub fn runner_of(policy: &Policy) -> TestRunner {
    let (compiled, description) = prepared(policy);
    TestRunner::load(&compiled, &description)
        .unwrap_or_else(|error| panic!("the program does not load: {error:?}"))
}

/// The program as it is loaded for work.
pub fn filter(sections: &str, options: LoadOptions) -> Filter {
    let (compiled, description) = prepared(&parse(sections));
    Filter::load(&compiled, &description, options)
        .unwrap_or_else(|error| panic!("the program does not load: {error:?}"))
}

/// What a filter is loaded from.
pub fn prepared(policy: &Policy) -> (Compiled, Description) {
    if let Err(missing) = requirements::check() {
        panic!("this test runs the XDP program in the kernel: {missing}");
    }
    let description = Description {
        relays: policy.relays.len(),
        exemptions: policy.exemptions.len(),
        pools: policy.pools.iter().map(described).collect(),
        ..Description::new("/nowhere/test.yaml")
    };
    (policy::compile(policy).unwrap(), description)
}

/// A pool of a description; nothing depends on more than its name here.
fn described(pool: &Pool) -> PoolSummary {
    PoolSummary {
        name: pool.name.clone(),
        mode: String::new(),
        prefixes: pool.prefixes.len(),
        remembered: true,
        enforce_from: None,
        phases: Vec::new(),
    }
}

/// Runs every row's frame. Then each must have been counted once, under its own reason, or not at all.
pub fn check(runner: &mut TestRunner, rows: &[Row]) {
    assert!(!rows.is_empty(), "a table without rows proves nothing");
    let before = runner.counters(Role::Subscriber).unwrap();
    let mut wrong = 0;
    let mut report = String::new();
    for Row {
        words,
        frame,
        expected,
    } in rows
    {
        let answer = runner.run(frame);
        if answer.as_ref().is_ok_and(|decision| decision == expected) {
            continue;
        }
        wrong += 1;
        if wrong <= SHOWN {
            let answer = match answer {
                Ok(decision) => format!("{decision:?}"),
                Err(error) => format!("{error:?}"),
            };
            writeln!(
                report,
                "\n{words}\n  expected {expected:?}\n  got      {answer}\n  frame    {}",
                hex(frame)
            )
            .unwrap();
        }
    }
    assert!(
        wrong == 0,
        "{wrong} of {} rows get another decision:\n{report}",
        rows.len()
    );
    check_counted(
        &before,
        &runner.counters(Role::Subscriber).unwrap(),
        rows.iter().map(|row| row.expected.reason),
    );
}

/// The counters moved by these packets and no others.
pub fn check_counted(before: &Counters, after: &Counters, reasons: impl Iterator<Item = Reason>) {
    let mut expected = [0; Reason::COUNT];
    for reason in reasons.filter(|reason| reason.is_counted()) {
        expected[reason as usize] += 1;
    }
    for reason in Reason::ALL {
        let counted = after.packets(reason) - before.packets(reason);
        assert_eq!(
            counted,
            expected[reason as usize],
            "packets counted as {}",
            reason.name()
        );
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

/// Runs a test in a network namespace of its own, which ends with the test's thread.
pub fn in_a_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
