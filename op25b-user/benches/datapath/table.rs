//! Tables in Markdown: to be read, and pasted into a document.

pub use op25b_testlab::numbers::thousands;

/// A Markdown table, with columns as wide as what is in them; all but the first `left` are numbers.
pub fn table(head: &[&str], left: usize, rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < left {
                format!(" {cell:<width$} ")
            } else {
                format!(" {cell:>width$} ")
            }
        });
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| {
        if column < left {
            format!(" {} ", "-".repeat(*width))
        } else {
            format!(" {}: ", "-".repeat(width - 1))
        }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let body = rows.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    line(&mut head.iter().copied()) + &rule + &body.collect::<String>()
}

/// `123` as `12.3`.
pub fn tenths(number: u64) -> String {
    format!("{}.{}", thousands(number / 10), number % 10)
}
