//! The fuzz targets are a workspace of their own, whose lock `cargo deny --locked` and `cargo fuzz` read: a crate that op25b takes on
//! belongs in both locks, in the same version.

use std::{collections::BTreeSet, fs};

use op25b_testlab::paths;
use regex_lite::Regex;

const REMEDY: &str = "cp Cargo.lock fuzz/Cargo.lock && cargo metadata --format-version=1 --manifest-path fuzz/Cargo.toml > /dev/null";
/// What only the fuzz targets are made with.
const OWN: [&str; 4] = ["arbitrary", "jobserver", "libfuzzer-sys", "op25b-fuzz"];

fn read(name: &str) -> String {
    fs::read_to_string(paths::workspace().join(name)).unwrap()
}

/// The crates of a lock, with their versions.
fn locked(name: &str) -> BTreeSet<(String, String)> {
    let package = Regex::new(r#"(?m)^name = "([^"]*)"\nversion = "([^"]*)"$"#).unwrap();
    let text = read(name);
    let found = package.captures_iter(&text);
    found
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect()
}

#[test]
fn the_fuzz_targets_are_locked_to_the_versions_of_op25b() {
    let (fuzz, ours) = (locked("fuzz/Cargo.lock"), locked("Cargo.lock"));
    let others: Vec<_> = fuzz
        .difference(&ours)
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}: {REMEDY}");
}

#[test]
fn the_lock_of_the_fuzz_targets_has_each_crate_that_op25b_depends_on() {
    let manifest = read("op25b-user/Cargo.toml");
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = dependencies.split_once("\n[").unwrap();
    let fuzz = locked("fuzz/Cargo.lock");
    for line in dependencies.lines() {
        let Some((name, _)) = line.split_once(" = ") else {
            continue;
        };
        // The one that has another name where it is used.
        let name = name.replace("serde_yaml", "serde-saphyr");
        assert!(
            fuzz.iter().any(|(found, _)| *found == name),
            "{name} is missing: {REMEDY}"
        );
    }
}
