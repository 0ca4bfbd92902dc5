//! Sorts the rows of a table by any of its columns.

use std::cmp::Reverse;

use ipnet::IpNet;
use jiff::Timestamp;

use super::Column;
use crate::api::{SortKey, sort_keys};

/// A sort order of a table: columns, each with its direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Sort(Vec<SortKey<&'static str>>);

/// The value of a cell, by which its row is sorted. Those of one column are of one kind, or missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Value {
    /// A count.
    Number(u64),
    /// A text.
    Text(String),
    /// A prefix: those of IPv4 come first.
    Net(IpNet),
    /// An instant.
    Time(Timestamp),
    /// None, which comes after all others: an exemption without an end ends last.
    Missing,
}

impl Sort {
    /// Parses the option `--sort` of a table with these columns.
    pub(in crate::cli) fn parse<R, C>(text: &str, columns: &[Column<R, C>]) -> Result<Self, String> {
        let names = || columns.iter().map(|column| column.name);
        sort_keys(text, names(), |name| names().find(|known| *known == name)).map(Self)
    }

    /// Sorts rows. Those that are equal keep their order.
    pub(in crate::cli) fn apply<R, C>(&self, rows: &mut [R], columns: &[Column<R, C>], context: &C) {
        let keys = self.0.iter().filter_map(|key| {
            let column = columns.iter().find(|column| column.name == key.column)?;
            Some((column, key.direction.is_descending(column.most_first)))
        });
        let keys: Vec<_> = keys.collect();
        rows.sort_by_cached_key(|row| {
            let directed = keys.iter().map(|(column, is_descending)| {
                let value = (column.cell)(row, context).value;
                if *is_descending {
                    Directed::Descending(Reverse(value))
                } else {
                    Directed::Ascending(value)
                }
            });
            directed.collect::<Vec<_>>()
        });
    }
}

/// A value with its direction, which is the same for all values that are compared.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    Ascending(Value),
    Descending(Reverse<Value>),
}
