//! A diagnostic: an error or warning about a file, with its location.

use std::sync::Arc;

use super::{
    code::{Code, Severity},
    source::{Excerpt, Source, Span},
};
use crate::policy::model::Position;

/// An error or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// The problem in one sentence.
    pub message: String,
    /// Its location, unless it is about the whole file.
    pub location: Option<Box<Location>>,
    /// Context, such as another location.
    pub note: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            location: None,
            note: None,
            hint: None,
        }
    }

    pub(crate) fn at(mut self, source: &Source<'_>, span: Span) -> Self {
        let location = Location {
            list: source.list().cloned(),
            position: span.at,
            excerpt: source.excerpt(span),
        };
        self.location = Some(Box::new(location));
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The severity.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// A position and the line around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The list that it is in; `None` if it is in the policy file.
    pub list: Option<Arc<str>>,
    /// The line and column.
    pub position: Position,
    pub(crate) excerpt: Excerpt,
}

impl Location {
    /// The line; a window of it if it is very long.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.excerpt.line
    }

    /// The part of the line that the diagnostic is about, cut off at the line's end.
    #[must_use]
    pub fn underlined(&self) -> &str {
        let start = self.excerpt.before;
        self.excerpt
            .line
            .get(start..start + self.excerpt.underlined)
            .unwrap_or_default()
    }
}
