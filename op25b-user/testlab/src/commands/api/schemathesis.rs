//! Schemathesis, a generator of requests from `OpenAPI` documents, in a virtual environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{paths, process::run_quietly};

/// Its packages with their versions, so that a run today and one next year do the same.
const REQUIREMENTS: &str = include_str!("requirements.txt");
/// What it takes for right.
const CONFIGURATION: &str = include_str!("schemathesis.toml");

/// One that is installed.
pub(super) struct Schemathesis {
    program: PathBuf,
    configuration: PathBuf,
}

impl Schemathesis {
    /// Installs it below the target directory, unless it is there.
    pub(super) fn install() -> anyhow::Result<Self> {
        let directory = paths::target()?.join("schemathesis");
        let installed = directory.join("requirements.txt");
        if fs::read_to_string(&installed).ok().as_deref() != Some(REQUIREMENTS) {
            println!(
                "==> installing schemathesis from PyPI into {}",
                directory.display()
            );
            install(&directory)?;
            // Written last: a half-done installation is begun anew.
            fs::write(&installed, REQUIREMENTS)
                .with_context(|| format!("cannot write {}", installed.display()))?;
        }
        let configuration = directory.join("schemathesis.toml");
        fs::write(&configuration, CONFIGURATION)
            .with_context(|| format!("cannot write {}", configuration.display()))?;
        Ok(Self {
            program: directory.join("bin/schemathesis"),
            configuration,
        })
    }

    /// The words that run it on a document against a server.
    pub(super) fn words(&self, document: &Path, url: &str, examples: u32) -> Vec<String> {
        [
            self.program.display().to_string(),
            "--config-file".to_owned(),
            self.configuration.display().to_string(),
            "run".to_owned(),
            document.display().to_string(),
            "--url".to_owned(),
            url.to_owned(),
            "--max-examples".to_owned(),
            examples.to_string(),
            "--continue-on-failure".to_owned(),
            "--request-timeout".to_owned(),
            "60".to_owned(),
        ]
        .into()
    }
}

fn install(directory: &Path) -> anyhow::Result<()> {
    let mut probe = Command::new("python3");
    probe.args(["-c", "import ensurepip, venv"]);
    if !probe.output().is_ok_and(|output| output.status.success()) {
        bail!("python3 with its module venv is needed: `apt-get install python3-venv`, or the like");
    }
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    run_quietly(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
    let requirements = directory.join("wanted.txt");
    fs::write(&requirements, REQUIREMENTS)
        .with_context(|| format!("cannot write {}", requirements.display()))?;
    let mut pip = Command::new(directory.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    run_quietly(pip.arg(&requirements))
}
