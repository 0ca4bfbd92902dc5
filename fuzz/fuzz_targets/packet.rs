//! Does any frame make the XDP program's parsers panic, or answer with something that is not in the frame?
#![no_main]

#[path = "../../op25b-user/tests/parser/harness.rs"]
mod harness;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| harness::check(frame));
