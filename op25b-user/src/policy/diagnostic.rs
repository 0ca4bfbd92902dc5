//! What is wrong with a policy file, and where: codes, diagnostics and reports of them.

use std::fmt;

use serde::Serialize;

use super::{
    Position,
    source::{Excerpt, Source, Span},
};

/// Whether a policy can be enforced all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $severity:ident $variant:ident = $name:literal,)*) => {
        /// What kind of thing is wrong. The names are stable: scripts may rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, errors first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in output and documents.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// The text is not UTF-8.
    Error NotUtf8 = "not-utf8",
    /// The text is not YAML.
    Error YamlSyntax = "yaml-syntax",
    /// The YAML is legal, but too deep or too much repeated.
    Error YamlLimit = "yaml-limit",
    /// There is nothing in the file.
    Error EmptyFile = "empty-file",
    /// There is more than one YAML document in the file.
    Error MultipleDocuments = "multiple-documents",
    /// A key is given twice.
    Error DuplicateKey = "duplicate-key",
    /// There is no such key here.
    Error UnknownKey = "unknown-key",
    /// A key that must be there is not.
    Error MissingKey = "missing-key",
    /// A list where a text should be, or the like.
    Error WrongType = "wrong-type",
    /// None of the words that are allowed here.
    Error UnknownValue = "unknown-value",
    /// A key without a value.
    Error EmptyValue = "empty-value",
    /// A list without items.
    Error EmptyList = "empty-list",
    /// A text with control characters.
    Error ControlCharacter = "control-character",
    /// The file is for another version of the policy format.
    Error Version = "version",
    /// A key that means nothing next to the others.
    Error Misplaced = "misplaced",
    /// The same interface, name, port or prefix twice.
    Error Duplicate = "duplicate",
    /// No Linux interface can have this name.
    Error InterfaceName = "interface-name",
    /// No interface on which there are subscribers.
    Error NoSubscriber = "no-subscriber",
    /// Not a TCP port.
    Error BadPort = "bad-port",
    /// A port on which customers submit mail.
    Error SubmissionPort = "submission-port",
    /// `action: prohibit` without an address to answer from.
    Error NoRouter = "no-router",
    /// Not a rate of answers.
    Error BadRate = "bad-rate",
    /// Not the length of a subscriber's prefix.
    Error BadLength = "bad-length",
    /// More ports than the program compares with.
    Error TooManyPorts = "too-many-ports",
    /// Not an IP prefix.
    Error BadPrefix = "bad-prefix",
    /// An IP prefix with bits set behind its length.
    Error HostBits = "host-bits",
    /// IPv4 addresses written as IPv6.
    Error Ipv4Mapped = "ipv4-mapped",
    /// Not a date or time.
    Error BadTime = "bad-time",
    /// A time later than the kernel's clock can say.
    Error LateTime = "late-time",
    /// An exemption for addresses that are not blocked.
    Warning ExemptionInNoPool = "exemption-in-no-pool",
    /// An exemption that no longer holds.
    Warning ExemptionExpired = "exemption-expired",
    /// An exemption that another one makes useless.
    Warning ExemptionCovered = "exemption-covered",
    /// An exemption for a whole pool prefix.
    Warning ExemptionCoversPool = "exemption-covers-pool",
    /// An exemption whose sources and destinations are of different address families.
    Warning ExemptionNeverMatches = "exemption-never-matches",
    /// An exemption without an end, although the policy asks for one.
    Warning ExemptionWithoutEnd = "exemption-without-end",
    /// `inbound: block` without an interface where the Internet comes in.
    Warning InboundWithoutUplink = "inbound-without-uplink",
    /// A relay prefix that lets everyone reach a large part of the Internet.
    Warning WideRelay = "wide-relay",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing.
    pub code: Code,
    /// What, in one sentence.
    pub message: String,
    /// Where, unless it is about the whole file.
    pub place: Option<Box<Place>>,
    /// What else one has to know, such as the other place.
    pub note: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            note: None,
            hint: None,
        }
    }

    pub(crate) fn at(mut self, source: &Source<'_>, span: Span) -> Self {
        let place = Place {
            position: span.at,
            excerpt: source.excerpt(span),
        };
        self.place = Some(Box::new(place));
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
pub struct Place {
    /// Line and column.
    pub position: Position,
    pub(crate) excerpt: Excerpt,
}

impl Place {
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
            .sort_by_key(|diagnostic| match &diagnostic.place {
                Some(place) => (false, place.position),
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
        let place = diagnostic.place.as_ref();
        Self {
            severity: diagnostic.severity(),
            code: diagnostic.code.name(),
            message: &diagnostic.message,
            file,
            line: place.map(|place| place.position.line),
            column: place.map(|place| place.position.column),
            source: place.map(|place| place.line()),
            underlined: place.map(|place| place.underlined()),
            note: diagnostic.note.as_deref(),
            hint: diagnostic.hint.as_deref(),
        }
    }
}
