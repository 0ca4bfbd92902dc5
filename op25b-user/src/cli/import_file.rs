//! What the commands that import a file have in common: the file, names of columns, and progress.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

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

/// A progress bar on stderr if that is a terminal, otherwise nothing.
pub(super) fn bar(what: &'static str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(what)
}

/// Shows that the daemon is at work, and not how far it is.
pub(super) fn spin(bar: &ProgressBar, what: &'static str) {
    bar.set_style(ProgressStyle::default_spinner());
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
}
