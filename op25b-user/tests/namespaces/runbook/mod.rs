//! docs/troubleshooting.md is walked on a router: each command is run in the state that its section describes, and prints what
//! the document shows.

mod document;
mod filters;
mod router;

use std::env;

use self::{document::Document, filters::filtered, router::Router};

const ENGLISH: &str = "docs/troubleshooting.md";
const JAPANESE: &str = "docs/ja/troubleshooting.md";
/// With this variable the documents are written instead of compared, where they differ.
const WRITE: &str = "OP25B_WRITE_RUNBOOK";

#[test]
fn every_command_of_the_runbook_prints_what_the_runbook_shows() {
    let document = Document::read(ENGLISH);
    let mut router = Router::new();
    let mut differences = Vec::new();
    let mut outputs = Vec::new();
    for example in document.examples() {
        if let Some(state) = &example.state {
            router.enter(state);
        }
        let output = router.run(&example.command);
        let is_same = filtered(&output) == filtered(&example.output);
        outputs.push(if is_same {
            example.output.clone()
        } else {
            output.clone()
        });
        if !is_same {
            differences.push(format!("# {}\n{output}", example.command));
        }
    }
    assert!(outputs.len() > 8, "{}", outputs.len());
    if env::var_os(WRITE).is_some() {
        document.write(&outputs);
        Document::read(JAPANESE).write(&outputs);
    } else {
        assert!(
            differences.is_empty(),
            "{ENGLISH} shows other outputs than these; {WRITE}=1 writes them:\n{}",
            differences.join("\n")
        );
    }
}

#[test]
fn the_japanese_runbook_has_the_same_commands_with_the_same_outputs() {
    let strip = |name| {
        let examples = Document::read(name).examples().into_iter();
        examples
            .map(|example| (example.command, example.output))
            .collect::<Vec<_>>()
    };
    if env::var_os(WRITE).is_none() {
        assert_eq!(strip(JAPANESE), strip(ENGLISH));
    }
}
