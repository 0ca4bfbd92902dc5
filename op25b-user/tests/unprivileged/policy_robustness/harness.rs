//! Checks the properties of the policy reader for arbitrary bytes. Also run by `cargo fuzz`, in `fuzz`.

use std::path::PathBuf;

use op25b::policy::{self, ListError, ListFiles, Loaded, Report};

/// A policy that names lists.
const POLICY: &str = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n";

/// The same text for every list.
struct Same<'a>(&'a [u8]);

/// A good text for every list.
struct Good;

impl ListFiles for Same<'_> {
    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn read(&mut self, _: &str) -> Result<Vec<u8>, ListError> {
        Ok(self.0.to_vec())
    }
}

impl ListFiles for Good {
    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, ListError> {
        let text = if name.contains("customers") {
            "customer,prefixes\nSample GK,198.51.100.16/29\n"
        } else {
            "203.0.113.0/25\n"
        };
        Ok(text.into())
    }
}

/// Reads them as a policy and as lists of one.
pub fn check(bytes: &[u8]) {
    let read = || policy::parse_bytes("x.yaml", bytes, &mut Good);
    check_result(read(), read());
    check_lists(bytes);
}

/// Reads them as lists of prefixes and of exemptions.
pub fn check_lists(bytes: &[u8]) {
    for key in [
        "pools: [{ name: a, prefixes_from: [x] }]\n",
        "pools: [{ name: a, prefixes: ['::/0'] }]\nexemptions_from: [x]\n",
    ] {
        let policy = format!("{POLICY}{key}");
        let read = || policy::parse_bytes("x.yaml", policy.as_bytes(), &mut Same(bytes));
        check_result(read(), read());
    }
}

/// Either it is a policy, which can be handled then, or there is a diagnostic.
fn check_result(read: Result<Loaded, Report>, again: Result<Loaded, Report>) {
    match read {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.errors(), 0);
            policy::compile(&loaded.policy).expect("so short a policy is not too much for the kernel");
            // Whatever is read twice is the same twice.
            let again = again.expect("the same bytes are read again");
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
