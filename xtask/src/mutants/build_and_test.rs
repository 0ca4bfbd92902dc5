//! Builds and tests a copy of the workspace that mutants are applied to.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use op25b_host::process;
use serde::Deserialize;

use super::{Mutant, TARGETS, workspace_copy::bring_up_to_date};
use crate::suite;

/// A copy of the workspace, and what is built from it.
pub(super) struct Copy {
    workspace: PathBuf,
    target: PathBuf,
    through_sudo: bool,
}

/// A line that cargo prints with `--message-format=json`, as far as it is about build scripts.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    /// One has run.
    BuildScriptExecuted {
        /// The package it belongs to.
        package_id: String,
        /// The directory it has written to.
        out_dir: PathBuf,
    },
    #[serde(other)]
    Other,
}

/// The XDP program's object file, as it is embedded in the tests.
pub(super) type Object = Vec<u8>;

impl Copy {
    /// Makes the copy below this directory, or brings the one that is there up to date.
    pub(super) fn make(of: &Path, directory: &Path, through_sudo: bool) -> anyhow::Result<Self> {
        let workspace = directory.join("workspace");
        bring_up_to_date(of, &workspace)?;
        Ok(Self {
            workspace,
            target: directory.join("target"),
            through_sudo,
        })
    }

    fn path(&self, mutant: &Mutant) -> PathBuf {
        self.workspace.join("op25b-ebpf/src").join(mutant.file)
    }

    /// The file that a mutant is in, as it is without.
    pub(super) fn original(&self, mutant: &Mutant) -> anyhow::Result<String> {
        let path = self.path(mutant);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Does something while the copy has this mutant.
    pub(super) fn with<T>(
        &self,
        mutant: &Mutant,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let path = self.path(mutant);
        let original = self.original(mutant)?;
        let broken = mutant.applied(&original)?;
        let write = |text| fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()));
        write(broken)?;
        let result = work();
        write(original)?;
        result
    }

    /// Builds the tests, and answers with the program that they test.
    pub(super) fn build(&self) -> anyhow::Result<Object> {
        let mut command = self.cargo_test(&TARGETS);
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        let text = process::shown(&command);
        // Errors are rendered to stderr, which is the terminal's: a mutant that no compiler takes proves nothing.
        let mut cargo = command
            .arg("--quiet")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{text}`"))?;
        let stdout = cargo.stdout.take().context("cargo has no stdout")?;
        let mut object = None;
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cannot read cargo's output")?;
            if let Ok(Message::BuildScriptExecuted { package_id, out_dir }) = serde_json::from_str(&line)
                && package_id.contains("/op25b-user#")
            {
                object = Some(out_dir.join("op25b"));
            }
        }
        let status = cargo
            .wait()
            .with_context(|| format!("cannot wait for `{text}`"))?;
        ensure!(status.success(), "`{text}` failed ({status}): see above");
        let object = object.context("cargo did not report the path of the XDP program")?;
        fs::read(&object).with_context(|| format!("cannot read {}", object.display()))
    }

    /// An error, with the whole output, if a test of a target fails.
    pub(super) fn pass(&self, target: &str) -> anyhow::Result<()> {
        let (failed, output_text) = self.test(target)?;
        ensure!(
            failed.is_empty(),
            "tests fail as it is: {}\n{output_text}",
            failed.join(", ")
        );
        Ok(())
    }

    /// The tests of a target that fail.
    pub(super) fn failing(&self, target: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.test(target)?.0)
    }

    /// The tests of a target that fail, and the output.
    fn test(&self, target: &str) -> anyhow::Result<(Vec<String>, String)> {
        let mut test = self.cargo_test(&[target]);
        suite::run_tests_through(&mut test, self.through_sudo)?;
        // A difference is not kept, so it need not become small.
        test.env(NO_SHRINKING, "1");
        let output = test
            .output()
            .with_context(|| format!("cannot run `{}`", process::shown(&test)))?;
        let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = failed_tests(&output_text);
        ensure!(
            output.status.success() == failed.is_empty(),
            "`{}` neither passed nor named the tests that failed:\n{output_text}",
            process::shown(&test)
        );
        Ok((failed, output_text))
    }

    fn cargo_test(&self, targets: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(["test", "--package", "op25b"]);
        for target in targets {
            command.args(["--test", target]);
        }
        command
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&self.workspace);
        command
    }
}

/// Has the differential test show a difference as it is found.
const NO_SHRINKING: &str = "OP25B_NO_SHRINKING";

/// The names in a test binary's lines such as `test policy::it_works ... FAILED`, in order: the lines come as tests end.
fn failed_tests(output: &str) -> Vec<String> {
    let mut failed: Vec<_> = output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect();
    failed.sort();
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_read_from_what_the_test_binary_prints() {
        let output = "running 3 tests\ntest c ... FAILED\ntest a::b ... ok\ntest a ... FAILED\n\ntest result: FAILED. 1 passed; 2 failed";
        assert_eq!(failed_tests(output), ["a", "c"]);
    }
}
