//! Logs of assignments: each format is read from a stream, in the memory that the sessions need that have not ended in it.

mod csv;
mod detail;
mod kea;
mod lines;
mod outcome;
#[cfg(test)]
mod tests;
mod texts;

use std::{
    ffi::OsStr,
    io::{self, BufRead},
    path::Path,
};

use clap::ValueEnum;
use jiff::{Timestamp, tz::TimeZone};
use thiserror::Error;

use super::Session;

use self::outcome::LeftOut;
pub(crate) use self::{
    outcome::Outcome,
    texts::{customer, prefix},
};

/// The format of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values (RFC 4180) with a header line: customer, prefixes, start, end.
    Csv,
    /// Accounting records as the module `detail` of FreeRADIUS writes them.
    Detail,
    /// The lease file of Kea (memfile), of DHCPv4 or DHCPv6.
    Kea,
}

impl Format {
    /// The format that the name of a file stands for.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        if name.starts_with("kea-leases") || name.starts_with("dhcp4.leases") {
            Some(Self::Kea)
        } else if name.starts_with("detail") {
            Some(Self::Detail)
        } else {
            let extension = path.extension().and_then(OsStr::to_str)?;
            extension.eq_ignore_ascii_case("csv").then_some(Self::Csv)
        }
    }

    /// The fields that can be read from a column or an attribute with another name.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Csv => &csv::FIELDS,
            Self::Detail | Self::Kea => &["customer"],
        }
    }
}

/// How a log is read.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The names that fields have in the log, where they are others.
    names: Vec<(&'static str, String)>,
    /// The time zone of times without one.
    time_zone: TimeZone,
    /// Until when sessions without an end are known to have lasted.
    as_of: Option<Timestamp>,
}

/// Why names of fields cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadMap {
    /// There is no such field.
    #[error("`--map {0}=…`: there is no field `{0}`; the fields are {1}")]
    Unknown(String, String),
    /// A field is given twice.
    #[error("`--map {0}=…` is given twice: a field has one name")]
    Twice(&'static str),
}

impl Options {
    /// Options for a format; `map` has the name in the log for each field that has another one there.
    pub(crate) fn new(
        format: Format,
        map: &[(String, String)],
        time_zone: TimeZone,
        as_of: Option<Timestamp>,
    ) -> Result<Self, BadMap> {
        let mut names: Vec<(&'static str, String)> = Vec::new();
        for (field, name) in map {
            let field = field.trim();
            let mut known = format.fields().iter();
            let known = known.find(|known| known.eq_ignore_ascii_case(field));
            let known = known.ok_or_else(|| BadMap::Unknown(field.to_owned(), format.fields().join(", ")))?;
            if names.iter().any(|(before, _)| before == known) {
                return Err(BadMap::Twice(known));
            }
            names.push((known, name.trim().to_owned()));
        }
        Ok(Self {
            names,
            time_zone,
            as_of,
        })
    }

    /// The name that a field has in the log, if it is another one.
    fn name_of(&self, field: &str) -> Option<&str> {
        let mut names = self.names.iter();
        names
            .find(|(known, _)| *known == field)
            .map(|(_, name)| name.as_str())
    }
}

/// What takes the sessions of a log, one by one.
pub(crate) type Take<'t> = &'t mut dyn FnMut(Session) -> io::Result<()>;

/// Reads a log. An error is that of reading it or of `take`; what is wrong with the log is in the outcome.
pub(crate) fn read(
    format: Format,
    log: &mut dyn BufRead,
    options: &Options,
    take: Take<'_>,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::default();
    match format {
        Format::Csv => csv::read(log, options, &mut outcome, take)?,
        Format::Detail => detail::read(log, options, &mut outcome, take)?,
        Format::Kea => kea::read(log, options, &mut outcome, take)?,
    }
    Ok(outcome)
}
