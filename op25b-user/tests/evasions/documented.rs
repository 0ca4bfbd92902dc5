//! docs/datapath.md names the tests of this folder, all of them and no others.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn the_table_of_evasions_names_every_test_in_here_and_no_other() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(package.join("../docs/datapath.md")).unwrap();
    let (_, section) = text.split_once("\n## Evasions\n").unwrap();
    let section = section.split("\n## ").next().unwrap_or_default();
    // A test is named by its file and itself: `file::test`.
    let documented: BTreeSet<String> = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|row| row.split('`').filter(|word| word.contains("::")))
        .map(str::to_owned)
        .collect();

    let mut tests = BTreeSet::new();
    for file in fs::read_dir(package.join("tests/evasions")).unwrap() {
        let path = file.unwrap().path();
        // `support` holds no tests.
        if path.is_dir() {
            continue;
        }
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = fs::read_to_string(&path).unwrap();
        let bodies = source.split("#[test]\nfn ").skip(1);
        let names = bodies.filter_map(|body| Some(body.split_once('(')?.0));
        tests.extend(names.map(|name| format!("{module}::{name}")));
    }
    tests.retain(|name| !name.starts_with("documented::"));
    assert!(!tests.is_empty());
    assert_eq!(documented, tests);
}
