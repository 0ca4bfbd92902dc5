//! The version is that of the workspace, in Cargo.toml: whatever repeats it agrees, and documents name packages without it.

use std::fs;

use op25b_testlab::paths;
use regex_lite::Regex;

use super::documents;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(name: &str) -> String {
    fs::read_to_string(paths::workspace().join(name)).unwrap()
}

/// Cargo has no other way to give crates that can be published the version of the workspace.
#[test]
fn crates_of_the_workspace_ask_for_the_version_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let asked = Regex::new(r#"(?m)^(op25b[a-z-]*) = \{ path = .*version = "([^"]*)""#).unwrap();
    let asked: Vec<_> = asked
        .captures_iter(&manifest)
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect();
    let expected = ["op25b", "op25b-common", "op25b-ebpf"].map(|name| (name.to_owned(), VERSION.to_owned()));
    assert_eq!(asked, expected);

    let members = Regex::new(r"(?m)^members = \[(.*)\]$").unwrap();
    let members = &members.captures(&manifest).unwrap()[1];
    for member in members.split(", ") {
        let name = format!("{}/Cargo.toml", member.trim_matches('"'));
        assert!(read(&name).contains("\nversion.workspace = true\n"), "{name}");
    }
}

#[test]
fn the_newest_release_of_the_changelog_is_this_version_and_has_a_date() {
    let changelog = read("CHANGELOG.md");
    let newest = changelog
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .find(|heading| *heading != "[Unreleased]")
        .unwrap();
    let wanted = Regex::new(&format!(
        r"^\[{}\] - \d{{4}}-\d\d-\d\d$",
        VERSION.replace('.', r"\.")
    ))
    .unwrap();
    assert!(wanted.is_match(newest), "{newest}");
}

#[test]
fn documents_name_packages_without_a_version() {
    let package = Regex::new(r"op25b[-_]\d+\.\d+").unwrap();
    for name in ["", "docs", "docs/ja"].into_iter().flat_map(documents) {
        let text = read(name.to_str().unwrap());
        let found = package.find(&text).map(|found| found.as_str());
        assert_eq!(found, None, "{}", name.display());
    }
}
