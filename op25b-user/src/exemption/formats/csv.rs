//! Reads exemptions from comma-separated values (RFC 4180) with a header line.

use csv::{ReaderBuilder, StringRecord};

use super::mistakes::Mistakes;
use crate::exemption::{ImportRow, NewExemption};

/// The columns, in the order in which they are written.
pub(super) const COLUMNS: [&str; 7] = [
    "customer",
    "prefixes",
    "destinations",
    "ticket",
    "note",
    "expires",
    "force",
];
/// The columns that a file must have.
const REQUIRED: [&str; 2] = ["customer", "prefixes"];

/// The index in a file of each of [`COLUMNS`], and the number of its columns.
struct Header([Option<usize>; COLUMNS.len()], usize);

/// A row of a file: its cells without quotes and without spaces around them, empty for columns that the file does not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'r> {
    /// The line in which it begins.
    pub(super) line: u32,
    pub(super) customer: &'r str,
    pub(super) prefixes: &'r str,
    pub(super) destinations: &'r str,
    pub(super) ticket: &'r str,
    pub(super) note: &'r str,
    pub(super) expires: &'r str,
    pub(super) force: bool,
}

/// Reads a file. `progress` is called with the number of bytes read so far.
pub(super) fn read(text: &str, progress: &dyn Fn(u64)) -> Result<Vec<ImportRow>, Mistakes> {
    let mut rows = Vec::new();
    let mistakes = for_each_row(text, progress, &mut |row| rows.push(row.to_import()));
    if mistakes.count() == 0 {
        Ok(rows)
    } else {
        Err(mistakes)
    }
}

/// Calls `found` with each row that has no mistake in its form, one at a time; returns the mistakes in the others.
pub(super) fn for_each_row(text: &str, progress: &dyn Fn(u64), found: &mut dyn FnMut(&Row<'_>)) -> Mistakes {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        // Rows that are too short or too long are reported below.
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut lines = Lines::new(text);
    let mut record = StringRecord::new();
    let mut mistakes = Mistakes::default();
    let mut header = None;
    // Reading from memory cannot fail, nor can UTF-8 that is split at ASCII characters.
    while reader.read_record(&mut record).unwrap_or(false) {
        let start = record.position().map_or(0, csv::Position::byte);
        progress(start);
        let line = lines.of_record(usize::try_from(start).unwrap_or(usize::MAX));
        match &header {
            None => match Header::read(&record, line) {
                Ok(read) => header = Some(read),
                Err(mistakes) => return mistakes,
            },
            Some(header) => {
                if let Some(row) = header.row(&record, line, &mut mistakes) {
                    found(&row);
                }
            }
        }
    }
    if lines.has_open_quote() {
        mistakes.add(lines.line, || {
            "a quote (\") in this row is never closed; write \"\" for a literal quote".into()
        });
    }
    if header.is_none() && mistakes.count() == 0 {
        mistakes.add(0, || {
            format!(
                "this file is empty; it must begin with the line {}",
                COLUMNS.join(",")
            )
        });
    }
    mistakes
}

impl Header {
    fn read(names: &StringRecord, line: u32) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let mut indices = [None; COLUMNS.len()];
        if names.len() == 1 && names[0].contains([';', '\t']) {
            return Err(Mistakes::one(line, "columns must be separated by commas"));
        }
        for (index, name) in names.iter().enumerate() {
            let name = name.trim();
            match COLUMNS
                .iter()
                .position(|column| name.eq_ignore_ascii_case(column))
            {
                None => mistakes.add(line, || {
                    format!(
                        "there is no column `{name}`; the columns are {}",
                        COLUMNS.join(", ")
                    )
                }),
                Some(column) if indices[column].is_some() => {
                    mistakes.add(line, || format!("the column `{name}` is given twice"));
                }
                Some(column) => indices[column] = Some(index),
            }
        }
        for column in REQUIRED {
            let index = COLUMNS.iter().position(|name| *name == column);
            if index.is_some_and(|index| indices[index].is_none()) {
                mistakes.add(line, || format!("the column `{column}` is missing"));
            }
        }
        if mistakes.count() == 0 {
            Ok(Self(indices, names.len()))
        } else {
            Err(mistakes)
        }
    }

    fn row<'r>(&self, row: &'r StringRecord, line: u32, mistakes: &mut Mistakes) -> Option<Row<'r>> {
        let Self(indices, columns) = self;
        if row.len() != *columns {
            mistakes.add(line, || {
                format!(
                    "the header has {columns} columns, but this row has {}; quote a cell that contains a comma",
                    row.len()
                )
            });
            return None;
        }
        // Spreadsheets write empty rows as commas.
        if row.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        let before = mistakes.count();
        let [customer, prefixes, destinations, ticket, note, expires, force] =
            indices.map(|index| index.and_then(|index| row.get(index)).unwrap_or_default().trim());
        for (column, cell) in REQUIRED.iter().zip([customer, prefixes]) {
            if cell.is_empty() {
                mistakes.add(line, || format!("`{column}` is empty"));
            }
        }
        for (column, cell, allowed) in [
            ("customer", customer, &[][..]),
            ("ticket", ticket, &[]),
            ("note", note, &['\n', '\r', '\t']),
        ] {
            let bad = cell.chars().find(|c| c.is_control() && !allowed.contains(c));
            if let Some(bad) = bad {
                mistakes.add(line, || {
                    format!(
                        "`{column}` contains a control character (U+{:04X})",
                        u32::from(bad)
                    )
                });
            }
        }
        let force = match force {
            "" | "false" => false,
            "true" => true,
            other => {
                mistakes.add(line, || {
                    format!("`force` must be true, false or empty, not `{other}`")
                });
                false
            }
        };
        if mistakes.count() > before {
            return None;
        }
        Some(Row {
            line,
            customer,
            prefixes,
            destinations,
            ticket,
            note,
            expires,
            force,
        })
    }
}

