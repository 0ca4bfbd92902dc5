//! Does any text make the reader of policies panic, or pass something that then cannot be handled?
#![no_main]

use libfuzzer_sys::fuzz_target;
use op25b::policy;

fuzz_target!(|text: &str| {
    match policy::parse("fuzz.yaml", text) {
        // Too much for the kernel is an error, not a fault.
        Ok(loaded) => drop(policy::compile(&loaded.policy)),
        Err(report) => assert!(!report.to_string().is_empty(), "an error without a word"),
    }
});
