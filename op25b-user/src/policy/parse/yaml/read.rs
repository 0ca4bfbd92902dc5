//! Reads YAML with the YAML library.
//!
//! `derive(Deserialize)` stops at the first error and does not keep spans. So items are read as small trees of [`Node`],
//! which can hold anything, and are checked one layer up, where errors are collected. Only one item is a tree at any time,
//! never a million exemptions.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{
    DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, Options, Spanned, options::NonFiniteFloatPolicy,
};

use super::{
    items::{Items, Reading},
    node::{Located, Node},
};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Source, Span, number},
    model::Position,
};

impl<'de> Deserialize<'de> for Located<Node<'de>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Node<'de>>::deserialize(deserializer)?;
        Ok(Self {
            value,
            span: span(defined),
        })
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Node::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Node::Plain)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Node::Integer(value))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Node::Plain)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Node::Mapping(mapping))
    }
}

fn span(location: Location) -> Span {
    let number_of = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let bytes = location.span();
    Span {
        at: Position::in_policy(
            number(number_of(location.line())),
            number(number_of(location.column())),
        ),
        offset: number_of(bytes.byte_offset().unwrap_or(0)),
        length: number_of(bytes.byte_len().unwrap_or(0)),
    }
}

/// Reads the document into `items`. The error is the YAML library's; `items` has what comes before it.
pub(crate) fn read<'t>(text: &'t str, items: &mut dyn Items<'t>) -> Result<(), Diagnostic> {
    serde_yaml::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        Pieces {
            items,
            of: Whole::Document,
        }
        .deserialize(deserializer)
    })
    .map_err(|error| diagnose(&Source::new(text), &error))
}

/// The library's default limits suit configuration files. A policy may hold a million exemptions, and the size of the file
/// bounds the work, except through aliases, with which a short text stands for a long one: they stay limited.
fn options() -> Options {
    let budget = serde_yaml::budget! {
        max_events: usize::MAX,
        max_nodes: usize::MAX,
        max_total_scalar_bytes: usize::MAX,
        // The deepest value is interfaces > item > list > value; the rest allows for good messages about mistakes.
        max_depth: 16,
        flow_nesting_limit: 16,
        // A second one is reported as such, not as a limit.
        max_documents: 2,
        max_aliases: 10_000,
        max_anchors: 10_000,
    };
    serde_yaml::options! {
        budget: budget,
        // Reported one layer up, with both positions.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // A customer called `No` is not false.
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn diagnose(source: &Source<'_>, error: &Error) -> Diagnostic {
    let error = error.without_snippet();
    let text = error.to_string();
    // The library's messages end with the position, which the report shows itself.
    let message = text.split(" at line ").next().unwrap_or(&text).trim();
    let diagnostic = match error {
        Error::MultipleDocuments { .. } => Diagnostic::new(
            Code::MultipleDocuments,
            "the file must be a single YAML document; a second one begins here",
        )
        .hint("remove the `---` and what follows"),
        Error::MergeKeyNotAllowed { .. } => {
            Diagnostic::new(Code::YamlSyntax, "merge keys (`<<`) are not supported")
                .hint("write the keys out")
        }
        error if is_limit(error, message) => Diagnostic::new(
            Code::YamlLimit,
            "this YAML is nested too deeply, or has too many aliases",
        )
        .hint("write lists out instead of using anchors (`&`) and aliases (`*`)"),
        _ => Diagnostic::new(Code::YamlSyntax, format!("invalid YAML: {message}")),
    };
    let Some(location) = error.location().filter(|location| location.line() > 0) else {
        return diagnostic;
    };
    let mut span = span(location);
    if location.span().byte_offset().is_none() {
        // Only line and column are known.
        span = Span {
            length: 0,
            ..source.word(span.at)
        };
    }
    diagnostic.at(source, span)
}

fn is_limit(error: &Error, message: &str) -> bool {
    matches!(
        error,
        Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasReplayCounterOverflow { .. }
            | Error::RecursiveReferencesRequireWeakTypes { .. }
    ) || message.contains("budget breached")
        || message.contains("recursion limit")
}

/// Reads the document, or a list in it, piece by piece.
struct Pieces<'a, 't> {
    items: &'a mut dyn Items<'t>,
    of: Whole,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Document,
    List,
}

impl Pieces<'_, '_> {
    fn wrong(self, found: &Node<'_>) {
        match self.of {
            Whole::Document => self.items.not_a_mapping(found),
            Whole::List => self.items.not_a_list(found),
        }
    }
}

impl<'t> DeserializeSeed<'t> for Pieces<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Pieces<'_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.of == Whole::List {
            self.wrong(&NodeVisitor.visit_map(entries)?);
            return Ok(());
        }
        while let Some(key) = entries.next_key::<Located<Node<'t>>>()? {
            match self.items.key(&key) {
                Reading::Whole => self.items.value(entries.next_value()?),
                Reading::ItemByItem => {
                    entries.next_value_seed(Pieces {
                        items: &mut *self.items,
                        of: Whole::List,
                    })?;
                }
                Reading::NotAtAll => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<(), A::Error> {
        if self.of == Whole::Document {
            self.wrong(&NodeVisitor.visit_seq(list)?);
            return Ok(());
        }
        while let Some(item) = list.next_element()? {
            self.items.item(item);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.wrong(&Node::Null);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.wrong(&Node::Text(text.into()));
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.wrong(&Node::Plain);
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.wrong(&Node::Plain);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.wrong(&Node::Integer(value));
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.wrong(&Node::Plain);
        Ok(())
    }
}
