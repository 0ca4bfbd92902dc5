//! What the commands that import a file have in common: the file, and names of columns.

use std::path::Path;

use anyhow::Context as _;

/// Whether standard input is read, for the file `-`.
pub(super) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The name of the file in messages.
pub(super) fn name(file: &Path) -> String {
    if is_stdin(file) {
        "stdin".into()
    } else {
        file.display().to_string()
    }
}

/// Parses `FIELD=COLUMN`.
pub(super) fn mapping(text: &str) -> anyhow::Result<(String, String)> {
    let (field, column) = text
        .split_once('=')
        .filter(|(_, column)| !column.trim().is_empty())
        .context("write FIELD=COLUMN, such as customer='Circuit Name'")?;
    Ok((field.to_owned(), column.to_owned()))
}
