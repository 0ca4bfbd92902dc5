//! YAML nodes and where they are written.

use std::borrow::Cow;

use crate::policy::diagnostics::Span;

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
    Mapping(Vec<(Located<Node<'t>>, Located<Node<'t>>)>),
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
            Self::Mapping(_) => "a record of keys and values",
        }
    }
}
