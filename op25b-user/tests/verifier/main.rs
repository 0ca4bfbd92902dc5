//! What does the verifier make of the program, in each configuration, and is it within the limits that are promised?
//!
//! `cargo xtask inspect` runs this too and shows the numbers.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod configurations;
mod measure;
mod stack;

use std::{env, fs};

use configurations::{Configuration, all};
use measure::{Measured, object_size};
use serde::Serialize;

/// Where to write the numbers, as JSON.
const VARIABLE: &str = "OP25B_INSPECT_FILE";

/// Translated instructions: those that are left when the verifier has removed what is never reached. It is what a
/// program could have before Linux 5.2 (`BPF_MAXINSNS`): small enough for a CPU's caches, and to be read.
const MOST_INSTRUCTIONS: u32 = 4_096;
/// Instructions that the verifier goes through: a tenth of where it gives up (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MOST_VERIFIED: u32 = 100_000;
/// The kernel's stack for a program and the functions that it calls, in bytes (`MAX_BPF_STACK`).
const MOST_STACK: u32 = 512;

/// What is promised, for `cargo xtask inspect` to show beside what is.
#[derive(Serialize)]
struct Limits {
    instructions: u32,
    verified: u32,
    stack: u32,
}

#[derive(Serialize)]
struct Report {
    /// Bytes of the object with both programs, debug information included.
    object_bytes: u64,
    limits: Limits,
    programs: Vec<Measured>,
    /// What is over a limit, a sentence each.
    broken: Vec<String>,
}

/// What is over a limit.
fn broken(configuration: &Configuration, measured: &Measured) -> Vec<String> {
    let limits = [
        // Diagnostics are for finding a fault, on kernels of today.
        (
            "translated instructions",
            measured.instructions,
            MOST_INSTRUCTIONS - 1,
            configuration.has_diagnostics(),
        ),
        (
            "instructions verified",
            measured.verified,
            MOST_VERIFIED - 1,
            false,
        ),
        ("bytes of stack", measured.stack, MOST_STACK, false),
    ];
    limits
        .into_iter()
        .filter(|(_, is, most, is_excused)| is > most && !is_excused)
        .map(|(what, is, most, _)| {
            format!(
                "{}, {}: {is} {what}, and at most {most} are allowed",
                measured.program, measured.configuration
            )
        })
        .collect()
}

#[test]
fn every_configuration_is_within_the_limits() {
    let (mut programs, mut over) = (Vec::new(), Vec::new());
    for configuration in all() {
        for measured in measure::both(&configuration) {
            println!("{measured:?}");
            assert_eq!(measured.jited > 0, measure::is_jit_on(), "{measured:?}");
            over.extend(broken(&configuration, &measured));
            programs.push(measured);
        }
    }
    let report = Report {
        object_bytes: object_size(),
        limits: Limits {
            instructions: MOST_INSTRUCTIONS,
            verified: MOST_VERIFIED,
            stack: MOST_STACK,
        },
        programs,
        broken: over,
    };
    if let Ok(path) = env::var(VARIABLE) {
        // Whoever asked says what is broken.
        fs::write(path, serde_json::to_string_pretty(&report).unwrap()).unwrap();
        return;
    }
    assert!(report.broken.is_empty(), "{}", report.broken.join("\n"));
}
