//! Writes the man pages and the shell completions below a directory, as they are installed there.

mod commands;
mod completions;
mod document;
mod markdown;
mod policy;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Parser;

/// Write op25b's man pages and shell completions.
#[derive(Debug, Parser)]
struct Args {
    /// The root of the directories in which they are installed.
    root: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Args { root } = Args::parse();
    let files = [commands::pages()?, vec![policy::page()], completions::scripts()?].concat();
    for (path, content) in files {
        write(&root.join(path), &content)?;
    }
    Ok(())
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    let parent = path.parent().context("a file has a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
