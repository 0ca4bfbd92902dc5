//! Reads scalars, words and lists, and keeps what that takes: the report, the time and the time zone.

use std::borrow::Cow;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    super::yaml::{Located, Node},
    named_lists::NamedLists,
    spelling::{closest, one_of},
};
use crate::policy::{
    characters,
    diagnostics::{Code, Diagnostic, Reporter, Span},
    model::Word,
};

/// A text that is being read.
pub(crate) struct Context<'t> {
    pub(crate) reporter: Reporter<'t>,
    /// The instant as of which the text is read.
    pub(crate) now: Timestamp,
    /// The time zone of dates.
    pub(crate) time_zone: TimeZone,
    /// The lists that it names.
    pub(crate) lists: NamedLists,
}

impl<'t> Context<'t> {
    /// The context of a text; `file` names it in the report.
    pub(crate) fn new(file: &str, text: &'t str, now: Timestamp, time_zone: TimeZone) -> Self {
        Self {
            reporter: Reporter::new(file, text),
            now,
            time_zone,
            lists: NamedLists::default(),
        }
    }

    /// The context of a part of a list.
    pub(crate) fn of_part(&self) -> Self {
        Self {
            reporter: self.reporter.of_part(),
            now: self.now,
            time_zone: self.time_zone.clone(),
            lists: NamedLists::default(),
        }
    }

    /// Reports a value of the wrong type.
    pub(crate) fn wrong_type(&mut self, span: Span, key: &str, wanted: &str, found: &Node<'_>) {
        if matches!(found, Node::Null) {
            self.reporter.error(
                span,
                Code::EmptyValue,
                format!("`{key}` has no value"),
                format!("write {wanted}, or remove the key if it is optional"),
            );
        } else {
            let kind = found.kind();
            self.reporter.error(
                span,
                Code::WrongType,
                format!("`{key}` must be {wanted}, not {kind}"),
                format!("write {wanted}"),
            );
        }
    }

    /// The text of a scalar of any type: a ticket may be a number.
    pub(crate) fn scalar(
        &mut self,
        key: &str,
        wanted: &str,
        node: Located<Node<'t>>,
    ) -> Option<Located<Cow<'t, str>>> {
        let span = node.span;
        let value = match node.value {
            Node::Text(text) => text,
            Node::Plain | Node::Integer(_) => Cow::Borrowed(self.reporter.slice(span)),
            found => {
                self.wrong_type(span, key, wanted, &found);
                return None;
            }
        };
        Some(Located { value, span })
    }

    /// A string for people, on one line.
    pub(crate) fn text(&mut self, key: &str, node: Located<Node<'t>>) -> Option<Located<Cow<'t, str>>> {
        self.readable(key, node, &[])
    }

    /// A string for people, on any number of lines.
    pub(crate) fn prose(&mut self, key: &str, node: Located<Node<'t>>) -> Option<Located<Cow<'t, str>>> {
        self.readable(key, node, &['\n', '\t'])
    }

    fn readable(
        &mut self,
        key: &str,
        node: Located<Node<'t>>,
        allowed: &[char],
    ) -> Option<Located<Cow<'t, str>>> {
        let Located { value, span } = self.scalar(key, "a string", node)?;
        if value.trim().is_empty() {
            self.reporter.error(
                span,
                Code::EmptyValue,
                format!("`{key}` is empty"),
                "write a string, or remove the key if it is optional",
            );
            return None;
        }
        // These strings end up in logs and on terminals, which interpret control characters.
        let Some(refused) = characters::first_refused(&value, allowed) else {
            return Some(Located { value, span });
        };
        // A policy with a character that only misleads its readers is enforced: it was before such characters were looked for.
        let code = if refused.is_control() {
            Code::ControlCharacter
        } else {
            Code::MisleadingCharacter
        };
        self.reporter.report(span, code, || {
            Diagnostic::new(code, format!("`{key}` contains {refused}")).hint("write plain text on one line")
        });
        (!refused.is_control()).then_some(Located { value, span })
    }

    /// A word of an enumeration.
    pub(crate) fn word<W: Word>(&mut self, key: &str, node: Located<Node<'t>>) -> Option<Located<W>> {
        let names = || W::ALL.iter().map(|word| word.name());
        let Located { value, span } = self.scalar(key, &one_of(names()), node)?;
        let word = W::ALL.iter().find(|word| word.name() == value);
        if word.is_none() {
            let hint = match closest(&value, names()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("write {}", one_of(names())),
            };
            self.reporter.error(
                span,
                Code::UnknownValue,
                format!("`{key}` must be {}, not `{value}`", one_of(names())),
                hint,
            );
        }
        word.map(|word| Located { value: *word, span })
    }

    /// The items of a list, which must not be empty.
    pub(crate) fn list(&mut self, key: &str, of: &str, node: Located<Node<'t>>) -> Vec<Located<Node<'t>>> {
        match node.value {
            Node::List(items) => {
                if items.is_empty() {
                    self.reporter.error(
                        node.span,
                        Code::EmptyList,
                        format!("`{key}` is an empty list"),
                        format!("list {of}"),
                    );
                }
                items
            }
            found => {
                self.wrong_type(node.span, key, &format!("a list of {of}"), &found);
                Vec::new()
            }
        }
    }
}
