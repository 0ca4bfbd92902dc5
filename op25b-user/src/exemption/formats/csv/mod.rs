//! Reads exemptions from comma-separated values (RFC 4180) with a header line.

mod parts;
mod records;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use csv::StringRecord;

pub(crate) use self::parts::for_each_row;
use self::records::Records;

use super::{
    Contents,
    columns::{COLUMNS, Columns, Indices, REQUIRED},
    mistakes::Mistakes,
    spreadsheet::unguarded,
};
use crate::{
    counted::counted,
    exemption::{ImportRow, NewExemption},
    policy::{characters, parse::split_prefixes},
};

/// What a line that is a comment begins with.
pub(super) const COMMENT: u8 = b'#';

/// Where a file has its columns, and how many it has.
struct Header(Indices, usize);

/// A row of a file: its cells without quotes and without spaces around them, empty for columns that the file does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'r> {
    /// The line in which it begins.
    pub(crate) line: u32,
    pub(crate) customer: &'r str,
    pub(crate) prefixes: &'r str,
    pub(crate) destinations: &'r str,
    pub(crate) ticket: &'r str,
    /// With line breaks as the file has them; [`Row::note`] has them as they are stored.
    note: &'r str,
    pub(crate) expires: &'r str,
    force: &'r str,
    source: &'r str,
    /// Where it begins in the text.
    pub(crate) offset: usize,
    /// The text of the row, as it is written.
    written: &'r str,
    record: &'r StringRecord,
}

/// Reads a file, and finds the mistakes in its form. `progress` is called with the number of bytes read so far.
pub(super) fn read(text: &str, columns: &Columns, progress: &dyn Fn(u64)) -> (Contents, Mistakes) {
    let mut contents = Contents::default();
    let mut records = Records::from(text, 0);
    let header = match Header::read(&mut records, columns) {
        Ok(header) => header,
        Err(mistakes) => return (contents, mistakes),
    };
    let mut mistakes = Mistakes::default();
    while records.advance() {
        progress(records.offset() as u64);
        if let Some(row) = header.row(&records, &mut mistakes) {
            let force = row.force(&mut mistakes);
            contents.add(row.to_import(force), row.source);
        }
    }
    records.check_end(&mut mistakes);
    (contents, mistakes)
}

impl Header {
    fn read(records: &mut Records<'_>, columns: &Columns) -> Result<Self, Mistakes> {
        if !records.advance() {
            let columns = COLUMNS.join(",");
            let what = format!("the file is empty; it must begin with the line {columns}");
            return Err(Mistakes::one(0, what));
        }
        let (names, line) = (records.record(), records.line());
        if names.len() == 1 && names[0].contains([';', '\t']) {
            let separator = if names[0].contains('\t') {
                "tabs"
            } else {
                "semicolons"
            };
            let what = format!(
                "columns must be separated by commas, and these are by {separator}: export the table with commas"
            );
            return Err(Mistakes::one(line, what));
        }
        Ok(Self(columns.find(names.iter(), line)?, names.len()))
    }

    /// A record as a row; none if it is empty, or has not as many cells as the header.
    fn row<'r>(&self, records: &'r Records<'_>, mistakes: &mut Mistakes) -> Option<Row<'r>> {
        let Self(indices, columns) = self;
        let (row, line) = (records.record(), records.line());
        if row.len() != *columns {
            mistakes.add(line, || {
                format!(
                    "the header has {}, but this row has {}; quote a cell that contains a comma, as in \"a, b\"",
                    counted(*columns, "column"),
                    row.len()
                )
            });
            return None;
        }
        // Spreadsheets write empty rows as commas.
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        let cell = |index: Option<usize>| index.and_then(|index| row.get(index)).unwrap_or_default().trim();
        let [customer, prefixes, destinations, ticket, note, expires, force] = indices.fields.map(cell);
        let [customer, ticket, note] = [customer, ticket, note].map(unguarded);
        Some(Row {
            source: cell(indices.source),
            line,
            customer,
            prefixes,
            destinations,
            ticket,
            note,
            expires,
            force,
            offset: records.offset(),
            written: records.written(),
            record: row,
        })
    }
}

impl<'r> Row<'r> {
    /// Whether the cells have no mistake in their form.
    fn check(&self, mistakes: &mut Mistakes) -> bool {
        let before = mistakes.count();
        for (column, cell) in REQUIRED.iter().zip([self.customer, self.prefixes]) {
            if cell.is_empty() {
                mistakes.add(self.line, || format!("`{column}` is empty"));
            }
        }
        for (column, cell, allowed) in [
            ("customer", self.customer, &[][..]),
            ("ticket", self.ticket, &[]),
            ("note", self.note, &['\n', '\r', '\t']),
        ] {
            if let Some(refused) = characters::first_refused(cell, allowed) {
                mistakes.add(self.line, || format!("`{column}` contains {refused}; remove it"));
            }
        }
        self.force(mistakes);
        mistakes.count() == before
    }

    /// Whether the checks of the policy are skipped.
    fn force(&self, mistakes: &mut Mistakes) -> bool {
        match self.force {
            "" => false,
            // Spreadsheets write TRUE.
            word if word.eq_ignore_ascii_case("false") => false,
            word if word.eq_ignore_ascii_case("true") => true,
            other => {
                mistakes.add(self.line, || {
                    let other = characters::printable(other);
                    format!("`force` must be true, false or empty, not `{other}`")
                });
                false
            }
        }
    }

    /// The note, with line feeds for whatever line breaks the file has.
    pub(crate) fn note(self) -> Cow<'r, str> {
        characters::with_line_feeds(self.note)
    }

    /// Where a part of a cell begins in the file's text.
    pub(crate) fn offset_of(&self, part: &str) -> usize {
        // Where it is among the cells, which the record has one after the other.
        let at = part
            .as_ptr()
            .addr()
            .saturating_sub(self.record.as_slice().as_ptr().addr());
        let ranges = (0..self.record.len()).filter_map(|index| self.record.range(index));
        let Some((index, range)) = ranges.enumerate().find(|(_, range)| at < range.end) else {
            return self.offset;
        };
        let mut is_quoted = false;
        let mut commas = 0;
        let is_comma = |byte: u8| {
            is_quoted ^= byte == b'"';
            commas += usize::from(byte == b',' && !is_quoted);
            commas == index
        };
        let start = match index {
            0 => 0,
            _ => self
                .written
                .bytes()
                .position(is_comma)
                .map_or(0, |comma| comma + 1),
        };
        let quote = usize::from(self.written[start..].starts_with('"'));
        self.offset + start + quote + at.saturating_sub(range.start)
    }

    fn to_import(self, force: bool) -> ImportRow {
        let optional = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
        let owned = |cell| split_prefixes(cell).map(str::to_owned).collect();
        ImportRow {
            line: self.line,
            exemption: NewExemption {
                customer: self.customer.to_owned(),
                prefixes: owned(self.prefixes),
                destinations: owned(self.destinations),
                ticket: optional(self.ticket),
                note: optional(&self.note()),
                expires: optional(self.expires),
                force,
            },
        }
    }
}
