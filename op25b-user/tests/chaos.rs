//! Whatever happens to a daemon, nothing calls an interface enforced that is open: the short form of `cargo xtask chaos`.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

use std::{path::Path, time::Duration};

use op25b_testlab::chaos::{Limits, Outcome, new_seed, parse, run, run_seed, sequences};

/// The tests of this file run at once, on a machine that may be slow.
const PATIENCE: u32 = 5;
/// How long the random walk takes.
const RANDOM: Duration = Duration::from_secs(35);

fn op25b() -> &'static Path {
    let lacks = op25b_testlab::runtime::lacks();
    assert!(lacks.is_empty(), "this test needs {}", lacks.join("; and "));
    Path::new(env!("CARGO_BIN_EXE_op25b"))
}

fn limits() -> Limits {
    Limits::PROMISED.times(PATIENCE)
}

#[track_caller]
fn assert_good(outcome: &Outcome, what: &str) {
    println!("{what}:\n{outcome}");
    if let Some(failure) = &outcome.failure {
        panic!("{what}:\n{}\n\n{failure}", outcome.steps.join("\n"));
    }
    assert!(outcome.rounds > 0 && outcome.packets > 0, "{outcome}");
}

#[test]
fn no_kind_of_fault_makes_a_false_report_lets_a_packet_through_elsewhere_or_lasts() {
    let rounds = parse(sequences::EVERY_KIND).unwrap();
    let outcome = run(op25b(), &rounds, limits()).unwrap();
    assert_good(&outcome, "every kind of fault");
    assert_eq!(outcome.rounds, rounds.len());
    // What passes is seen: a foreign program lets everything through.
    assert!(outcome.passed("foreign access0") > 0, "{outcome}");
}

#[test]
fn walks_that_failed_once_do_not_fail_again() {
    // In one lab, one after the other: each undoes its faults.
    let rounds: Vec<_> = sequences::REGRESSIONS
        .iter()
        .flat_map(|(sentence, steps)| {
            println!("{sentence}: {steps}");
            parse(steps).unwrap()
        })
        .collect();
    let outcome = run(op25b(), &rounds, limits()).unwrap();
    assert_good(&outcome, "walks that failed once");
    assert_eq!(outcome.rounds, rounds.len());
}

#[test]
fn a_random_walk_finds_nothing() {
    let seed = new_seed();
    println!("seed {seed}");
    let outcome = run_seed(op25b(), seed, &[], RANDOM, limits()).unwrap();
    assert_good(&outcome, &format!("seed {seed}"));
}
