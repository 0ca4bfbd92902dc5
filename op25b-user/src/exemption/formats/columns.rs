//! The columns of a CSV file, and by which names a file has them.

use thiserror::Error;

use super::mistakes::Mistakes;

/// The columns, in the order in which they are written.
pub(super) const COLUMNS: [&str; 7] = [
    "customer",
    "prefixes",
    "destinations",
    "ticket",
    "note",
    "expires",
    "force",
];
/// The column with where an exemption is kept, which an import reads.
pub(crate) const SOURCE: &str = "source";
/// The columns that a file must have.
pub(super) const REQUIRED: [&str; 2] = ["customer", "prefixes"];

/// By which names a file has the columns, and what becomes of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// The name in the file of each of [`COLUMNS`], if it is another one.
    names: [Option<String>; COLUMNS.len()],
    /// Whether columns with other names are skipped.
    ignore_unknown: bool,
    /// What a message about such a column adds.
    remedy: &'static str,
    /// Whether there may be a column [`SOURCE`].
    has_source: bool,
}

/// Where a file has its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indices {
    /// The index of each of [`COLUMNS`].
    pub(super) fields: [Option<usize>; COLUMNS.len()],
    /// The index of [`SOURCE`].
    pub(super) source: Option<usize>,
}

/// Why columns cannot be mapped.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadMap {
    /// There is no such field.
    #[error("`--map {0}=…`: there is no field `{0}`; the fields are {fields}", fields = COLUMNS.join(", "))]
    Unknown(String),
    /// A field is mapped twice.
    #[error("`--map {0}=…` is given twice: a field has one column")]
    Twice(&'static str),
    /// A column is mapped twice.
    #[error("`--map …='{0}'` is given twice: a column has one field")]
    SameColumn(String),
}

impl Columns {
    /// The columns of an import: `map` has the column of the file for each field that has another name there.
    pub(crate) fn of_import(map: &[(String, String)], ignore_unknown: bool) -> Result<Self, BadMap> {
        let mut columns = Self {
            ignore_unknown,
            has_source: true,
            remedy: "; `--map FIELD=COLUMN` reads it as a field, `--ignore-unknown-columns` skips it",
            ..Self::default()
        };
        for (field, name) in map {
            let index = position(field.trim()).ok_or_else(|| BadMap::Unknown(field.trim().to_owned()))?;
            let name = name.trim();
            if columns.names[index].is_some() {
                return Err(BadMap::Twice(COLUMNS[index]));
            }
            let mut taken = columns.names.iter().flatten();
            if taken.any(|taken| taken.eq_ignore_ascii_case(name)) {
                return Err(BadMap::SameColumn(name.to_owned()));
            }
            columns.names[index] = Some(name.to_owned());
        }
        Ok(columns)
    }

    /// Where a file has its columns; `header` has the file's names.
    pub(super) fn find<'h>(
        &self,
        header: impl Iterator<Item = &'h str> + Clone,
        line: u32,
    ) -> Result<Indices, Mistakes> {
        let mut mistakes = Mistakes::default();
        let Indices {
            fields: mut indices,
            mut source,
        } = Indices::default();
        let header = header.map(str::trim);
        for (index, name) in header.clone().enumerate() {
            let place = match self.column(name) {
                Some(column) => &mut indices[column],
                None if self.has_source && name.eq_ignore_ascii_case(SOURCE) => &mut source,
                None if self.ignore_unknown => continue,
                None => {
                    mistakes.add(line, || self.unknown(name));
                    continue;
                }
            };
            if place.replace(index).is_some() {
                mistakes.add(line, || format!("the column `{name}` is given twice"));
            }
        }
        for (column, name) in COLUMNS.iter().enumerate() {
            match &self.names[column] {
                _ if indices[column].is_some() => {}
                Some(mapped) => mistakes.add(line, || {
                    let names: Vec<_> = header.clone().collect();
                    format!(
                        "there is no column `{mapped}`, which `--map` gives for `{name}`; the columns are {}",
                        names.join(", ")
                    )
                }),
                None if REQUIRED.contains(name) => {
                    mistakes.add(line, || format!("the column `{name}` is missing"));
                }
                None => {}
            }
        }
        if mistakes.count() == 0 {
            Ok(Indices {
                fields: indices,
                source,
            })
        } else {
            Err(mistakes)
        }
    }

    /// Which of [`COLUMNS`] a file's column is.
    fn column(&self, name: &str) -> Option<usize> {
        let mut mapped = self.names.iter();
        let is_name = |of: &Option<String>| of.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(name));
        mapped
            .position(is_name)
            // A field that is mapped has no other column.
            .or_else(|| position(name).filter(|column| self.names[*column].is_none()))
    }

    fn unknown(&self, name: &str) -> String {
        let remedy = self.remedy;
        if let Some(mapped) = position(name).and_then(|column| self.names[column].as_ref()) {
            return format!(
                "the column `{name}` is not read, as `--map` gives `{mapped}` for `{name}`{remedy}"
            );
        }
        if name.is_empty() {
            return format!("a column has no name{remedy}");
        }
        format!(
            "there is no column `{name}`; the columns are {}{remedy}",
            COLUMNS.join(", ")
        )
    }
}

fn position(name: &str) -> Option<usize> {
    COLUMNS
        .iter()
        .position(|column| name.eq_ignore_ascii_case(column))
}
