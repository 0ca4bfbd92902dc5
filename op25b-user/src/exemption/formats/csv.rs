//! Reads exemptions from comma-separated values (RFC 4180) with a header line.

use std::{borrow::Cow, io::Read as _};

use csv::{ReaderBuilder, StringRecord};

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
    let mistakes = for_each_cells(text, columns, progress, &mut |row, mistakes| {
        let force = row.force(mistakes);
        contents.add(row.to_import(force), row.source);
    });
    (contents, mistakes)
}

/// Calls `found` with each row whose cells have no mistake in their form, one at a time; returns the mistakes in the others.
pub(crate) fn for_each_row(text: &str, columns: &Columns, found: &mut dyn FnMut(&Row<'_>)) -> Mistakes {
    for_each_cells(text, columns, &|_| {}, &mut |row, mistakes| {
        let before = mistakes.count();
        row.check(mistakes);
        if mistakes.count() == before {
            found(row);
        }
    })
}

/// Calls `found` with the cells of each row that has as many as the header, one at a time; returns the mistakes in the others.
fn for_each_cells(
    text: &str,
    columns: &Columns,
    progress: &dyn Fn(u64),
    found: &mut dyn FnMut(&Row<'_>, &mut Mistakes),
) -> Mistakes {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        // Rows that are too short or too long are reported below.
        .flexible(true)
        .comment(Some(COMMENT))
        // The reader takes a comment that no line feed ends for a row.
        .from_reader(text.as_bytes().chain(&b"\n"[..]));
    let mut lines = Lines::new(text);
    let mut record = StringRecord::new();
    let mut mistakes = Mistakes::default();
    let mut header = None;
    let mut end = 0;
    // Reading from memory cannot fail, nor can UTF-8 that is split at ASCII characters.
    while reader.read_record(&mut record).unwrap_or(false) {
        let start = record.position().map_or(0, csv::Position::byte);
        progress(start);
        end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let line = lines.of_record(usize::try_from(start).unwrap_or(usize::MAX));
        match &header {
            None => match Header::read(&record, columns, line) {
                Ok(read) => header = Some(read),
                Err(mistakes) => return mistakes,
            },
            Some(header) => {
                if let Some(row) = header.row(&record, line, &mut mistakes) {
                    let offset = lines.offset;
                    let written = text.get(offset..end.min(text.len())).unwrap_or_default();
                    let row = Row {
                        offset,
                        written,
                        ..row
                    };
                    found(&row, &mut mistakes);
                }
            }
        }
    }
    if lines.has_open_quote(end) {
        mistakes.add(lines.line, || {
            "a quote (\") in this row is never closed; write \"\" for a literal quote".into()
        });
    }
    if header.is_none() && mistakes.count() == 0 {
        mistakes.add(0, || {
            format!(
                "the file is empty; it must begin with the line {}",
                COLUMNS.join(",")
            )
        });
    }
    mistakes
}

impl Header {
    fn read(names: &StringRecord, columns: &Columns, line: u32) -> Result<Self, Mistakes> {
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

    fn row<'r>(&self, row: &'r StringRecord, line: u32, mistakes: &mut Mistakes) -> Option<Row<'r>> {
        let Self(indices, columns) = self;
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
            offset: 0,
            written: "",
            record: row,
        })
    }
}

