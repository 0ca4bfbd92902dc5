//! Reports duplicate names and prefixes.

use hashbrown::HashMap;

use super::context::Context;
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span},
    model::Position,
};

/// The positions at which names and prefixes are first given.
#[derive(Debug)]
pub(crate) struct Seen<K> {
    first: HashMap<K, (Position, Owner)>,
    owner: Owner,
}

/// The pool or relay that a prefix belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self {
            first: HashMap::new(),
            owner: Owner::default(),
        }
    }
}

impl<K: Eq + std::hash::Hash> Seen<K> {
    /// What is recorded from now on belongs to another owner.
    pub(crate) fn next_owner(&mut self) -> Owner {
        self.owner.0 += 1;
        self.owner
    }

    /// Records a key; reports a duplicate and returns false for it.
    pub(crate) fn note(
        &mut self,
        context: &mut Context<'_>,
        span: Span,
        key: K,
        what: impl FnOnce(&K) -> String,
    ) -> bool {
        if let Some((first, _)) = self.first.get(&key) {
            let message = what(&key);
            report(context, span, *first, message);
            return false;
        }
        self.first.insert(key, (span.at, self.owner));
        true
    }

    /// The same for a key of a list. One that its owner has already is left out without a report: lists overlap.
    pub(crate) fn note_listed(
        &mut self,
        context: &mut Context<'_>,
        owner: Owner,
        span: Span,
        key: K,
        what: impl FnOnce(&K) -> String,
    ) -> bool {
        match self.first.get(&key) {
            Some((_, other)) if *other == owner => false,
            Some((first, _)) => {
                let message = what(&key);
                report(context, span, *first, message);
                false
            }
            None => {
                self.first.insert(key, (span.at, owner));
                true
            }
        }
    }
}

fn report(context: &mut Context<'_>, span: Span, first: Position, message: String) {
    let note = format!("first given on {}", context.reporter.place(first, span.at));
    context.reporter.report(span, Code::Duplicate, || {
        Diagnostic::new(Code::Duplicate, message)
            .note(note)
            .hint("remove one of the two")
    });
}
