//! Parses policies from strings and bytes.

use jiff::{Timestamp, tz::TimeZone};

use super::document::{self, Loaded};
use crate::policy::{
    diagnostics::{Code, Diagnostic, Report, Severity, Source, Span},
    encoding,
};

/// Parses a policy; `file` is its name in the report. Dates are in the system's time zone.
pub fn parse(file: &str, text: &str) -> Result<Loaded, Report> {
    parse_at(file, text, Timestamp::now(), &TimeZone::system())
}

/// Parses a policy as of an instant, with dates in a time zone.
pub fn parse_at(file: &str, text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Loaded, Report> {
    document::read(file, text, now, time_zone)
}

/// Parses a policy from the bytes of a file.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Loaded, Report> {
    let not_utf8 = match encoding::text(bytes) {
        Ok(text) => return parse(file, text),
        Err(not_utf8) => not_utf8,
    };
    let diagnostic = Diagnostic::new(Code::NotUtf8, not_utf8.message).hint(not_utf8.hint);
    let mut report = Report::new(file);
    report.add(Severity::Error, || match not_utf8.valid {
        None => diagnostic,
        Some(valid) => {
            // The valid part, and a readable form of what follows it.
            let (valid, rest) = bytes.split_at(valid);
            let rest = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
            let text = format!("{}{rest}", String::from_utf8_lossy(valid));
            let source = Source::new(&text);
            let span = Span {
                at: source.position(valid.len()),
                offset: valid.len(),
                length: 1,
            };
            diagnostic.at(&source, span)
        }
    });
    Err(report)
}
