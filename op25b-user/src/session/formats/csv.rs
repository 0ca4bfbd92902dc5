//! Reads sessions from comma-separated values (RFC 4180) with a header line: one session, or several prefixes of one, in a row.

use std::{
    cell::Cell,
    io::{self, BufRead, Read},
};

use csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;

use super::{LeftOut, Options, Outcome, Take, texts};
use crate::{
    counted::counted, exemption::formats::unguarded, policy::parse::split_prefixes, session::Session,
};

/// The fields of a row.
pub(super) const FIELDS: [&str; 4] = ["customer", "prefixes", "start", "end"];

/// What tables usually call the column of a field, besides its name.
fn other_names(field: &str) -> &'static [&'static str] {
    match field {
        "prefixes" => &["prefix", "address"],
        _ => &[],
    }
}

/// The longest row in bytes, with what the reader has read ahead.
const LONGEST_ROW: usize = 1 << 20;

/// Reads a log.
pub(super) fn read(
    log: &mut dyn BufRead,
    options: &Options,
    outcome: &mut Outcome,
    take: Take<'_>,
) -> io::Result<()> {
    let since_row = Cell::new(0);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(Rows {
            log,
            since_row: &since_row,
        });
    let mut bytes = csv::ByteRecord::new();
    let mut header: Option<Header> = None;
    while reader.read_byte_record(&mut bytes).map_err(io::Error::other)? {
        since_row.set(0);
        let line = bytes.position().map_or(0, csv::Position::line);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let record = StringRecord::from_byte_record_lossy(bytes.clone());
        let Some(header) = &header else {
            match Header::read(&record, options) {
                Ok(read) => header = Some(read),
                Err(wrong) => {
                    for what in wrong {
                        outcome.mistakes.add(line, || what);
                    }
                    return Ok(());
                }
            }
            continue;
        };
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        outcome.records += 1;
        match header.sessions(&record, options) {
            Ok(sessions) if sessions.is_empty() => outcome.leave_out(LeftOut::NoAddress, line),
            Ok(sessions) => sessions.into_iter().try_for_each(&mut *take)?,
            Err(what) => outcome.mistakes.add(line, || what),
        }
    }
    if header.is_none() {
        outcome.mistakes.add(0, || {
            format!(
                "the file is empty; it must begin with the line {}",
                FIELDS.join(",")
            )
        });
    }
    Ok(())
}

/// A log that no row fills the memory of: an open quote makes one of all that follows.
struct Rows<'l> {
    log: &'l mut dyn BufRead,
    /// How many bytes were read since the last row.
    since_row: &'l Cell<usize>,
}

impl Read for Rows<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.log.read(buffer)?;
        let since_row = self.since_row.get() + read;
        self.since_row.set(since_row);
        if since_row > LONGEST_ROW {
            return Err(io::Error::other(format!(
                "a row is longer than {LONGEST_ROW} bytes: a quote (\") in it is never closed"
            )));
        }
        Ok(read)
    }
}

/// Where a file has its fields, and how many columns it has.
struct Header {
    indices: [usize; FIELDS.len()],
    columns: usize,
}

impl Header {
    fn read(record: &StringRecord, options: &Options) -> Result<Self, Vec<String>> {
        let names: Vec<&str> = record
            .iter()
            .map(|name| name.trim().trim_start_matches('\u{feff}'))
            .collect();
        if let [only] = names[..]
            && only.contains([';', '\t'])
        {
            return Err(vec![
                "columns must be separated by commas: export the table with commas".to_owned(),
            ]);
        }
        let mut indices = [0; FIELDS.len()];
        let mut wrong = Vec::new();
        for (field, index) in FIELDS.iter().zip(&mut indices) {
            let (name, others) = match options.name_of(field) {
                Some(name) => (name, &[][..]),
                None => (*field, other_names(field)),
            };
            let is_field = |one: &str| {
                one.eq_ignore_ascii_case(name) || others.iter().any(|other| one.eq_ignore_ascii_case(other))
            };
            let mut found = names.iter().enumerate().filter(|(_, one)| is_field(one));
            match (found.next(), found.next()) {
                (Some((place, _)), None) => *index = place,
                (Some((_, one)), Some((_, other))) if one.eq_ignore_ascii_case(other) => {
                    wrong.push(format!("the column `{one}` is there twice"));
                }
                (Some((_, one)), Some((_, other))) => wrong.push(format!(
                    "the columns `{one}` and `{other}` are both there: `--map {field}={one}` reads the first"
                )),
                (None, _) => wrong.push(format!(
                    "there is no column `{name}`; the columns are {}; `--map {field}=COLUMN` reads another one",
                    names.join(", ")
                )),
            }
        }
        if wrong.is_empty() {
            let columns = names.len();
            Ok(Self { indices, columns })
        } else {
            Err(wrong)
        }
    }

    /// The sessions of a row, one for each of its prefixes.
    fn sessions(&self, record: &StringRecord, options: &Options) -> Result<Vec<Session>, String> {
        let Self { indices, columns } = self;
        if record.len() != *columns {
            return Err(format!(
                "the header has {}, but this row has {}; quote a cell that contains a comma, as in \"a, b\"",
                counted(*columns, "column"),
                record.len()
            ));
        }
        let [customer, prefixes, start, end] =
            indices.map(|index| record.get(index).unwrap_or_default().trim());
        let customer = texts::customer(unguarded(customer))?;
        let start = texts::start(start, &options.time_zone).map_err(|error| format!("`start`: {error}"))?;
        let end = match end {
            "" => None,
            end => Some(texts::end(end, &options.time_zone).map_err(|error| format!("`end`: {error}"))?),
        };
        if let Some(end) = end.filter(|end| *end < start) {
            return Err(format!("it ends before it begins: at {end:.0}, after {start:.0}"));
        }
        let as_of = options.as_of.unwrap_or(Timestamp::MIN);
        split_prefixes(prefixes)
            .map(|prefix| {
                let prefix = texts::prefix(prefix)?;
                Ok(match end {
                    Some(end) => Session::ended(&*customer, prefix, start, end),
                    None => Session::open(&*customer, prefix, start, start.max(as_of)),
                })
            })
            .collect()
    }
}
