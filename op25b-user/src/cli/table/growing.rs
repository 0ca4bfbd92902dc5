//! A table whose rows come little by little: its columns become wider, and never narrower.

use unicode_width::UnicodeWidthStr as _;

use super::{Column, Look, Text, text};

/// A table that grows.
pub(in crate::cli) struct Growing<'c, R, C> {
    columns: &'c [Column<R, C>],
    /// The row with the widest cell of each column so far, and the width of that.
    widest: Vec<Option<(usize, R)>>,
    header: String,
}

impl<'c, R: Clone, C> Growing<'c, R, C> {
    /// A table without rows.
    pub(in crate::cli) fn new(columns: &'c [Column<R, C>]) -> Self {
        Self {
            columns,
            widest: columns.iter().map(|_| None).collect(),
            header: String::new(),
        }
    }

    /// Sets more rows below those before. The header is that of the whole table, and empty if it is the same as before.
    pub(in crate::cli) fn text(&mut self, rows: &[R], context: &C, look: Look) -> Text {
        for (column, widest) in self.columns.iter().zip(&mut self.widest) {
            for row in rows {
                let width = (column.cell)(row, context).shown(", ", false).width();
                if widest.as_ref().is_none_or(|(widest, _)| width > *widest) {
                    *widest = Some((width, row.clone()));
                }
            }
        }
        // Rows of earlier texts, which are cut off again, make the columns as wide as they were.
        let mut all: Vec<R> = self.widest.iter().flatten().map(|(_, row)| row.clone()).collect();
        let before = all.len();
        all.extend_from_slice(rows);
        let mut text = text(self.columns, &all, context, look);
        text.rows = text.rows.split_inclusive('\n').skip(before).collect();
        if text.header == self.header {
            text.header.clear();
        } else {
            self.header.clone_from(&text.header);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Cell, *};

    const COLUMNS: [Column<&str, ()>; 2] = [
        Column::new("name", |name, ()| Cell::text(*name)),
        Column::new("mark", |name: &&str, ()| {
            Cell::text(if name.starts_with('!') { "!" } else { "" })
        })
        .unless_all(""),
    ];

    #[test]
    fn columns_stay_as_wide_as_they_were_and_a_new_one_brings_another_header() {
        let look = Look {
            width: None,
            is_wide: false,
            has_header: true,
        };
        let mut table = Growing::new(&COLUMNS);
        let mut print = |rows: &[&'static str]| {
            let text = table.text(rows, &(), look);
            (text.header, text.rows)
        };
        assert_eq!(print(&["a name", "b"]), ("NAME".into(), "a name\nb\n".into()));
        assert_eq!(print(&["c"]), (String::new(), "c\n".into()));
        assert_eq!(print(&["!d"]), ("NAME    MARK".into(), "!d      !\n".into()));
        assert_eq!(print(&["e", "!f"]), (String::new(), "e\n!f      !\n".into()));
        assert_eq!(print(&[]), (String::new(), String::new()));
    }
}
