//! Tables: columns that fit the terminal by rank, with the display widths of all scripts, and sorted by any column.
//!
//! A table on a terminal is as wide as that: texts are wrapped, and then the columns of the lowest rank are left out,
//! which is said. Ids and prefixes are never broken, so that they can be copied. Without a width every row is one line.

mod fold;
mod growing;
mod layout;
mod options;
mod sort;

use std::io::Write as _;

use anstyle::Style;
use ipnet::IpNet;
use jiff::Timestamp;

pub(super) use self::{
    fold::{fold, fold_below},
    growing::Growing,
    layout::text,
    options::{TableOptions, width},
    sort::{Sort, Value},
};
use super::stderr;
use crate::policy::characters;

const BOLD: Style = Style::new().bold();

/// A column of a table whose rows are made of `R`, in a context `C` such as the time zone.
#[derive(Debug)]
pub(super) struct Column<R, C> {
    /// Its name for `--sort`; in capitals it is the heading.
    name: &'static str,
    cell: fn(&R, &C) -> Cell,
    rank: Rank,
    width: Width,
    is_right: bool,
    most_first: bool,
    usual: Option<&'static str>,
}

/// How long a column stays where the terminal is too narrow for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It is shown with `-o wide` only.
    Wide,
    /// It is left out first.
    Low,
    /// It is left out after those of low rank.
    Middle,
    /// It is left out last.
    High,
    /// It is always shown.
    Key,
}

/// How a column is made narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// It is not: its texts are never broken.
    Whole,
    /// Its texts are wrapped, down to this width.
    Wrapped(u16),
    /// Its texts are wrapped between words.
    Words,
}

/// A space at which no text is wrapped; it is printed as any other.
pub(super) const UNBROKEN: char = '\u{a0}';

/// A cell: its text, and the value by which its row is sorted.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Each in a line of its own if the table has a width; otherwise they are joined by commas.
    items: Vec<String>,
    /// What is shown where the columns that matter most do not fit otherwise.
    short: Option<String>,
    value: Value,
}

/// The look of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The width of the terminal. `None`: unlimited, and every row is one line.
    pub(super) width: Option<u16>,
    /// Whether all columns are shown, whatever the width.
    pub(super) is_wide: bool,
    /// Whether the first line has the headings.
    pub(super) has_header: bool,
}

/// A table as text.
#[derive(Debug)]
pub(super) struct Text {
    /// The headings, if they are shown.
    pub(super) header: String,
    /// The rows.
    pub(super) rows: String,
    /// The columns that were left out because the terminal is too narrow.
    pub(super) left_out: Vec<&'static str>,
}

impl<R, C> Column<R, C> {
    /// A column that is always shown and never broken.
    pub(super) const fn new(name: &'static str, cell: fn(&R, &C) -> Cell) -> Self {
        Self {
            name,
            cell,
            rank: Rank::Key,
            width: Width::Whole,
            is_right: false,
            most_first: false,
            usual: None,
        }
    }

    /// A column of numbers: aligned to the right, the most first if it is sorted by it.
    pub(super) const fn number(name: &'static str, cell: fn(&R, &C) -> Cell) -> Self {
        Self {
            is_right: true,
            most_first: true,
            ..Self::new(name, cell)
        }
    }

    /// The same with a rank.
    pub(super) const fn rank(self, rank: Rank) -> Self {
        Self { rank, ..self }
    }

    /// The same with texts that are wrapped, down to this width or that of the heading.
    pub(super) const fn wrapped(self, narrowest: u16) -> Self {
        Self {
            width: Width::Wrapped(narrowest),
            ..self
        }
    }

    /// The same with texts that are wrapped between words.
    pub(super) const fn words(self) -> Self {
        Self {
            width: Width::Words,
            ..self
        }
    }

    /// The same, with the greatest value first if it is sorted by it.
    pub(super) const fn most_first(self) -> Self {
        Self {
            most_first: true,
            ..self
        }
    }

    /// The same, left out if every row has this text, unless all columns are shown.
    pub(super) const fn unless_all(self, usual: &'static str) -> Self {
        Self {
            usual: Some(usual),
            ..self
        }
    }

    /// Its name for `--sort`.
    #[cfg(test)]
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its heading.
    fn heading(&self) -> String {
        self.name.replace('-', " ").to_uppercase()
    }
}

impl Cell {
    /// A text; by it the row is sorted.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::of(text.clone(), Value::Text(text))
    }

    /// A text, sorted by another value.
    pub(super) fn of(text: impl Into<String>, value: Value) -> Self {
        Self {
            items: vec![text.into()],
            short: None,
            value,
        }
    }

    /// The same with a shorter text for narrow terminals.
    pub(super) fn or_short(self, short: impl Into<String>) -> Self {
        Self {
            short: Some(short.into()),
            ..self
        }
    }

    /// A text that may be missing.
    pub(super) fn optional(text: Option<&str>) -> Self {
        text.map_or_else(|| Self::of("", Value::Missing), Self::text)
    }

    /// A number.
    pub(super) fn number(number: impl Into<u64>) -> Self {
        let number = number.into();
        Self::of(number.to_string(), Value::Number(number))
    }

    /// An instant; `None` comes last.
    pub(super) fn time(text: impl Into<String>, at: Option<Timestamp>) -> Self {
        Self::of(text, at.map_or(Value::Missing, Value::Time))
    }

    /// A list of prefixes, of which at most so many are shown.
    pub(super) fn nets(nets: &[IpNet], most: usize) -> Self {
        let shown = if nets.len() > most {
            most.saturating_sub(1)
        } else {
            nets.len()
        };
        let mut items: Vec<_> = nets.iter().take(shown).map(ToString::to_string).collect();
        if nets.len() > shown {
            items.push(format!("and {} more", nets.len() - shown));
        }
        Self {
            items,
            short: None,
            value: nets.first().map_or(Value::Missing, |net| Value::Net(*net)),
        }
    }

    /// Its text, in which no character controls a terminal.
    fn shown(&self, separator: &str, is_short: bool) -> String {
        let items = match &self.short {
            Some(short) if is_short => std::slice::from_ref(short),
            _ => &self.items,
        };
        let items: Vec<_> = items.iter().map(|item| characters::printable(item)).collect();
        items.join(separator)
    }
}

/// Prints rows to stdout, and to stderr which columns were left out.
pub(super) fn print<R, C>(
    columns: &[Column<R, C>],
    rows: &[R],
    context: &C,
    options: TableOptions,
) -> std::io::Result<()> {
    let text = text(columns, rows, context, options.look());
    write(&text)?;
    if !text.left_out.is_empty() {
        stderr::line(left_out(&text.left_out));
    }
    Ok(())
}

/// Writes a table to stdout.
pub(super) fn write(text: &Text) -> std::io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    if !text.header.is_empty() {
        writeln!(stdout, "{BOLD}{}{BOLD:#}", text.header)?;
    }
    stdout.write_all(text.rows.as_bytes())?;
    stdout.flush()
}

/// What is said of columns that were left out.
pub(super) fn left_out(columns: &[&str]) -> String {
    format!("columns left out: {}; -o wide shows all", columns.join(", "))
}

#[cfg(test)]
mod tests;
