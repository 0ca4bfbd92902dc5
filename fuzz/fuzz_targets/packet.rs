//! No frame makes the XDP program's parsers panic, or return something that is not in the frame.
#![no_main]

#[path = "../../op25b-user/tests/unprivileged/parser/harness.rs"]
mod harness;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| harness::check(frame));
