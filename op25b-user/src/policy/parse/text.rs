//! Parses policies from strings and bytes.

use jiff::{Timestamp, tz::TimeZone};

use super::document::{self, Loaded};
use crate::policy::diagnostics::{Code, Diagnostic, Report, Severity, Source, Span};

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
    match str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            // The valid part, and a readable form of what follows it.
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
                Diagnostic::new(Code::NotUtf8, "the file is not UTF-8 text")
                    .at(&source, span)
                    .hint("save it as UTF-8, for example with `iconv -f SHIFT_JIS -t UTF-8`")
            });
            Err(report)
        }
    }
}
