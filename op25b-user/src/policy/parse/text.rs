//! Reads policies from texts and bytes.

use jiff::{Timestamp, tz::TimeZone};

use super::document::{self, Loaded};
use crate::policy::diagnostics::{Code, Diagnostic, Report, Severity, Source, Span};

/// Reads a policy from a text; `file` is its name in the report. Dates are those of the system's time zone.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Loaded, Report> {
    parse_at(file, text, Timestamp::now(), &TimeZone::system())
}

/// Reads a policy as if it were another time in another time zone.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse_at(file: &str, text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Loaded, Report> {
    document::read(file, text, now, time_zone)
}

/// Reads a policy from the bytes of a file.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Loaded, Report> {
    match str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            // What is valid up to there, with what comes after it made readable.
            let rest = String::from_utf8_lossy(&bytes[valid.len()..bytes.len().min(valid.len() + 80)]);
            let text = format!("{}{rest}", String::from_utf8_lossy(valid));
            let source = Source::new(&text);
            let span = Span {
                at: source.position(valid.len()),
                offset: valid.len(),
                length: 1,
            };
            let mut report = Report::new(file);
            report.add(Severity::Error, || {
                Diagnostic::new(Code::NotUtf8, "this file is not UTF-8 text")
                    .at(&source, span)
                    .hint("save it as UTF-8; `iconv -f SHIFT_JIS -t UTF-8` or the like converts it")
            });
            Err(report)
        }
    }
}
