//! Reports errors and warnings about a text, each with its location.

use super::{
    code::{Code, Severity},
    diagnostic::Diagnostic,
    report::Report,
    source::{Source, Span},
};
use crate::policy::model::Position;

/// A text and the report on it.
#[derive(Debug)]
pub(crate) struct Reporter<'t> {
    source: Source<'t>,
    report: Report,
}

impl<'t> Reporter<'t> {
    /// An empty report on a text; `file` names it.
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Self {
            source: Source::new(text),
            report: Report::new(file),
        }
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.source.slice(span)
    }

    /// Reports something about a span; the diagnostic is made only if it is kept.
    pub(crate) fn report(&mut self, span: Span, code: Code, diagnostic: impl FnOnce() -> Diagnostic) {
        let source = &self.source;
        self.report.add(code.severity(), || diagnostic().at(source, span));
    }

    /// Reports something about the word, such as a prefix, that begins at a position.
    pub(crate) fn report_word(&mut self, at: Position, code: Code, diagnostic: impl FnOnce() -> Diagnostic) {
        let source = &self.source;
        self.report
            .add(code.severity(), || diagnostic().at(source, source.word(at)));
    }

    /// Reports something about the whole file, or a diagnostic that already has its location.
    pub(crate) fn report_file(&mut self, diagnostic: Diagnostic) {
        self.report.add(diagnostic.severity(), || diagnostic);
    }

    /// Reports a simple error: a message and what to write instead.
    pub(crate) fn error(
        &mut self,
        span: Span,
        code: Code,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        debug_assert_eq!(code.severity(), Severity::Error);
        self.report(span, code, || Diagnostic::new(code, message).hint(hint));
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.report.errors()
    }

    /// The report, in the order of the text's lines.
    pub(crate) fn finish(mut self) -> Report {
        self.report.sort();
        self.report
    }
}
