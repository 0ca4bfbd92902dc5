//! Cells that spreadsheets would compute: a cell that begins with `=` is a formula there, whoever wrote it (CSV injection).
//!
//! An apostrophe before such a cell makes it text; a reader takes it away again. A text that has apostrophes there itself gets
//! one more in every file, so that each is read as it was.

use std::borrow::Cow;

/// What a spreadsheet begins a formula with; the wide forms do it where input methods write them.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// The cell of a file that a spreadsheet opens.
pub(crate) fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.trim_start_matches('\'').starts_with(FORMULA) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The cell of any other file: only what [`unguarded`] would change is guarded.
pub(super) fn escaped(cell: &str) -> Cow<'_, str> {
    if cell.starts_with('\'') {
        guarded(cell)
    } else {
        Cow::Borrowed(cell)
    }
}

/// The text of a cell, guarded or not.
pub(crate) fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if text.trim_start_matches('\'').starts_with(FORMULA) => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_begins_with_an_apostrophe_and_is_read_without_it() {
        for (text, cell) in [
            (
                "=HYPERLINK(\"http://192.0.2.1\")",
                "'=HYPERLINK(\"http://192.0.2.1\")",
            ),
            ("+81 3 0000 0000", "'+81 3 0000 0000"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1+1", "'＝1+1"),
            ("'=1", "''=1"),
            ("''=1", "'''=1"),
            ("'quoted'", "'quoted'"),
            ("Example KK", "Example KK"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), cell);
            assert_eq!(unguarded(cell), text);
            assert_eq!(unguarded(&escaped(text)), text);
        }
        assert_eq!(escaped("=1"), "=1");
    }
}
