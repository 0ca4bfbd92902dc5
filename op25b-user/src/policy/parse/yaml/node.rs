//! YAML nodes and their spans.

use std::borrow::Cow;

use crate::policy::diagnostics::Span;

/// A value and its span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A YAML value. Scalars other than integers and strings keep no value: their text is in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node<'t> {
    /// An empty value, `~` or `null`.
    Null,
    /// A boolean, a negative number or a fractional one.
    Plain,
    /// A non-negative integer.
    Integer(u64),
    /// Any other scalar.
    Text(Cow<'t, str>),
    /// A sequence.
    List(Vec<Located<Node<'t>>>),
    /// A mapping, with duplicate keys if the file has them.
    Mapping(Vec<(Located<Node<'t>>, Located<Node<'t>>)>),
}

impl Node<'_> {
    /// The kind of value, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "an empty value",
            Self::Plain => "a boolean or a fractional number",
            Self::Integer(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}
