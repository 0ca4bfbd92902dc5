//! The targets of the workspace that have tests, as cargo lists them.

use std::process::Command;

use anyhow::Context as _;
use op25b_host::{paths, process::output_of};
use serde::Deserialize;

/// The integration tests of all packages.
pub(super) fn integration_tests() -> anyhow::Result<Vec<String>> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let text = output_of(cargo.current_dir(paths::workspace()))?;
    from_metadata(&text).context("cannot read what `cargo metadata` says")
}

/// What of cargo's metadata is needed.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn from_metadata(text: &str) -> anyhow::Result<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(text)?;
    let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
    let tests = targets.filter(|target| target.kind.iter().any(|kind| kind == "test"));
    Ok(tests.map(|target| target.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_integration_tests_are_listed() {
        let text = r#"{ "packages": [
            { "targets": [{ "name": "op25b", "kind": ["lib"] }, { "name": "namespaces", "kind": ["test"] }] },
            { "targets": [{ "name": "xtask", "kind": ["bin"] }, { "name": "lab_command", "kind": ["test"] }] }
        ] }"#;
        assert_eq!(from_metadata(text).unwrap(), ["namespaces", "lab_command"]);
    }

    #[test]
    fn the_targets_that_are_named_exist() {
        let all = integration_tests().unwrap();
        for name in super::super::WAITING.iter().chain(&super::super::ALONE) {
            assert!(all.iter().any(|target| target == name), "{name}");
        }
    }
}
