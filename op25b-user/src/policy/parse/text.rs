//! Parses policies from strings and bytes.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    document::{self, Loaded},
    lists::{ListFiles, NoLists},
    not_utf8::not_utf8,
};
use crate::policy::{
    diagnostics::{Report, Severity},
    encoding,
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
