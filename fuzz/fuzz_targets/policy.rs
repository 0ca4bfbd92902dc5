//! Do any bytes make the reader of policies panic, or pass as something that then cannot be handled?
#![no_main]

#[path = "../../op25b-user/tests/policy_robustness/harness.rs"]
mod harness;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| harness::check(bytes));
