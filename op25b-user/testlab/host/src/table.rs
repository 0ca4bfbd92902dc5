//! Tables in Markdown: to be read, and pasted into a document.

/// A Markdown table, with columns as wide as what is in them; all but the first `left` are numbers.
#[must_use]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_numbers_stand_at_the_right() {
        let rows = [
            ["op25b".to_owned(), "9".into()],
            ["drop".to_owned(), "147".into()],
        ]
        .map(Vec::from);
        let shown = table(&["filter", "ns"], 1, &rows);
        assert_eq!(
            shown,
            "| filter |  ns |\n| ------ | --: |\n| op25b  |   9 |\n| drop   | 147 |\n"
        );
    }
}