impl<'r> Row<'r> {
    /// Finds the mistakes in the form of the cells.
    fn check(&self, mistakes: &mut Mistakes) {
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

/// Counts lines up to a row: the csv crate counts neither the LF of a CR LF nor empty lines nor comments.
struct Lines<'t> {
    text: &'t str,
    offset: usize,
    line: u32,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line of the row that begins at `offset` or after empty lines and comments there; offsets ascend.
    fn of_record(&mut self, offset: usize) -> u32 {
        let bytes = self.text.as_bytes();
        let mut start = offset.min(bytes.len());
        while let Some(byte) = bytes.get(start) {
            start += match byte {
                b'\r' | b'\n' => 1,
                &COMMENT => bytes[start..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - start),
                _ => break,
            };
        }
        let newlines = bytes[self.offset..start].iter().filter(|byte| **byte == b'\n');
        self.line += u32::try_from(newlines.count()).unwrap_or(u32::MAX);
        self.offset = start;
        self.line
    }

    /// Whether the last row, which ends at an offset, ends within quotes.
    fn has_open_quote(&self, end: usize) -> bool {
        let last = self
            .text
            .get(self.offset..end.min(self.text.len()))
            .unwrap_or_default();
        last.matches('"').count() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;
    use crate::{
        exemption::formats::{self, Format},
        time::Reader,
    };

    fn read(text: &str) -> Result<Vec<ImportRow>, Mistakes> {
        read_columns(text, &Columns::default()).map(|contents| contents.rows)
    }

    fn read_columns(text: &str, columns: &Columns) -> Result<Contents, Mistakes> {
        let time_zone = TimeZone::UTC;
        let reader = Reader::new(Timestamp::UNIX_EPOCH, &time_zone);
        formats::read(Format::Csv, columns, text.as_bytes(), &reader, &|_| {})
    }

    fn lines(text: &str) -> Vec<u32> {
        read(text).unwrap().iter().map(|row| row.line).collect()
    }

    #[test]
    fn a_row_is_read_with_its_columns_in_any_order() {
        let text = "ticket,Prefixes,customer,note,expires,destinations\r\n\
            OPS-1,\"198.51.100.8/29;2001:db8::/48, 192.0.2.1\",\"Example, KK\",\"said \"\"yes\"\"\ntwice\",2028-03-31,\r\n";
        assert_eq!(
            read(text).unwrap(),
            [ImportRow {
                line: 2,
                exemption: NewExemption {
                    customer: "Example, KK".into(),
                    prefixes: ["198.51.100.8/29", "2001:db8::/48", "192.0.2.1"]
                        .map(String::from)
                        .into(),
                    destinations: Vec::new(),
                    ticket: Some("OPS-1".into()),
                    note: Some("said \"yes\"\ntwice".into()),
                    expires: Some("2028-03-31".into()),
                    force: false,
                },
            }]
        );
    }

    #[test]
    fn rows_have_the_lines_that_an_editor_shows() {
        for newline in ["\n", "\r\n"] {
            let text = [
                "customer,prefixes,note",
                "A,192.0.2.1,",
                "",
                "B,192.0.2.2,\"two",
                "lines\"",
                ",,",
                "C,192.0.2.3,",
            ]
            .join(newline);
            assert_eq!(lines(&text), [2, 4, 7], "{newline:?}");
            assert_eq!(
                lines(&format!("{newline}{text}{newline}")),
                [3, 5, 8],
                "{newline:?}"
            );
        }
    }

    #[test]
    fn every_bad_row_is_reported_with_its_line() {
        let text =
            "customer,prefixes\nA,192.0.2.1\n,192.0.2.2\nB\nC,192.0.2.3,x\nD, \nE\u{1b}[2J,192.0.2.4\n";
        let mistakes = read(text).unwrap_err();
        insta::assert_snapshot!(mistakes.in_file("x.csv").to_string(), @r#"
        x.csv:3: `customer` is empty
        x.csv:4: the header has 2 columns, but this row has 1; quote a cell that contains a comma, as in "a, b"
        x.csv:5: the header has 2 columns, but this row has 3; quote a cell that contains a comma, as in "a, b"
        x.csv:6: `prefixes` is empty: an exemption needs at least one prefix
        x.csv:7: `customer` contains a control character (U+001B) at character 2; remove it
        "#);
    }

    #[test]
    fn every_mistake_of_a_row_is_reported_at_once() {
        let text = "customer,prefixes,destinations,ticket,expires,force\n\
                    ,198.51.100.9/29 198.51.100.8/33,mail,\u{1b},90d,maybe\nA,192.0.2.1,,,,\n";
        insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @r"
        x.csv:2: `force` must be true, false or empty, not `maybe`
        x.csv:2: `customer` is empty
        x.csv:2: `prefixes`: `198.51.100.9/29` has host bits set; write 198.51.100.8/29 for the prefix, or 198.51.100.9/32 for this one address
        x.csv:2: `prefixes`: `198.51.100.8/33` has an invalid prefix length: it must be from 0 to 32; /32 is one address, and a smaller number is a larger prefix
        x.csv:2: `destinations`: `mail` is not an IP prefix; write an address and a prefix length, such as 198.51.100.8/29 or 2001:db8::/48
        x.csv:2: `ticket` contains a control character (U+001B) at character 1; remove it
        x.csv:2: `expires`: `90d` would mean another instant each time that the file is read; write a date or a time with its date
        ");
    }

    #[test]
    fn rows_of_another_source_than_the_store_are_left_out() {
        let text = "customer,prefixes,Source\nA,192.0.2.1,store\nB,192.0.2.2,\nC,192.0.2.300,/etc/op25b/policy.yaml:31\n";
        let columns = Columns::of_import(&[], false).unwrap();
        let contents = read_columns(text, &columns).unwrap();
        let customers: Vec<_> = contents.rows.iter().map(|row| &*row.exemption.customer).collect();
        assert_eq!((customers, contents.elsewhere), (vec!["A", "B"], 1));
        // A list of a policy has no such column.
        assert!(
            read(text)
                .unwrap_err()
                .in_file("x.csv")
                .to_string()
                .contains("there is no column `Source`")
        );
    }

    #[test]
    fn a_header_with_other_columns_is_refused() {
        let text = "customer,prefix,Ticket,ticket\nA,192.0.2.1,,\n";
        insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @r"
        x.csv:1: there is no column `prefix`; the columns are customer, prefixes, destinations, ticket, note, expires, force
        x.csv:1: the column `ticket` is given twice
        x.csv:1: the column `prefixes` is missing
        ");
        let text = "customer;prefixes\n";
        insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @"x.csv:1: columns must be separated by commas, and these are by semicolons: export the table with commas");
        insta::assert_snapshot!(read("").unwrap_err().in_file("x.csv").to_string(), @"x.csv: the file is empty; it must begin with the line customer,prefixes,destinations,ticket,note,expires,force");
    }

    #[test]
    fn a_quote_that_is_never_closed_swallows_nothing() {
        let text = "customer,prefixes,note\nA,192.0.2.1,\"never\nB,192.0.2.2,\nC,192.0.2.3,\n";
        let mistakes = read(text).unwrap_err();
        assert_eq!(mistakes.count(), 1);
        assert_eq!(mistakes.first()[0].0, 2);
    }

    #[test]
    fn of_very_many_mistakes_the_first_are_listed_and_the_others_counted() {
        let text = format!("customer,prefixes\n{}", "x\n".repeat(50));
        let mistakes = read(&text).unwrap_err();
        assert_eq!((mistakes.count(), mistakes.first().len()), (50, 20));
        assert!(mistakes.in_file("x").to_string().ends_with("… and 30 more\n"));
    }

    fn read_with(text: &str, map: &[(&str, &str)], ignore_unknown: bool) -> Result<Vec<ImportRow>, String> {
        let map: Vec<_> = map
            .iter()
            .map(|(field, name)| ((*field).into(), (*name).into()))
            .collect();
        let columns = Columns::of_import(&map, ignore_unknown).map_err(|error| error.to_string())?;
        let contents = read_columns(text, &columns);
        contents
            .map(|contents| contents.rows)
            .map_err(|mistakes| mistakes.in_file("x.csv").to_string())
    }

    #[test]
    fn a_note_has_line_feeds_whatever_line_breaks_the_file_has() {
        let text = "customer,prefixes,note\r\nA,192.0.2.1,\"one\r\ntwo\"\r\nB,192.0.2.2,\"one\rtwo\"\r\n";
        let rows = read(text).unwrap();
        let notes: Vec<_> = rows.iter().map(|row| row.exemption.note.as_deref()).collect();
        assert_eq!(notes, [Some("one\ntwo"); 2]);
        assert_eq!(lines(text), [2, 4]);
    }

    #[test]
    fn comment_lines_are_skipped_and_counted_as_lines() {
        for newline in ["\n", "\r\n"] {
            let text = [
                "# exported by \"the IPAM",
                "",
                "customer,prefixes,note",
                "# A,192.0.2.9,",
                "A,192.0.2.1,# of no comment",
                "#",
                "\"#B\",192.0.2.2,\"two",
                "# lines\"",
                "# the end: \"",
            ]
            .join(newline);
            let rows = read(&text).unwrap();
            let found: Vec<_> = rows
                .iter()
                .map(|row| (row.line, &*row.exemption.customer))
                .collect();
            assert_eq!(found, [(5, "A"), (7, "#B")], "{newline:?}");
            assert_eq!(rows[1].exemption.note.as_deref(), Some("two\n# lines"));
        }
        assert!(
            read("# nothing\n")
                .unwrap_err()
                .in_file("x")
                .to_string()
                .contains("the file is empty")
        );
    }

    #[test]
    fn a_field_is_read_from_the_column_that_is_mapped_to_it() {
        let text = "Circuit Name,customer,CIDR\nExample KK,C-1042,192.0.2.1\n";
        let map = [("customer", "Circuit Name"), ("prefixes", "cidr")];
        let rows = read_with(text, &map, true).unwrap();
        assert_eq!(rows[0].exemption.customer, "Example KK");
        assert_eq!(rows[0].exemption.prefixes, ["192.0.2.1"]);
        insta::assert_snapshot!(read_with(text, &map, false).unwrap_err(), @"x.csv:1: the column `customer` is not read, as `--map` gives `Circuit Name` for `customer`; `--map FIELD=COLUMN` reads it as a field, `--ignore-unknown-columns` skips it");
        insta::assert_snapshot!(read_with(text, &[("customer", "Kreis")], true).unwrap_err(), @r"
        x.csv:1: there is no column `Kreis`, which `--map` gives for `customer`; the columns are Circuit Name, customer, CIDR
        x.csv:1: the column `prefixes` is missing
        ");
        insta::assert_snapshot!(read_with("A,A\n", &[("customer", "A")], true).unwrap_err(), @r"
        x.csv:1: the column `A` is given twice
        x.csv:1: the column `prefixes` is missing
        ");
    }

    #[test]
    fn a_map_that_is_wrong_is_refused() {
        for (map, why) in [
            (
                &[("client", "A")][..],
                "there is no field `client`; the fields are customer, prefixes",
            ),
            (
                &[("ticket", "A"), ("ticket", "B")],
                "`--map ticket=…` is given twice",
            ),
            (&[("ticket", "A"), ("note", "a")], "`--map …='a'` is given twice"),
        ] {
            let error = read_with("customer,prefixes\n", map, false).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn unknown_columns_are_skipped_on_request_and_required_ones_are_not() {
        let text = "id,customer,prefixes,,rack\n7,A,192.0.2.1,x,\"R, 2\"\n";
        assert_eq!(read_with(text, &[], true).unwrap()[0].exemption.customer, "A");
        insta::assert_snapshot!(read_with("id,prefixes\n", &[], true).unwrap_err(), @"x.csv:1: the column `customer` is missing");
        let refused = read_with(text, &[], false).unwrap_err();
        assert!(
            refused.contains("there is no column `id`") && refused.contains("a column has no name"),
            "{refused}"
        );
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        let text =
            "customer,prefixes,ticket,force\n'=HYPERLINK(1),192.0.2.1,'-5,TRUE\n'x',192.0.2.2,,FALSE\n";
        let rows = read(text).unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    &*row.exemption.customer,
                    row.exemption.ticket.as_deref(),
                    row.exemption.force,
                )
            })
            .collect();
        assert_eq!(found, [("=HYPERLINK(1)", Some("-5"), true), ("'x'", None, false)]);
    }
}
