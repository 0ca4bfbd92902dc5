//! Checks the properties of the policy reader for arbitrary bytes. Also run by `cargo fuzz`, in `fuzz`.

use op25b::policy;

/// Reads them as a policy: either they are one, which can be handled then, or there is a diagnostic.
pub fn check(bytes: &[u8]) {
    match policy::parse_bytes("x.yaml", bytes) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.errors(), 0);
            policy::compile(&loaded.policy).expect("so short a policy is not too much for the kernel");
            // Whatever is read twice is the same twice.
            let again = policy::parse_bytes("x.yaml", bytes).expect("the same bytes are read again");
            assert_eq!(again.policy, loaded.policy);
        }
        Err(report) => {
            assert!(report.errors() > 0);
            for text in [report.to_string(), format!("{report:#}")] {
                assert!(text.contains("error"), "{text}");
            }
            serde_json::to_string(&report.to_json()).expect("a report becomes JSON");
        }
    }
}
