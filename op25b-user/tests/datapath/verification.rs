//! Every kind of policy loads, far from the verifier's limit.

use op25b::{
    datapath::{Filter, LoadOptions, LogLevel, expected_memory},
    policy::Role,
};

use crate::support::{filter, parse, prepared, world::policy};

/// A fifth of what the verifier goes through before it gives up (`BPF_COMPLEXITY_LIMIT_INSNS`): kernels differ
/// in what they take together.
const BUDGET: u32 = 200_000;

#[test]
fn every_policy_and_every_option_verifies_within_a_fifth_of_the_limit() {
    for ports in [&[25][..], &[25, 2525], &[1, 2, 3, 4, 5, 6, 7, 65535]] {
        for (uninspectable, unlisted) in [
            ("drop", "drop"),
            ("drop", "pass"),
            ("pass", "drop"),
            ("pass", "pass"),
        ] {
            for log in [LogLevel::Off, LogLevel::Debug] {
                for trace in [false, true] {
                    let block = format!(
                        "block: {{ ports: {ports:?}, uninspectable: {uninspectable}, unlisted: {unlisted} }}\n"
                    );
                    let mut filter = filter(&policy(&block), LoadOptions { log, trace });
                    let verified = filter
                        .program_info(Role::Subscriber)
                        .unwrap()
                        .verified_instruction_count()
                        .unwrap();
                    let words = format!("{verified} instructions verified: {log:?}, trace {trace}, {block}");
                    print!("{words}");
                    assert!(verified < BUDGET, "{words}");
                }
            }
        }
    }
}

#[test]
fn the_memory_of_a_policy_is_known_before_it_is_loaded() {
    /// The description, whose length is not known before.
    const DESCRIPTION: u64 = 64 << 10;
    let small = policy("");
    let large = small.replace("prefixes: [", "prefixes: [100.64.0.0/12, ");
    let mut before = 0;
    for text in [small, large] {
        let (compiled, description) = prepared(&parse(&text));
        let (expected, _) = expected_memory(&compiled).unwrap();
        let taken = Filter::load(&compiled, &description, LoadOptions::default())
            .unwrap()
            .map_bytes()
            .unwrap();
        assert!(expected.abs_diff(taken) < DESCRIPTION, "{expected} {taken}");
        assert!(expected > before, "{expected}");
        before = expected;
    }
}
