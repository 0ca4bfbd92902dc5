//! What runs in the guest: op25b and the programs of its tests.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use op25b_host::{paths, process};
use serde::Deserialize;

/// The programs.
#[derive(Debug)]
pub struct Programs {
    op25b: PathBuf,
    tests: BTreeMap<String, PathBuf>,
}

/// A line of cargo's.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Programs {
    /// Builds those of these targets, optimised a little: the guest's processor is emulated.
    pub fn build(targets: impl IntoIterator<Item = &'static str>) -> anyhow::Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        cargo.args(["--profile", "guest", "--package", "op25b"]);
        for target in targets {
            cargo.args(["--test", target]);
        }
        eprintln!("==> {}", process::shown(&cargo));
        let output = cargo
            .arg("--target-dir")
            .arg(paths::target()?)
            .current_dir(paths::workspace())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "the tests cannot be built: see above");
        Self::read(&String::from_utf8_lossy(&output.stdout))
    }

    fn read(messages: &str) -> anyhow::Result<Self> {
        let mut tests = BTreeMap::new();
        let mut op25b = None;
        for line in messages.lines() {
            let message: Message = serde_json::from_str(line).context("cannot read what cargo prints")?;
            let (Some(target), Some(executable)) = (message.target, message.executable) else {
                continue;
            };
            if message.reason != "compiler-artifact" {
                continue;
            }
            if target.kind.iter().any(|kind| kind == "test") {
                tests.insert(target.name, executable);
            } else if target.name == "op25b" {
                op25b = Some(executable);
            }
        }
        let op25b = op25b.context("cargo has built no op25b")?;
        Ok(Self { op25b, tests })
    }

    /// The program under test.
    pub fn op25b(&self) -> &Path {
        &self.op25b
    }

    /// The tests of a target.
    pub fn test(&self, target: &str) -> anyhow::Result<&Path> {
        let program = self.tests.get(target);
        program
            .map(PathBuf::as_path)
            .with_context(|| format!("cargo has built no tests of {target}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_are_those_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"op25b","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"op25b","kind":["bin"]},"executable":"/t/op25b"}
{"reason":"compiler-artifact","target":{"name":"oracle","kind":["test"]},"executable":"/t/oracle-1"}
{"reason":"build-finished","success":true}"#;
        let programs = Programs::read(messages).unwrap();
        assert_eq!(programs.op25b(), Path::new("/t/op25b"));
        assert_eq!(programs.test("oracle").unwrap(), Path::new("/t/oracle-1"));
        assert!(programs.test("datapath").is_err());
    }
}
