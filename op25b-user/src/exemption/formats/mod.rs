//! Files of exemptions: the formats that `op25b exempt import` reads and `export` writes.

mod columns;
pub(crate) mod csv;
mod format;
mod mistakes;
mod spreadsheet;
mod write;
mod yaml;

pub(crate) use self::{
    columns::{Columns, SOURCE},
    format::Format,
    mistakes::Mistakes,
    spreadsheet::{guarded, unguarded},
    write::{CsvOptions, Row, write},
};
use super::{ImportRow, file_terms};
use crate::{policy::encoding, time::Reader};

/// The source of exemptions of the store.
pub(crate) const STORE: &str = "store";

/// What a file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The rows of the store, or without a source.
    pub(crate) rows: Vec<ImportRow>,
    /// How many rows have another source, such as the policy file: they are left out.
    pub(crate) elsewhere: usize,
}

impl Contents {
    fn add(&mut self, row: ImportRow, source: &str) {
        if matches!(source, "" | STORE) {
            self.rows.push(row);
        } else {
            self.elsewhere += 1;
        }
    }
}

/// Reads a file. `columns` are those of a CSV file; times are read by `reader`; `progress` is called with the number of bytes read so
/// far. All mistakes of a row are found, but for those that a policy and other exemptions make.
pub(crate) fn read(
    format: Format,
    columns: &Columns,
    bytes: &[u8],
    reader: &Reader<'_>,
    progress: &dyn Fn(u64),
) -> Result<Contents, Mistakes> {
    let text = encoding::text(bytes).map_err(|error| {
        let line = error.valid.map_or(0, |valid| {
            let newlines = bytes[..valid].iter().filter(|byte| **byte == b'\n');
            u32::try_from(newlines.count() + 1).unwrap_or(u32::MAX)
        });
        Mistakes::one(line, error.to_string())
    })?;
    // Spreadsheets begin files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (contents, mut mistakes) = match format {
        Format::Csv => csv::read(text, columns, progress),
        Format::Yaml | Format::Json => yaml::read(text, progress),
    };
    for ImportRow { line, exemption } in &contents.rows {
        for invalid in file_terms(exemption, reader).err().into_iter().flatten() {
            mistakes.add(*line, || invalid.to_string());
        }
    }
    if mistakes.count() == 0 {
        Ok(contents)
    } else {
        Err(mistakes.by_line())
    }
}
