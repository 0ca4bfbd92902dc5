//! Files of exemptions: the formats that `op25b exempt import` reads and `export` writes.

mod csv;
mod format;
mod mistakes;
mod write;
mod yaml;

pub(crate) use self::{
    format::Format,
    mistakes::Mistakes,
    write::{Row, write},
};
use super::ImportRow;

/// Reads a file. `progress` is called with the number of bytes read so far.
pub(crate) fn read(format: Format, bytes: &[u8], progress: &dyn Fn(u64)) -> Result<Vec<ImportRow>, Mistakes> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let newlines = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n');
        let line = u32::try_from(newlines.count() + 1).unwrap_or(u32::MAX);
        Mistakes::one(
            line,
            "this file is not UTF-8 text; save it as UTF-8, or convert it, for example with `iconv -f SHIFT_JIS -t UTF-8`",
        )
    })?;
    // Spreadsheets begin files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv::read(text, progress),
        Format::Yaml | Format::Json => yaml::read(text, progress),
    }
}
