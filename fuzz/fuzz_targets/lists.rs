//! Fuzzes the readers of a policy's lists, of prefixes and of exemptions, with arbitrary bytes.
#![no_main]

#[path = "../../op25b-user/tests/unprivileged/policy_robustness/harness.rs"]
#[allow(dead_code, reason = "the part for policies is another target's")]
mod harness;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| harness::check_lists(bytes));
