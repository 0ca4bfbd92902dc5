//! The keys of one mapping: known ones to be taken, unknown and repeated ones reported.

use std::borrow::Cow;

use super::{
    context::Context,
    spelling::{closest, one_of},
    yaml::{Located, Node},
};
use crate::policy::diagnostics::{Code, Diagnostic, Span};

/// A mapping of which every key is known and given once.
pub(crate) struct Mapping<'t> {
    what: &'static str,
    /// What to underline when something is missing.
    span: Span,
    /// Known keys that an unknown one was probably meant to be: they are not reported as missing.
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
                    format!(
                        "{what} must be a record of keys and values, and this is {}",
                        found.kind()
                    ),
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

    /// The value of a key that may be left out.
    pub(crate) fn optional(&mut self, key: &str) -> Option<Located<Node<'t>>> {
        let index = self.fields.iter().position(|(name, _)| *name == key)?;
        Some(self.fields.swap_remove(index).1)
    }

    /// The value of a key that must be there.
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

/// The name of a key, if it is one of the known ones; else it is reported, and this is the one that was meant.
pub(crate) fn known_key<'t>(
    context: &mut Context<'t>,
    what: &str,
    known: &[&'static str],
    key: &Located<Node<'t>>,
) -> Result<&'static str, Option<&'static str>> {
    let name = match &key.value {
        Node::Text(name) => name.clone(),
        // A key like `25:`; it is unknown, and shown as it is written.
        _ => Cow::Borrowed(context.reporter.slice(key.span)),
    };
    if let Some(name) = known.iter().find(|known| **known == name) {
        return Ok(name);
    }
    let meant = closest(&name, known.iter().copied());
    context.reporter.report(key.span, Code::UnknownKey, || {
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys here are {}", one_of(known.iter().copied())),
        };
        Diagnostic::new(Code::UnknownKey, format!("{what} has no key `{name}`")).hint(hint)
    });
    Err(meant)
}

/// Reports a key that is given again.
pub(crate) fn duplicate_key(context: &mut Context<'_>, name: &str, span: Span) {
    context.reporter.error(
        span,
        Code::DuplicateKey,
        format!("`{name}` is given twice here"),
        "keep one of the two; YAML does not say which one counts",
    );
}
