//! Where results go as they come: tables or lines of JSON on the standard output, and the file that keeps runs.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::Serialize;

use crate::{args::Args, machine::Machine};

/// The results of a run.
pub struct Output {
    as_json: bool,
    history: Option<File>,
}

/// The first line of a run.
#[derive(Serialize)]
struct Run<'a> {
    started: Timestamp,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    machine: &'a Machine,
}

/// A line: the part that it is of, and what was measured.
#[derive(Serialize)]
struct Line<'a, T> {
    part: &'a str,
    #[serde(flatten)]
    row: &'a T,
}

impl Output {
    /// Begins a run.
    pub fn begin(args: &Args, machine: &Machine) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.with_context(|| format!("cannot open {}", path.display()))
        };
        let mut output = Self {
            as_json: args.json,
            history: args.history.as_deref().map(open).transpose()?,
        };
        let run = Run {
            started: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION"),
            commit: args.commit.as_deref(),
            machine,
        };
        output.line("run", &run)?;
        if !output.as_json {
            let commit = run
                .commit
                .map_or_else(String::new, |commit| format!(" ({commit})"));
            println!("op25b {}{commit} on {machine}", run.version);
        }
        Ok(output)
    }

    /// Writes what was measured.
    pub fn line(&mut self, part: &str, row: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(&Line { part, row }).context("cannot write JSON")?;
        if self.as_json {
            println!("{line}");
        }
        match &mut self.history {
            Some(file) => writeln!(file, "{line}").context("cannot write to the file of --history"),
            None => Ok(()),
        }
    }

    /// Prints a text for people, unless a program reads the output.
    pub fn text(&self, text: &str) {
        if !self.as_json {
            println!("\n{}", text.trim_end());
        }
    }
}
