//! Parses policies from strings and bytes.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    document::{self, Loaded},
    lists::{ListFiles, NoLists},
};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Report, Severity, Source, Span},
    encoding::{self, NotUtf8},
    model::{FileNumber, Position},
};

/// Parses a policy; `file` is its name in the report. Dates are in the system's time zone.
pub fn parse(file: &str, text: &str) -> Result<Loaded, Report> {
    parse_at(file, text, Timestamp::now(), &TimeZone::system())
}

/// Parses a policy as of an instant, with dates in a time zone.
pub fn parse_at(file: &str, text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Loaded, Report> {
    parse_with_lists(file, text, &mut NoLists, now, time_zone)
}

/// Parses a policy and the lists that it names.
pub fn parse_with_lists(
    file: &str,
    text: &str,
    lists: &mut dyn ListFiles,
    now: Timestamp,
    time_zone: &TimeZone,
) -> Result<Loaded, Report> {
    document::read(file, text, lists, now, time_zone)
}

/// Parses a policy from the bytes of a file, and the lists that it names.
pub fn parse_bytes(file: &str, bytes: &[u8], lists: &mut dyn ListFiles) -> Result<Loaded, Report> {
    match encoding::text(bytes) {
        Ok(text) => parse_with_lists(file, text, lists, Timestamp::now(), &TimeZone::system()),
        Err(error) => {
            let mut report = Report::new(file);
            report.add(Severity::Error, || not_utf8(bytes, &error, None));
            Err(report)
        }
    }
}

/// The diagnostic about bytes that are not UTF-8, in the policy file or in a list, which has a name and an index.
pub(super) fn not_utf8(bytes: &[u8], error: &NotUtf8, list: Option<(&str, usize)>) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::NotUtf8, error.message).hint(error.hint);
    let (valid, rest) = match (error.valid, list) {
        (Some(valid), _) => bytes.split_at(valid),
        // Only its name is known to be readable.
        (None, Some(_)) => Default::default(),
        (None, None) => return diagnostic,
    };
    // The valid part, and a readable form of what follows it.
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
    let text = format!("{}{rest}", String::from_utf8_lossy(valid));
    let (source, file) = match list {
        Some((name, index)) => (Source::of_list(name, &text), FileNumber::of_list(index)),
        None => (Source::new(&text), None),
    };
    let span = Span {
        at: Position {
            file: file.unwrap_or_default(),
            ..source.position(valid.len())
        },
        offset: valid.len(),
        length: 1,
    };
    diagnostic.at(&source, span)
}