impl Row<'_> {
    fn to_import(self) -> ImportRow {
        let optional = |cell: &str| (!cell.is_empty()).then(|| cell.to_owned());
        let owned = |cell: &str| list(cell).map(str::to_owned).collect();
        ImportRow {
            line: self.line,
            exemption: NewExemption {
                customer: self.customer.to_owned(),
                prefixes: owned(self.prefixes),
                destinations: owned(self.destinations),
                ticket: optional(self.ticket),
                note: optional(self.note),
                expires: optional(self.expires),
                force: self.force,
            },
        }
    }
}

/// The prefixes in a cell, as text.
pub(super) fn list(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(|c: char| c == ';' || c.is_whitespace())
        .filter(|prefix| !prefix.is_empty())
}

/// Counts lines up to a row: the csv crate counts neither the LF of a CR LF nor empty lines.
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

    /// The line of the row that begins at `offset` or after empty lines there; offsets ascend.
    fn of_record(&mut self, offset: usize) -> u32 {
        let bytes = self.text.as_bytes();
        let start = bytes[offset.min(bytes.len())..]
            .iter()
            .position(|byte| !matches!(byte, b'\r' | b'\n'))
            .map_or(bytes.len(), |empty| offset + empty);
        let newlines = bytes[self.offset..start].iter().filter(|byte| **byte == b'\n');
        self.line += u32::try_from(newlines.count()).unwrap_or(u32::MAX);
        self.offset = start;
        self.line
    }

    /// Whether the text ends within quotes, once the last row is read.
    fn has_open_quote(&self) -> bool {
        self.text[self.offset..].matches('"').count() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<ImportRow>, Mistakes> {
        super::read(text, &|_| {})
    }

    fn lines(text: &str) -> Vec<u32> {
        read(text).unwrap().iter().map(|row| row.line).collect()
    }

    #[test]
    fn a_row_is_read_with_its_columns_in_any_order() {
        let text = "ticket,Prefixes,customer,note,expires,destinations\r\n\
            OPS-1,198.51.100.8/29;2001:db8::/48 192.0.2.1,\"Example, KK\",\"said \"\"yes\"\"\ntwice\",2028-03-31,\r\n";
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
        insta::assert_snapshot!(mistakes.in_file("x.csv").to_string(), @r"
        x.csv:3: `customer` is empty
        x.csv:4: the header has 2 columns, but this row has 1; quote a cell that contains a comma
        x.csv:5: the header has 2 columns, but this row has 3; quote a cell that contains a comma
        x.csv:6: `prefixes` is empty
        x.csv:7: `customer` contains a control character (U+001B)
        ");
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
        insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @"x.csv:1: columns must be separated by commas");
        insta::assert_snapshot!(read("").unwrap_err().in_file("x.csv").to_string(), @"x.csv: this file is empty; it must begin with the line customer,prefixes,destinations,ticket,note,expires,force");
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
}
