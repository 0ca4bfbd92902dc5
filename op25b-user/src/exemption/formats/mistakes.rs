//! The mistakes in a file, with their lines.

use std::fmt;

/// How many mistakes are listed one by one.
const LISTED: usize = 20;

/// What is wrong with a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes {
    count: usize,
    /// The first of them, each with its line; line 0 is the whole file.
    first: Vec<(u32, String)>,
}

impl Mistakes {
    pub(super) fn one(line: u32, what: impl Into<String>) -> Self {
        let mut mistakes = Self::default();
        mistakes.add(line, || what.into());
        mistakes
    }

    /// Adds a mistake. Its text is made only if it is listed.
    pub(crate) fn add(&mut self, line: u32, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push((line, what()));
        }
    }

    /// Adds mistakes that are only counted.
    pub(super) fn add_unlisted(&mut self, count: usize) {
        self.count += count;
    }

    /// Adds those of a later part of the file.
    pub(super) fn append(&mut self, later: Self) {
        self.count += later.count;
        let left = LISTED - self.first.len();
        self.first.extend(later.first.into_iter().take(left));
    }

    /// The same in the order of their lines.
    pub(super) fn by_line(mut self) -> Self {
        self.first.sort_by_key(|(line, _)| *line);
        self
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The first of them, each with its line; line 0 is the whole file.
    pub(crate) fn first(&self) -> &[(u32, String)] {
        &self.first
    }

    /// One line for each, in the form of a compiler's messages; `file` is the file's name.
    pub(crate) fn in_file(&self, file: &str) -> impl fmt::Display {
        Located {
            file: file.to_owned(),
            mistakes: self.clone(),
        }
    }
}

struct Located {
    file: String,
    mistakes: Mistakes,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, mistakes } = self;
        for (line, what) in &mistakes.first {
            match line {
                0 => writeln!(f, "{file}: {what}")?,
                line => writeln!(f, "{file}:{line}: {what}")?,
            }
        }
        match mistakes.count - mistakes.first.len() {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more"),
        }
    }
}
