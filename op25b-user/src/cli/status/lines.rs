//! Lines of `op25b status`.

use std::fmt::{Display, Write as _};

use jiff::{Timestamp, tz::TimeZone};
use unicode_width::UnicodeWidthStr as _;

use crate::{cli::table::fold_below, time::show};

/// The column in which the values of single lines begin.
const LABEL: usize = 10;

/// A text that grows line by line, with the time zone of its times. Writing to a String does not fail.
pub(super) struct Lines<'z> {
    text: String,
    zone: &'z TimeZone,
    width: Option<u16>,
}

impl<'z> Lines<'z> {
    /// No lines yet, to be folded to a width if there is one.
    pub(super) fn new(zone: &'z TimeZone, width: Option<u16>) -> Self {
        Self {
            text: String::new(),
            zone,
            width,
        }
    }

    /// An instant for people.
    pub(super) fn shown(&self, at: Timestamp) -> String {
        show::instant(at, self.zone)
    }

    /// The time zone of its times.
    pub(super) fn zone(&self) -> &'z TimeZone {
        self.zone
    }

    /// A line.
    pub(super) fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{line}");
    }

    /// A line of words.
    pub(super) fn words(&mut self, line: impl Display) {
        self.folded(&line.to_string(), 2);
    }

    /// A line with a label.
    pub(super) fn labelled(&mut self, label: &str, value: impl Display) {
        self.folded(&format!("  {label:<LABEL$}  {value}"), LABEL + 4);
    }

    fn folded(&mut self, line: &str, indent: usize) {
        let folded = fold_below(line, indent, self.width);
        self.line(folded);
    }

    /// Whether a table of these rows is no wider than the lines may be.
    pub(super) fn has_room_for<const N: usize>(&self, rows: &[Row<N>]) -> bool {
        let table: usize = widths(rows).iter().map(|width| width + 2).sum();
        self.width.is_none_or(|width| table <= usize::from(width))
    }

    /// Rows of cells below each other, each column as wide as its widest cell, each followed by its remark.
    pub(super) fn table<const N: usize>(&mut self, rows: &[Row<N>]) {
        let widths = widths(rows);
        for (row, remark) in rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                let padding = " ".repeat(width - cell.width());
                let _ = write!(line, "  {cell}{padding}");
            }
            self.line(line.trim_end());
            if let Some(remark) = remark {
                self.folded(&format!("    {remark}"), 6);
            }
        }
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The cells of a row, and a remark on it.
pub(super) type Row<const N: usize> = ([String; N], Option<String>);

/// The width of the widest cell of each column.
fn widths<const N: usize>(rows: &[Row<N>]) -> [usize; N] {
    let mut widths = [0; N];
    for (row, _) in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}
