//! Reports names and prefixes that are given twice.

use hashbrown::HashMap;

use super::context::Context;
use crate::policy::{
    diagnostics::{Code, Diagnostic, Span},
    model::Position,
};

/// Where names and prefixes were given first.
#[derive(Debug)]
pub(crate) struct Seen<K>(HashMap<K, Position>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Seen<K> {
    /// Notes a key; reports it if it was noted before.
    pub(crate) fn note(
        &mut self,
        context: &mut Context<'_>,
        span: Span,
        key: K,
        what: impl FnOnce(&K) -> String,
    ) -> bool {
        if let Some(first) = self.0.get(&key) {
            let message = what(&key);
            let note = format!("it is first given on line {}", first.line);
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
