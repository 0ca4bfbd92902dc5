//! A diagnostic: one thing that is wrong with a policy file, and where.

use super::{
    code::{Code, Severity},
    source::{Excerpt, Source, Span},
};
use crate::policy::model::Position;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing.
    pub code: Code,
    /// What, in one sentence.
    pub message: String,
    /// Where, unless it is about the whole file.
    pub location: Option<Box<Location>>,
    /// What else one has to know, such as the other location.
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

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Where something is, and what is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line and column.
    pub position: Position,
    pub(crate) excerpt: Excerpt,
}

impl Location {
    /// The line; a window of it if it is very long.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.excerpt.line
    }

    /// The part of the line that is meant, cut at the line's end.
    #[must_use]
    pub fn underlined(&self) -> &str {
        let start = self.excerpt.before;
        self.excerpt
            .line
            .get(start..start + self.excerpt.underlined)
            .unwrap_or_default()
    }
}
