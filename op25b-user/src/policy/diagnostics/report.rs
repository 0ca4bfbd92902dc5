//! Everything that is wrong with a file, and its form in JSON.

use serde::Serialize;

use super::{code::Severity, diagnostic::Diagnostic};
use crate::policy::model::Position;

/// A broken script can make a million errors: no one reads more than this many of each severity.
const KEPT: usize = 200;

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    file: String,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// One that says nothing yet of a file.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a diagnostic; the argument makes it only if it is going to be kept.
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

    /// Puts the diagnostics in the order of the file's lines; what is about the whole file comes last.
    pub(crate) fn sort(&mut self) {
        self.diagnostics
            .sort_by_key(|diagnostic| match &diagnostic.location {
                Some(location) => (false, location.position),
                None => (true, Position::default()),
            });
    }

    /// The file, as it was named.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
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

    /// Whether nothing is wrong at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.errors + self.warnings == 0
    }

    /// How many were found, but not kept.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.errors + self.warnings - self.diagnostics.len()
    }

    /// The diagnostics as they appear in JSON output.
    #[must_use]
    pub fn to_json(&self) -> Vec<impl Serialize + '_> {
        self.diagnostics
            .iter()
            .map(|diagnostic| JsonDiagnostic::new(&self.file, diagnostic))
            .collect()
    }
}

/// A diagnostic in JSON. Adding a member is compatible, changing one is not.
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
