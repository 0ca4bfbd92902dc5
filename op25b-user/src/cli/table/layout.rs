//! Chooses the columns that fit, and sets the table.

use std::cmp::Reverse;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use unicode_width::UnicodeWidthStr;

use super::{Column, Look, Rank, Text, UNBROKEN, Width};

/// The space between columns.
const GAP: u16 = 2;

/// A column with the texts of its cells.
struct Filled<'a, R, C> {
    column: &'a Column<R, C>,
    heading: String,
    texts: Vec<String>,
    /// The width of its widest line.
    widest: u16,
}

/// Sets a table.
pub(in crate::cli) fn text<R, C>(columns: &[Column<R, C>], rows: &[R], context: &C, look: Look) -> Text {
    let width = look.width.filter(|_| !look.is_wide);
    let separator = if width.is_some() { "\n" } else { ", " };
    let fill = |is_short: bool| -> Vec<_> {
        let filled = columns.iter().map(|column| {
            let cells = rows.iter().map(|row| (column.cell)(row, context));
            Filled::new(
                column,
                cells.map(|cell| cell.shown(separator, is_short)).collect(),
            )
        });
        let is_shown = |filled: &Filled<'_, R, C>| {
            look.is_wide || (filled.column.rank > Rank::Wide && !filled.is_usual())
        };
        filled.filter(is_shown).collect()
    };
    let mut filled = fill(false);
    let high = filled.iter().filter(|filled| filled.column.rank >= Rank::High);
    if width.is_some_and(|width| narrowest(high) > width) {
        filled = fill(true);
    }
    let left_out = width.map_or_else(Vec::new, |width| leave_out(&mut filled, width));
    let (header, rows) = set(&filled, rows.len(), width, look.has_header);
    Text {
        header,
        rows,
        left_out,
    }
}

/// Leaves out columns that do not fit: they are taken in the order of their ranks, and those of one rank from the left.
/// Returns the names of the others.
fn leave_out<R, C>(filled: &mut Vec<Filled<'_, R, C>>, width: u16) -> Vec<&'static str> {
    let mut order: Vec<_> = (0..filled.len()).collect();
    order.sort_by_key(|index| Reverse(filled[*index].column.rank));
    let mut taken: u16 = 0;
    let mut is_taken = vec![false; filled.len()];
    for index in order {
        let with_gap = taken
            .saturating_add(filled[index].narrowest())
            .saturating_add(GAP);
        if with_gap.saturating_sub(GAP) <= width || filled[index].column.rank == Rank::Key {
            taken = with_gap;
            is_taken[index] = true;
        }
    }
    let mut left_out = Vec::new();
    let mut is_taken = is_taken.into_iter();
    filled.retain(|filled| {
        let stays = is_taken.next().unwrap_or_default();
        if !stays {
            left_out.push(filled.column.name);
        }
        stays
    });
    left_out
}

/// The least width of a table in which nothing is broken that must not be.
fn narrowest<'f, R: 'f, C: 'f>(filled: impl IntoIterator<Item = &'f Filled<'f, R, C>>) -> u16 {
    let widths = filled
        .into_iter()
        .map(|filled| filled.narrowest().saturating_add(GAP));
    widths.fold(0, u16::saturating_add).saturating_sub(GAP)
}

impl<'a, R, C> Filled<'a, R, C> {
    fn new(column: &'a Column<R, C>, texts: Vec<String>) -> Self {
        let heading = column.heading();
        let lines = texts.iter().flat_map(|text| text.lines());
        let widest = lines.chain([&*heading]).map(UnicodeWidthStr::width).max();
        Self {
            column,
            widest: u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX),
            heading,
            texts,
        }
    }

    /// Whether every cell has the text that is left out.
    fn is_usual(&self) -> bool {
        self.column
            .usual
            .is_some_and(|usual| self.texts.iter().all(|text| text == usual))
    }

    /// The least width that it may have.
    fn narrowest(&self) -> u16 {
        match self.column.width {
            Width::Whole => self.widest,
            Width::Wrapped(narrowest) => narrowest.max(width_of(&self.heading)).min(self.widest),
            Width::Words => {
                let words = self.texts.iter().flat_map(|text| text.split([' ', '\n']));
                let widest = words.map(width_of).max().unwrap_or(0);
                widest.max(width_of(&self.heading))
            }
        }
    }
}

fn width_of(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The header and the rows.
fn set<R, C>(
    filled: &[Filled<'_, R, C>],
    rows: usize,
    width: Option<u16>,
    has_header: bool,
) -> (String, String) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        // Where not even the columns that are always shown fit, the terminal breaks the lines.
        let width = width.max(narrowest(filled));
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            // The space after the last column is not printed.
            .set_width(width.saturating_add(GAP));
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(filled.iter().map(|filled| &*filled.heading));
    for row in 0..rows {
        table.add_row(filled.iter().map(|filled| &*filled.texts[row]));
    }
    for (filled, column) in filled.iter().zip(table.column_iter_mut()) {
        column.set_padding((0, GAP));
        if filled.column.is_right {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if width.is_some() {
            column.set_constraint(match filled.column.width {
                Width::Whole => ColumnConstraint::ContentWidth,
                Width::Wrapped(_) | Width::Words => ColumnConstraint::LowerBoundary(
                    comfy_table::Width::Fixed(filled.narrowest().saturating_add(GAP)),
                ),
            });
        }
    }
    let text = table.trim_fmt().replace(UNBROKEN, " ");
    // A heading is never broken, so the header is one line.
    let (header, rows) = text.split_once('\n').unwrap_or((&text, ""));
    let mut rows = rows.to_owned();
    if !rows.is_empty() {
        rows.push('\n');
    }
    let header = if has_header {
        header.to_owned()
    } else {
        String::new()
    };
    (header, rows)
}
