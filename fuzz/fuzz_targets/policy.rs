//! Does any text make the reader of policies panic, or pass something that then cannot be handled?
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use op25b::policy;

fuzz_target!(|text: &str| -> Corpus {
    match policy::parse("fuzz.yaml", text) {
        Ok(loaded) => {
            // Too much for the kernel is an error, not a fault.
            let _ = policy::compile(&loaded.policy);
            Corpus::Keep
        }
        Err(report) => {
            assert!(!report.to_string().is_empty(), "an error without a word");
            Corpus::Keep
        }
    }
});
