//! What takes a document, one key and one list item at a time.

use super::node::{Located, Node};

/// The value of one key of the document, before it is read.
pub(crate) trait Items<'t> {
    /// A key of the document; says how its value is to be read.
    fn key(&mut self, key: &Located<Node<'t>>) -> Reading;

    /// The value of a key that is read as a whole.
    fn value(&mut self, value: Located<Node<'t>>);

    /// One item of a list that is read item by item.
    fn item(&mut self, item: Located<Node<'t>>);

    /// The value is not the list that it should be.
    fn not_a_list(&mut self, found: &Node<'_>);

    /// The whole document is not a record of keys.
    fn not_a_mapping(&mut self, found: &Node<'_>);
}

/// How the value of a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Whole,
    ItemByItem,
    NotAtAll,
}
