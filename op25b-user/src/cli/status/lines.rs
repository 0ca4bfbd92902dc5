//! Lines of `op25b status`.

use std::fmt::{Display, Write as _};

use jiff::{Timestamp, tz::TimeZone};
use unicode_width::UnicodeWidthStr as _;

use crate::time::show;

/// The column in which the values of single lines begin.
const LABEL: usize = 10;

/// A text that grows line by line, with the time zone of its times. Writing to a String does not fail.
pub(super) struct Lines<'z> {
    text: String,
    zone: &'z TimeZone,
}

impl<'z> Lines<'z> {
    /// No lines yet.
    pub(super) fn new(zone: &'z TimeZone) -> Self {
        Self {
            text: String::new(),
            zone,
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

    /// A line with a label.
    pub(super) fn labelled(&mut self, label: &str, value: impl Display) {
        self.line(format_args!("  {label:<LABEL$}  {value}"));
    }

    /// Rows of cells below each other, each column as wide as its widest cell, each followed by its remarks.
    pub(super) fn table<const N: usize>(&mut self, rows: &[([String; N], Option<String>)]) {
        let mut widths = [0; N];
        for (row, _) in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        for (row, remark) in rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                let padding = " ".repeat(width - cell.width());
                let _ = write!(line, "  {cell}{padding}");
            }
            self.line(line.trim_end());
            if let Some(remark) = remark {
                self.line(format_args!("    {remark}"));
            }
        }
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}
