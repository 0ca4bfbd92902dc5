//! The documents whose examples are walked on a router, docs/troubleshooting.md and docs/rollout.md: each command is run in the state
//! that its section describes, and prints what the document shows.

mod document;
mod filters;
mod router;

use std::env;

use self::{document::Document, filters::filtered, router::Router};

/// With this variable the documents and their translations are written instead of compared, where they differ.
const WRITE: &str = "OP25B_WRITE_RUNBOOK";

#[test]
fn every_command_of_the_runbook_prints_what_the_runbook_shows() {
    walk("troubleshooting.md");
}

#[test]
fn every_command_of_the_roll_out_guide_prints_what_the_guide_shows() {
    walk("rollout.md");
}

#[track_caller]
fn walk(name: &str) {
    let document = Document::read(&format!("docs/{name}"));
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
        Document::read(&format!("docs/ja/{name}")).write(&outputs);
    } else {
        assert!(
            differences.is_empty(),
            "docs/{name} shows other outputs than these; {WRITE}=1 writes them:\n{}\nthe log of the daemon:\n{}",
            differences.join("\n"),
            router.log()
        );
    }
}
