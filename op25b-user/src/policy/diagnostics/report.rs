//! A report: all diagnostics about a file, and their form in JSON.

use serde::Serialize;

use super::{code::Severity, diagnostic::Diagnostic};
use crate::policy::model::Position;

/// How many diagnostics of each severity are kept: a broken script can cause a million.
const KEPT: usize = 200;

/// The diagnostics about a policy file and its lists, in the order of their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    file: String,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// An empty report on a file.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a diagnostic, which is made only if it is kept.
    pub(crate) fn add(&mut self, severity: Severity, diagnostic: impl FnOnce() -> Diagnostic) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= KEPT {
            self.diagnostics.push(diagnostic());
        }
    }

    /// Adds what was found in a later part of the same file.
    pub(crate) fn append(&mut self, later: Self) {
        let (errors, warnings) = (self.errors + later.errors, self.warnings + later.warnings);
        for diagnostic in later.diagnostics {
            self.add(diagnostic.severity(), || diagnostic);
        }
        (self.errors, self.warnings) = (errors, warnings);
    }

    /// Counts errors that are not kept.
    pub(crate) fn add_unkept_errors(&mut self, count: usize) {
        self.errors += count;
    }

    /// Sorts the diagnostics by line; those about the whole file come last.
    pub(crate) fn sort(&mut self) {
        self.diagnostics
            .sort_by_key(|diagnostic| match &diagnostic.location {
                Some(location) => (false, location.position),
                None => (true, Position::default()),
            });
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The name of the file that a diagnostic is about.
    #[must_use]
    pub fn file_of<'a>(&'a self, diagnostic: &'a Diagnostic) -> &'a str {
        let location = diagnostic.location.as_ref();
        location
            .and_then(|location| location.list.as_deref())
            .unwrap_or(&self.file)
    }

    /// The first error and its position, in one line.
    pub(crate) fn first_error(&self) -> String {
        let mut diagnostics = self.diagnostics.iter();
        let first = diagnostics.find(|diagnostic| diagnostic.severity() == Severity::Error);
        let Some(Diagnostic {
            location, message, ..
        }) = first
        else {
            return "no errors".to_owned();
        };
        match location {
            Some(location) => match &location.list {
                Some(list) => format!("{list}: {}: {message}", location.position),
                None => format!("{}: {message}", location.position),
            },
            None => message.clone(),
        }
    }

    /// The diagnostics; of very many, only the first ones found.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// How many errors there are, whether kept or not.
    #[must_use]
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are, whether kept or not.
    #[must_use]
    pub const fn warnings(&self) -> usize {
        self.warnings
    }

    /// Whether there are no diagnostics.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many diagnostics were not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.errors + self.warnings - self.diagnostics.len()
    }

    /// The diagnostics as they appear in JSON output.
    #[must_use]
    pub fn to_json(&self) -> Vec<impl Serialize + '_> {
        self.diagnostics
            .iter()
            .map(|diagnostic| JsonDiagnostic::new(self.file_of(diagnostic), diagnostic))
            .collect()
    }
}

/// A diagnostic in JSON. Adding a member is a compatible change, changing one is not.
#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    severity: Severity,
    code: &'static str,
    message: &'a str,
    file: &'a str,
    line: Option<u32>,
    column: Option<u32>,
    source: Option<&'a str>,
    underlined: Option<&'a str>,
    note: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> JsonDiagnostic<'a> {
    fn new(file: &'a str, diagnostic: &'a Diagnostic) -> Self {
        let location = diagnostic.location.as_ref();
        Self {
            severity: diagnostic.severity(),
            code: diagnostic.code.name(),
            message: &diagnostic.message,
            file,
            line: location.map(|location| location.position.line),
            column: location.map(|location| location.position.column),
            source: location.map(|location| location.line()),
            underlined: location.map(|location| location.underlined()),
            note: diagnostic.note.as_deref(),
            hint: diagnostic.hint.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::code::Code, *};

    #[test]
    fn the_reports_on_two_parts_are_together_that_on_the_whole() {
        let codes = [Code::BadPrefix, Code::ExemptionExpired, Code::BadPrefix];
        let all: Vec<_> = codes
            .into_iter()
            .cycle()
            .take(3 * KEPT)
            .enumerate()
            .map(|(number, code)| Diagnostic::new(code, number.to_string()))
            .collect();
        let report = |diagnostics: &[Diagnostic]| {
            let mut report = Report::new("policy.yaml");
            for diagnostic in diagnostics {
                report.add(diagnostic.severity(), || diagnostic.clone());
            }
            report
        };
        for first in [0, 1, KEPT, 2 * KEPT, all.len()] {
            let mut parts = report(&all[..first]);
            parts.append(report(&all[first..]));
            assert_eq!(parts, report(&all), "{first}");
        }
    }
}
