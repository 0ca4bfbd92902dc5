//! The documents: each link leads somewhere, and a Japanese document has the commands, the tables and the links of its English original.

mod markdown;
mod operations;
mod version;

use std::{collections::BTreeSet, fs, path::PathBuf};

use op25b_testlab::paths;

use self::markdown::Document;

/// The documents in a folder of the tree, by their paths from its root.
fn documents(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(paths::workspace().join(folder)).unwrap();
    let names = entries.map(|entry| PathBuf::from(folder).join(entry.unwrap().file_name()));
    let mut names: Vec<_> = names
        .filter(|name| name.extension().is_some_and(|extension| extension == "md"))
        .collect();
    names.sort();
    names
}

/// Each Japanese document with its English original.
fn translations() -> Vec<(Document, Document)> {
    let mut pairs = vec![(PathBuf::from("README.ja.md"), PathBuf::from("README.md"))];
    let translated = documents("docs/ja").into_iter();
    pairs.extend(translated.map(|japanese| {
        let english = PathBuf::from("docs").join(japanese.file_name().unwrap());
        (japanese, english)
    }));
    pairs
        .into_iter()
        .map(|(japanese, english)| (Document::read(japanese), Document::read(english)))
        .collect()
}

#[test]
fn every_link_in_a_document_leads_to_a_file_and_a_heading_that_exist() {
    let folders = ["", "docs", "docs/ja"];
    let mut broken = Vec::new();
    let mut count = 0;
    for name in folders.into_iter().flat_map(documents) {
        let document = Document::read(name);
        for link in document.links() {
            count += 1;
            if !document.reaches(&link) {
                broken.push(format!("{}: {link}", document.name.display()));
            }
        }
    }
    assert!(count > 100, "{count}");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_japanese_document_has_the_commands_of_the_english_one_with_the_same_output() {
    for (japanese, english) in translations() {
        let name = japanese.name.display();
        let (ours, theirs) = (japanese.fences(), english.fences());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{name}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

#[test]
fn a_japanese_document_has_the_headings_and_tables_of_the_english_one() {
    for (japanese, english) in translations() {
        let name = japanese.name.display();
        assert_eq!(japanese.levels(), english.levels(), "{name}");
        let (ours, theirs) = (japanese.rows(), english.rows());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.columns, theirs.columns, "{name}: {}", ours.text);
            assert_eq!(ours.code.len(), theirs.code.len(), "{name}: {}", ours.text);
            // What has other characters stands for something: a name, a time.
            for code in ours.code.iter().filter(|code| code.is_ascii()) {
                assert!(theirs.code.contains(code), "{name}: `{code}` in {}", ours.text);
            }
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
    }
}

#[test]
fn a_japanese_document_refers_to_what_the_english_one_refers_to() {
    for (japanese, english) in translations() {
        let files = |document: &Document| {
            let links = document.links().into_iter();
            let targets = links.filter_map(|link| {
                let file = link.split('#').next().unwrap_or_default();
                let file = file.rsplit('/').next().unwrap_or_default();
                (!file.is_empty()).then(|| file.replace(".ja.md", ".md"))
            });
            targets.collect::<BTreeSet<_>>()
        };
        assert_eq!(files(&japanese), files(&english), "{}", japanese.name.display());
    }
}
