//! The formats of a file of exemptions, and which one the extension of its name stands for.

use std::{ffi::OsStr, path::Path};

use clap::ValueEnum;

/// The format of a file of exemptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values (RFC 4180) with a header line, as spreadsheets write them.
    Csv,
    /// The policy file's `exemptions:`.
    Yaml,
    /// The same, as JSON.
    Json,
}

impl Format {
    /// The format that the extension of a file's name stands for.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension().and_then(OsStr::to_str)?;
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}
