//! Other programs: whether they are installed, and their output.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use op25b_testlab::process::{self, find_program};

/// A command, wherever it is installed.
pub fn command(program: &str, words: &[&str]) -> Command {
    let path = find_program(program).unwrap_or_else(|| program.into());
    let mut command = Command::new(path);
    command.args(words);
    command
}

/// Whether it is installed.
pub fn is_installed(program: &str) -> bool {
    find_program(program).is_some()
}

/// Runs it; what it prints.
pub fn output(program: &str, words: &[&str]) -> anyhow::Result<String> {
    process::output_of(&mut command(program, words))
}

/// Runs it with a text to read.
pub fn feed(program: &str, words: &[&str], text: &str) -> anyhow::Result<()> {
    let mut command = command(program, words);
    let shown = process::shown(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{shown}`"))?;
    // One that ends early prints the reason on stderr.
    let written = child
        .stdin
        .take()
        .map_or(Ok(()), |mut stdin| stdin.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{shown}` failed ({}): {}",
        output.status,
        error.trim()
    );
    written.with_context(|| format!("`{shown}` did not read all of its input"))
}
