//! Finds and runs other programs; output is shown only of those that fail.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, bail};

use crate::toolchain::on_path;

/// How many lines of a failing command are worth reading.
const TAIL: usize = 25;

/// Where a program is, on `PATH` or in the directories of the administrator, which not every user has there.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    on_path(name).or_else(|| {
        ["/usr/sbin", "/sbin"]
            .map(|directory| Path::new(directory).join(name))
            .into_iter()
            .find(|file| file.is_file())
    })
}

/// The command as one would type it.
#[must_use]
pub fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!(
            "{}={}",
            name.to_string_lossy(),
            quoted(&value?.to_string_lossy())
        ))
    });
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    variables
        .chain(words.map(|word| quoted(&word.to_string_lossy())))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Runs the command without showing its output, unless it fails: then the error holds the last lines.
pub fn run_quietly(command: &mut Command) -> anyhow::Result<()> {
    let text = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{text}`"))?;
    let stderr = child
        .stderr
        .take()
        .map(|stream| thread::spawn(move || tail(stream)));
    let mut last: Vec<_> = child.stdout.take().map(tail).unwrap_or_default().into();
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for `{text}`"))?;
    if let Some(lines) = stderr.and_then(|reader| reader.join().ok()) {
        last.extend(lines);
    }
    if !status.success() {
        bail!(
            "`{text}` failed ({status}); its last lines:\n    {}",
            last.join("\n    ")
        );
    }
    Ok(())
}

/// What the command prints, if it succeeds.
pub fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let text = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{text}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{text}` failed ({}): {}", output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last lines of a stream, read to its end.
fn tail(stream: impl std::io::Read) -> VecDeque<String> {
    let mut lines = VecDeque::new();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if lines.len() == TAIL {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_shows_itself_and_its_last_lines() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 100; echo why it failed >&2; exit 3"]);
        let error = run_quietly(&mut command).unwrap_err().to_string();
        assert!(
            error.starts_with("`sh -c 'seq 100; echo why it failed >&2; exit 3'` failed"),
            "{error}"
        );
        assert!(error.contains("    76\n    77\n"), "{error}");
        assert!(!error.contains("    75\n"), "{error}");
        assert!(error.ends_with("why it failed"), "{error}");
    }
}
