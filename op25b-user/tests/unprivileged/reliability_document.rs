//! docs/reliability.md names a test for each fault and each defect, SECURITY.md for what is held; every one of them exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

use op25b_testlab::paths;

const RELIABILITY: &str = "docs/reliability.md";
const SECURITY: &str = "SECURITY.md";

fn document(name: &str) -> String {
    fs::read_to_string(paths::workspace().join(name)).unwrap()
}

/// The package's source files.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_they_name_exists() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests", "testlab/src", "testlab/tests"] {
        sources(&package.join(directory), &mut files);
    }
    let documents = document(RELIABILITY) + &document(SECURITY);
    let rows = documents.lines().filter(|line| line.starts_with('|'));
    // A test is named by its file and itself: `folder/file.rs::test`.
    let named = rows.flat_map(|row| row.split('`').filter(|word| word.contains(".rs::")));
    let mut missing = Vec::new();
    let mut count = 0;
    for word in named {
        count += 1;
        let (file, test) = word.split_once("::").unwrap();
        let definition = format!("fn {test}(");
        let exists = files
            .iter()
            .filter(|path| path.ends_with(file))
            .any(|path| fs::read_to_string(path).unwrap().contains(&definition));
        if !exists {
            missing.push(word);
        }
    }
    assert!(count > 20, "{count}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_row_of_a_fault_and_of_a_defect_names_a_test() {
    let document = document(RELIABILITY);
    for heading in ["\n## What each fault does\n", "\n## Defects\n"] {
        let (_, section) = document.split_once(heading).unwrap();
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section
            .lines()
            .filter(|line| line.starts_with('|') && !line.starts_with("| ---"));
        for row in rows.filter(|row| !row.ends_with("| test |")) {
            assert!(row.contains(".rs::"), "{row}");
        }
    }
}
