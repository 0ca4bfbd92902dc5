//! From text to YAML nodes with their places, one list item at a time.
//!
//! Two readers make the same of a text. [`simple`] knows only the YAML in which policies are mostly written, and is many
//! times faster; whatever it does not know, [`library`] reads, and it alone says what is wrong with a text.

mod library;
mod simple;

use std::borrow::Cow;

use super::{
    diagnostic::Diagnostic,
    source::{Source, Span},
};

/// A value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// One YAML value. Numbers and the like keep no value: their text is in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node<'t> {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`, or a number that is not a whole one.
    Plain,
    /// A whole number from 0 on.
    Integer(u64),
    /// Any other scalar.
    Text(Cow<'t, str>),
    /// A sequence.
    List(Vec<Located<Node<'t>>>),
    /// A mapping, with duplicate keys if the file has them.
    Record(Vec<(Located<Node<'t>>, Located<Node<'t>>)>),
}

impl Node<'_> {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Plain => "a true, false or fractional number",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Record(_) => "a record of keys and values",
        }
    }
}

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
    fn not_a_record(&mut self, found: &Node<'_>);
}

/// How the value of a key is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Whole,
    ItemByItem,
    NotAtAll,
}

/// Reads the document into items that `new` makes: again, if what was read first turns out not to be simple YAML. With
/// an error, which is what the YAML library says, come the items up to there.
pub(crate) fn read<'t, I: Items<'t>>(text: &'t str, new: impl Fn() -> I) -> Result<I, (I, Diagnostic)> {
    let mut items = new();
    if simple::read(text, &mut items).is_some() {
        return Ok(items);
    }
    drop(items);
    let mut items = new();
    match library::read(&Source::new(text), text, &mut items) {
        Ok(()) => Ok(items),
        Err(diagnostic) => Err((items, diagnostic)),
    }
}
