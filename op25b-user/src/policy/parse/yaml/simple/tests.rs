//! Compares both readers: whatever the fast one reads, the library reads the same.

#[rustfmt::skip]
mod odd;

use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};

use super::{
    super::{
        library,
        node::{Located, Node},
    },
    *,
};
use crate::policy::diagnostics::Source;

/// Everything that a reader passes on, in order.
#[derive(Debug, Default, PartialEq)]
struct Reported<'t> {
    all: Vec<(&'static str, Located<Node<'t>>)>,
    other: Vec<String>,
}

impl<'t> Items<'t> for Reported<'t> {
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading {
        self.all.push(("key", key.clone()));
        match &key.value {
            Node::Text(name) if WHOLE.contains(&&**name) => Reading::Whole,
            Node::Text(name) if name.starts_with('x') => Reading::NotAtAll,
            _ => Reading::ItemByItem,
        }
    }

    fn value(&mut self, value: Located<Node<'t>>) {
        self.all.push(("value", value));
    }

    fn item(&mut self, item: Located<Node<'t>>) {
        self.all.push(("item", item));
    }

    fn not_a_list(&mut self, found: &Node<'_>) {
        self.other.push(format!("{found:?}"));
    }

    fn not_a_mapping(&mut self, found: &Node<'_>) {
        self.other.push(format!("{found:?}"));
    }
}

fn agree(text: &str) -> bool {
    let mut fast = Reported::default();
    if read(text, &mut fast).is_none() {
        return false;
    }
    let mut slow = Reported::default();
    if let Err(error) = library::read(&Source::new(text), text, &mut slow) {
        panic!("the library refuses what the fast reader takes: {error:?}\n{text}");
    }
    for (fast, slow) in fast.all.iter().zip(&slow.all) {
        assert_eq!(fast, slow, "{text}");
    }
    assert_eq!(fast, slow, "{text}");
    true
}

#[test]
fn the_example_policies_are_simple() {
    for text in [
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/reference.yaml")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/small-isp.yaml")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/lab.yaml")),
    ] {
        assert!(agree(text));
        assert!(agree(&text.replace('\n', "\r\n")));
    }
}

/// Keys whose value is not a list.
const WHOLE: &[&str] = &[
    "version",
    "block",
    "subscribers",
    "exemption_max_age",
    "exemption_widest",
];

const EXAMPLE: &str = "\
version: 1 # one
block: { ports: [25], match: new }
pools:
- name: homes
  prefixes:
  - 198.51.100.0/22
  - 2001:db8:100::/40
exemptions:
  - { id: C1, customer: 客 1, prefixes: [198.51.100.8/29, 2001:db8::/48], expires: 2099-12-31 }

  # Two.
  - customer: \"Example: KK\" # quoted
    prefixes: [
      198.51.100.16/29, # one
      198.51.100.24/29,
    ]
    note: 'it''s'
  - {
      customer: Sample GK,
      prefixes: [198.51.100.32],
    }
";

/// The number of cases that `PROPTEST_CASES` asks for, and at least this many.
fn config() -> ProptestConfig {
    const LEAST: u32 = 4096;
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(LEAST),
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_readers_agree_on_odd_documents(text in odd::document()) {
        agree(&text);
    }

    #[test]
    fn both_readers_agree_on_a_few_characters(text in "[-#:,'a1 \\n\"\\[\\]{}]{0,24}") {
        agree(&text);
    }

    #[test]
    fn both_readers_agree_on_a_policy_with_slips(text in odd::slipped(EXAMPLE)) {
        agree(&text);
    }
}

#[test]
fn the_tests_are_about_documents_that_often_are_simple() {
    for (documents, some) in [
        (odd::document().boxed(), 150..900),
        (odd::slipped(EXAMPLE).boxed(), 150..900),
    ] {
        let mut runner = TestRunner::deterministic();
        let simple = (0..1000).filter(|_| agree(&documents.new_tree(&mut runner).unwrap().current()));
        let simple = simple.count();
        assert!(some.contains(&simple), "{simple} of 1000");
    }
}

#[test]
fn a_document_without_a_key_is_left_to_the_library() {
    for text in ["", "\n", "---", "---\n", "# nothing\n", "--- # nothing\n\n"] {
        assert!(!agree(text), "{text:?}");
    }
}

#[test]
fn what_policies_are_written_in_is_simple() {
    assert!(agree(EXAMPLE));
}
