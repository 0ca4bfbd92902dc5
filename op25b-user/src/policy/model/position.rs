//! Positions in the policy file and in the lists that it names, and prefixes with their positions.

use std::{fmt, path::PathBuf};

use ipnet::IpNet;

/// A list that a policy names: prefixes or exemptions in a file of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its name in the policy, which is relative to the policy file's directory.
    pub name: String,
    /// Its path.
    pub path: PathBuf,
    /// How many prefixes were read from it for pools and relays.
    pub prefixes: usize,
    /// How many exemptions were read from it.
    pub exemptions: usize,
}

/// The file that a position is in: the policy file, or one of the lists that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(u16);

/// A position, counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file.
    pub file: FileNumber,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl FileNumber {
    /// The policy file.
    pub const POLICY: Self = Self(0);

    /// The number of the list at an index; `None` if there cannot be so many.
    #[must_use]
    pub fn of_list(index: usize) -> Option<Self> {
        u16::try_from(index + 1).ok().map(Self)
    }

    /// The index of the list; `None` for the policy file.
    #[must_use]
    pub fn list(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Position {
    /// A position in the policy file.
    #[must_use]
    pub const fn in_policy(line: u32, column: u32) -> Self {
        Self {
            file: FileNumber::POLICY,
            line,
            column,
        }
    }

    /// The list that it is in; `None` if it is in the policy file.
    #[must_use]
    pub fn list(self, lists: &[List]) -> Option<&List> {
        lists.get(self.file.list()?)
    }

    /// Where it is, for people: `line 12`, or `customers.csv:12` in a list.
    #[must_use]
    pub fn line_of(self, lists: &[List]) -> String {
        match self.list(lists) {
            Some(list) => format!("{}:{}", list.name, self.line),
            None => format!("line {}", self.line),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A prefix without host bits, and its position in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The prefix.
    pub net: IpNet,
    /// Its position.
    pub at: Position,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net.fmt(f)
    }
}
