//! The programs as the verifier sees them, in each configuration: within the documented limits.
//!
//! `cargo xtask inspect` runs this too and shows the numbers.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod configurations;
mod measure;
mod stack;

use std::{
    collections::HashSet,
    env, fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use configurations::all;
use measure::{Measured, object, object_size};
use op25b_testlab::paths;
use serde::Serialize;

/// Where to write the numbers, as JSON.
const VARIABLE: &str = "OP25B_INSPECT_FILE";

/// Instructions that the verifier goes through: a tenth of where it gives up (`BPF_COMPLEXITY_LIMIT_INSNS`).
const MOST_VERIFIED: u32 = 100_000;
/// The same where the kernel verifies global functions that nothing calls, too (before Linux 6.8).
const MOST_VERIFIED_WITH_UNCALLED: u32 = 125_000;
/// Bytes of stack for a program and the functions that it calls: three quarters of what the kernel has (`MAX_BPF_STACK`), so
/// that there is room for one more step.
const MOST_STACK: u32 = 384;

/// The limits, for `cargo xtask inspect` to show beside what is measured.
#[derive(Serialize)]
struct Limits {
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

/// How many instructions the verifier may go through, and one more.
const fn most_verified(measured: &Measured) -> u32 {
    if measured.uncalled == 0 {
        MOST_VERIFIED
    } else {
        MOST_VERIFIED_WITH_UNCALLED
    }
}

/// What is over a limit.
fn broken(measured: &Measured) -> Vec<String> {
    let limits = [
        (
            "instructions verified",
            measured.verified,
            most_verified(measured) - 1,
        ),
        ("bytes of stack", measured.stack, MOST_STACK),
    ];
    limits
        .into_iter()
        .filter(|(_, is, most)| is > most)
        .map(|(what, is, most)| {
            format!(
                "{}, {}: {is} {what}; the limit is {most}",
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
            over.extend(broken(&measured));
            programs.push(measured);
        }
    }
    let report = Report {
        object_bytes: object_size(),
        limits: Limits {
            verified: programs.iter().map(most_verified).max().unwrap(),
            stack: MOST_STACK,
        },
        programs,
        broken: over,
    };
    if let Ok(path) = env::var(VARIABLE) {
        // `cargo xtask inspect` reports what is broken.
        fs::write(path, serde_json::to_string_pretty(&report).unwrap()).unwrap();
        return;
    }
    assert!(report.broken.is_empty(), "{}", report.broken.join("\n"));
}

#[test]
fn functions_differ_in_the_15_characters_of_a_name_that_the_kernel_keeps() {
    let object = object();
    let object = aya_obj::Object::parse(&object).unwrap();
    let mut seen = HashSet::new();
    let names = object.functions.values().map(|function| &function.name);
    // What the compiler adds for itself, such as `memset`, is in no namespace.
    for name in names.filter(|name| !name.starts_with("mem") && !name.starts_with("_R")) {
        assert!(name.starts_with("op25b_"), "{name}");
        assert!(seen.insert(name.chars().take(15).collect::<String>()), "{name}");
    }
    assert!(seen.len() > 15, "{seen:?}");
}

/// So the same commit is the same file wherever it is built; `cargo xtask dist --compare` builds it twice.
#[test]
fn the_object_names_no_directory_of_the_machine_that_built_it() {
    let object = object();
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    for directory in [Some(paths::workspace().to_owned()), cargo].into_iter().flatten() {
        let name = directory.as_os_str().as_bytes();
        assert!(
            !object.windows(name.len()).any(|bytes| bytes == name),
            "{}",
            directory.display()
        );
    }
}
