//! Reads the keys of a mapping, and reports unknown, duplicate and missing ones.

use std::borrow::Cow;

use super::{
    super::yaml::{Located, Node},
    context::Context,
    spelling::{closest, one_of},
};
use crate::policy::diagnostics::{Code, Diagnostic, Span};

/// A mapping whose keys are known and unique.
pub(crate) struct Mapping<'t> {
    what: &'static str,
    /// The span to underline when a key is missing.
    span: Span,
    /// Known keys for which an unknown one is probably a misspelling: they are not reported as missing.
    meant: Vec<&'static str>,
    fields: Vec<(&'static str, Located<Node<'t>>)>,
}

impl<'t> Mapping<'t> {
    /// The mapping in `node`; `what` names it in messages.
    pub(crate) fn new(
        context: &mut Context<'t>,
        what: &'static str,
        known: &'static [&'static str],
        node: Located<Node<'t>>,
    ) -> Option<Self> {
        let entries = match node.value {
            Node::Mapping(entries) => entries,
            found => {
                let names = known.join(", ");
                context.reporter.error(
                    node.span,
                    Code::WrongType,
                    format!("{what} must be a mapping of keys to values, not {}", found.kind()),
                    format!("write {{ key: value, … }} with the keys {names}"),
                );
                return None;
            }
        };
        let span = entries.first().map_or(node.span, |(key, _)| key.span);
        let mut mapping = Self {
            what,
            span,
            meant: Vec::new(),
            fields: Vec::with_capacity(entries.len()),
        };
        for (key, value) in entries {
            match known_key(context, what, known, &key) {
                Ok(name) => mapping.add(context, name, key.span, value),
                Err(meant) => mapping.meant.extend(meant),
            }
        }
        Some(mapping)
    }

    fn add(&mut self, context: &mut Context<'t>, name: &'static str, span: Span, value: Located<Node<'t>>) {
        if self.fields.iter().any(|(other, _)| *other == name) {
            duplicate_key(context, name, span);
        } else {
            self.fields.push((name, value));
        }
    }

    /// Whether a key is there, or was probably meant.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.meant.contains(&key) || self.fields.iter().any(|(name, _)| *name == key)
    }

    /// Takes the value of an optional key.
    pub(crate) fn optional(&mut self, key: &str) -> Option<Located<Node<'t>>> {
        let index = self.fields.iter().position(|(name, _)| *name == key)?;
        Some(self.fields.swap_remove(index).1)
    }

    /// Takes the value of a required key.
    pub(crate) fn required(
        &mut self,
        context: &mut Context<'t>,
        key: &str,
        example: &str,
    ) -> Option<Located<Node<'t>>> {
        let value = self.optional(key);
        if value.is_none() && !self.meant.contains(&key) {
            let what = self.what;
            context.reporter.error(
                self.span,
                Code::MissingKey,
                format!("{what} needs the key `{key}`"),
                format!("add `{key}: {example}`"),
            );
        }
        value
    }
}

/// The name of a known key. An unknown one is reported; the error is the known key that was probably meant.
pub(crate) fn known_key<'t>(
    context: &mut Context<'t>,
    what: &str,
    known: &[&'static str],
    key: &Located<Node<'t>>,
) -> Result<&'static str, Option<&'static str>> {
    let name = match &key.value {
        Node::Text(name) => name.clone(),
        // A key such as `25:` is unknown, and shown as it is written.
        _ => Cow::Borrowed(context.reporter.slice(key.span)),
    };
    if let Some(name) = known.iter().find(|known| **known == name) {
        return Ok(name);
    }
    let meant = closest(&name, known.iter().copied());
    context.reporter.report(key.span, Code::UnknownKey, || {
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", one_of(known.iter().copied())),
        };
        Diagnostic::new(Code::UnknownKey, format!("unknown key `{name}` in {what}")).hint(hint)
    });
    Err(meant)
}

/// Reports a duplicate key.
pub(crate) fn duplicate_key(context: &mut Context<'_>, name: &str, span: Span) {
    context.reporter.error(
        span,
        Code::DuplicateKey,
        format!("the key `{name}` is given twice"),
        "remove one of the two: YAML does not define which one applies",
    );
}
