//! The receiver of a document: one key and one list item at a time.

use super::node::{Located, Node};

/// Receives the keys, values and list items of a document.
pub(crate) trait Items<'t> {
    /// A key of the document; returns how its value is to be read.
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading;

    /// The value of a key that is read as a whole.
    fn value(&mut self, value: Located<Node<'t>>);

    /// One item of a list that is read item by item.
    fn item(&mut self, item: Located<Node<'t>>);

    /// The value that was to be read item by item is not a list.
    fn not_a_list(&mut self, found: &Node<'_>);

    /// The document is not a mapping.
    fn not_a_mapping(&mut self, found: &Node<'_>);
}

/// How the value of a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Whole,
    ItemByItem,
    NotAtAll,
}
