//! Reports duplicate names and prefixes.

use hashbrown::HashMap;

use super::context::Context;
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span},
    model::Position,
};

/// The positions at which names and prefixes are first given.
#[derive(Debug)]
pub(crate) struct Seen<K>(HashMap<K, Position>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Seen<K> {
    /// Records a key; reports a duplicate and returns false for it.
    pub(crate) fn note(
        &mut self,
        context: &mut Context<'_>,
        span: Span,
        key: K,
        what: impl FnOnce(&K) -> String,
    ) -> bool {
        if let Some(first) = self.0.get(&key) {
            let message = what(&key);
            let note = format!("first given on line {}", first.line);
            context.reporter.report(span, Code::Duplicate, || {
                Diagnostic::new(Code::Duplicate, message)
                    .note(note)
                    .hint("remove one of the two")
            });
            return false;
        }
        self.0.insert(key, span.at);
        true
    }
}
