//! Sort orders such as `pool,-packets` in queries and options.

use std::fmt;

/// A column and the direction in which it is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey<T> {
    /// The column.
    pub column: T,
    /// The direction.
    pub direction: Direction,
}

/// A direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The column's own: the most packets, the first name.
    #[default]
    Usual,
    /// The least first (`+`).
    Ascending,
    /// The most first (`-`).
    Descending,
}

impl Direction {
    /// Whether the most comes first, in a column in which it usually does or does not.
    #[must_use]
    pub const fn is_descending(self, usually: bool) -> bool {
        match self {
            Self::Usual => usually,
            Self::Ascending => false,
            Self::Descending => true,
        }
    }
}

/// Parses columns that are separated by commas, each with `-` or `+` before it or neither; `find` knows the columns by name.
///
/// `known` are their names, for the error.
pub fn sort_keys<'n, T>(
    text: &str,
    known: impl IntoIterator<Item = &'n str>,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Vec<SortKey<T>>, String> {
    let key = |text: &str| {
        let text = text.trim();
        let (direction, name) = match (text.strip_prefix('-'), text.strip_prefix('+')) {
            (Some(name), _) => (Direction::Descending, name),
            (None, Some(name)) => (Direction::Ascending, name),
            (None, None) => (Direction::Usual, text),
        };
        let column = find(&name.to_ascii_lowercase().replace('_', "-"))?;
        Some(SortKey { column, direction })
    };
    let keys = text.split(',').map(|part| key(part).ok_or(part));
    keys.collect::<Result<_, _>>().map_err(|part| {
        let known: Vec<_> = known.into_iter().collect();
        let part = crate::policy::characters::printable(part);
        format!(
            "there is no column {part:?}; the columns are {}",
            known.join(", ")
        )
    })
}

/// Writes a key as [`sort_keys`] reads it.
impl<T: fmt::Display> fmt::Display for SortKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Usual => "",
            Direction::Ascending => "+",
            Direction::Descending => "-",
        };
        write!(f, "{sign}{}", self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["packets", "last-seen"];

    fn parse(text: &str) -> Result<Vec<SortKey<usize>>, String> {
        sort_keys(text, KNOWN, |name| KNOWN.iter().position(|known| *known == name))
    }

    #[test]
    fn columns_have_a_direction_each() {
        let keys = parse("-packets, last_seen,+PACKETS").unwrap();
        let keys: Vec<_> = keys.iter().map(|key| (key.column, key.direction)).collect();
        assert_eq!(
            keys,
            [
                (0, Direction::Descending),
                (1, Direction::Usual),
                (0, Direction::Ascending)
            ]
        );
    }

    #[test]
    fn the_error_about_an_unknown_column_lists_them() {
        for (text, column) in [
            ("bytes", "bytes"),
            ("packets,", ""),
            ("", ""),
            ("--packets", "--packets"),
        ] {
            assert_eq!(
                parse(text).unwrap_err(),
                format!("there is no column {column:?}; the columns are packets, last-seen")
            );
        }
    }
}
