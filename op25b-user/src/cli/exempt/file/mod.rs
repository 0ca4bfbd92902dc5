//! Exemptions as files, which `import` reads and `export` writes: in which formats, and what is wrong with one.

mod csv;
mod write;
mod yaml;

use std::{ffi::OsStr, fmt, path::Path};

use clap::ValueEnum;

pub(super) use self::write::write;
use crate::api::ImportRow;

/// How many mistakes are told one by one.
const TOLD: usize = 20;

/// The format of a file of exemptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values (RFC 4180) with a header line, as spreadsheets have them.
    Csv,
    /// The policy file's `exemptions:`.
    Yaml,
    /// The same, as JSON.
    Json,
}

impl Format {
    /// What the name of a file says.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mistakes {
    count: usize,
    /// The first of them, each with its line; 0 is the whole file.
    first: Vec<(u32, String)>,
}

impl Mistakes {
    fn one(line: u32, what: impl Into<String>) -> Self {
        let mut mistakes = Self::default();
        mistakes.add(line, || what.into());
        mistakes
    }

    /// Adds a mistake; the argument makes its text only if somebody is told.
    fn add(&mut self, line: u32, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < TOLD {
            self.first.push((line, what()));
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The first of them, each with its line; 0 is the whole file.
    pub(super) fn first(&self) -> &[(u32, String)] {
        &self.first
    }

    /// One line for each, as compilers write them; `file` is the file's name.
    pub(super) fn in_file(&self, file: &str) -> impl fmt::Display {
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
            more => writeln!(f, "… and {more} more like these"),
        }
    }
}

/// Reads a file; `seen` learns how many bytes were read.
pub(super) fn read(format: Format, bytes: &[u8], seen: &dyn Fn(u64)) -> Result<Vec<ImportRow>, Mistakes> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let newlines = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n');
        let line = u32::try_from(newlines.count() + 1).unwrap_or(u32::MAX);
        Mistakes::one(
            line,
            "this file is not UTF-8 text; save it as UTF-8 (`iconv -f SHIFT_JIS -t UTF-8` or the like converts it)",
        )
    })?;
    // Spreadsheets like to begin with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Csv => csv::read(text, seen),
        Format::Yaml | Format::Json => yaml::read(text, seen),
    }
}
