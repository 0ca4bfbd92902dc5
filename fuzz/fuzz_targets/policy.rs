//! Fuzzes the policy reader with arbitrary bytes: it must not panic, and what it accepts must compile.
#![no_main]

#[path = "../../op25b-user/tests/unprivileged/policy_robustness/harness.rs"]
mod harness;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| harness::check(bytes));
