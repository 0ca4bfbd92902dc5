//! Files of exemptions: the formats that `op25b exempt import` reads and `export` writes.

mod columns;
pub(crate) mod csv;
mod format;
mod mistakes;
mod spreadsheet;
mod write;
mod yaml;

pub(crate) use self::{
    columns::Columns,
    format::Format,
    mistakes::Mistakes,
    write::{Row, write, write_for_spreadsheet},
};
use super::ImportRow;
use crate::policy::encoding;

/// Reads a file. `columns` are those of a CSV file; `progress` is called with the number of bytes read so far.
pub(crate) fn read(
    format: Format,
    columns: &Columns,
    bytes: &[u8],
    progress: &dyn Fn(u64),
) -> Result<Vec<ImportRow>, Mistakes> {
    let text = encoding::text(bytes).map_err(|error| {
        let line = error.valid.map_or(0, |valid| {
            let newlines = bytes[..valid].iter().filter(|byte| **byte == b'\n');
            u32::try_from(newlines.count() + 1).unwrap_or(u32::MAX)
        });
        Mistakes::one(line, error.to_string())
    })?;
    // Spreadsheets begin files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv::read(text, columns, progress),
        Format::Yaml | Format::Json => yaml::read(text, progress),
    }
}
