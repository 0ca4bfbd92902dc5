//! Reports errors and warnings about texts, each with its location.

use super::{
    code::{Code, Severity},
    diagnostic::Diagnostic,
    report::Report,
    source::{Source, Span},
};
use crate::policy::model::{FileNumber, Position};

/// The texts of a policy and of its lists, and the report on them.
#[derive(Debug)]
pub(crate) struct Reporter<'t> {
    policy: Source<'t>,
    lists: Vec<Source<'t>>,
    report: Report,
}

impl<'t> Reporter<'t> {
    /// An empty report on a text; `file` names it.
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Self {
            policy: Source::new(text),
            lists: Vec::new(),
            report: Report::new(file),
        }
    }

    /// An empty report on the same texts, for a part of one.
    pub(crate) fn of_part(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            lists: self.lists.clone(),
            report: Report::new(self.report.file()),
        }
    }

    /// Adds the report on the next part.
    pub(crate) fn append(&mut self, part: Self) {
        self.report.append(part.report);
    }

    /// Adds the text of the next list.
    pub(crate) fn add_list(&mut self, name: &str, text: &'t str) {
        self.lists.push(Source::of_list(name, text));
    }

    fn source(&self, file: FileNumber) -> &Source<'t> {
        let list = file.list().and_then(|index| self.lists.get(index));
        list.unwrap_or(&self.policy)
    }

    /// The text of a span.
    pub(crate) fn slice(&self, span: Span) -> &'t str {
        self.source(span.at.file).slice(span)
    }

    /// The span of the line that begins at a position.
    pub(crate) fn line(&self, at: Position) -> Span {
        self.source(at.file).line(at)
    }

    /// Where a position is, in words: its line, with its file unless that is `near`'s as well.
    pub(crate) fn place(&self, at: Position, near: Position) -> String {
        let line = at.line;
        match self.source(at.file).list() {
            _ if at.file == near.file => format!("line {line}"),
            Some(list) => format!("line {line} of {list}"),
            None => format!("line {line} of {}", self.report.file()),
        }
    }

    /// Reports something about a span; the diagnostic is made only if it is kept.
    pub(crate) fn report(&mut self, span: Span, code: Code, diagnostic: impl FnOnce() -> Diagnostic) {
        self.report_at(span.at.file, code, |source| diagnostic().at(source, span));
    }

    /// Reports something about the word, such as a prefix, that begins at a position.
    pub(crate) fn report_word(&mut self, at: Position, code: Code, diagnostic: impl FnOnce() -> Diagnostic) {
        self.report_at(at.file, code, |source| diagnostic().at(source, source.word(at)));
    }

    fn report_at(
        &mut self,
        file: FileNumber,
        code: Code,
        diagnostic: impl FnOnce(&Source<'t>) -> Diagnostic,
    ) {
        let list = file.list().and_then(|index| self.lists.get(index));
        let source = list.unwrap_or(&self.policy);
        self.report.add(code.severity(), || diagnostic(source));
    }

    /// Reports something about the whole file, or a diagnostic that already has its location.
    pub(crate) fn report_file(&mut self, diagnostic: Diagnostic) {
        self.report.add(diagnostic.severity(), || diagnostic);
    }

    /// Counts errors that are not kept.
    pub(crate) fn report_more_errors(&mut self, count: usize) {
        self.report.add_unkept_errors(count);
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

    /// The report, in the order of the texts' lines.
    pub(crate) fn finish(mut self) -> Report {
        self.report.sort();
        self.report
    }
}
