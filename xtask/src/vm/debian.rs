//! Debian's archive, as this machine's apt knows it, also for releases that this machine does not use.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use op25b_host::process::{output_of, run_quietly};

use crate::deb;

/// What packages are verified with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where the archive is.
#[derive(Clone, Debug)]
pub struct Archive {
    /// All suites but those of security.
    main: String,
    /// The suites of security.
    security: String,
}

impl Archive {
    /// The mirrors that this machine's apt uses.
    pub fn of_this_machine() -> anyhow::Result<Self> {
        let targets = output_of(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(LABEL) $(REPO_URI)",
            "Created-By: Packages",
        ]))?;
        let of = |label: &str| {
            let uri = targets.lines().find_map(|line| line.strip_prefix(label));
            uri.map(|uri| uri.trim().to_owned()).with_context(|| {
                format!("apt on this machine has no source of Debian's packages with the label `{label}`")
            })
        };
        Ok(Self {
            main: of("Debian ")?,
            security: of("Debian-Security ")?,
        })
    }

    /// The line of a `sources.list` for a suite.
    pub fn line(&self, suite: &str) -> String {
        let uri = if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        };
        format!("deb [signed-by={KEYRING}] {uri} {suite} main\n")
    }

    /// An apt with the packages of one suite, which has its own lists and touches nothing of this machine.
    pub fn apt(&self, suite: &str, directory: &Path) -> anyhow::Result<Apt> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            let folder = directory.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(directory.join("sources.list"), self.line(suite))
            .context("cannot write a list of sources")?;
        let apt = Apt {
            directory: directory.to_owned(),
        };
        run_quietly(apt.command("apt-get").arg("update"))?;
        Ok(apt)
    }
}

/// An apt beside this machine's.
#[derive(Debug)]
pub struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// One of its commands.
    pub fn command(&self, program: &str) -> Command {
        let set = |name: &str, value: &Path| format!("--option={name}={}", value.display());
        let mut command = Command::new(program);
        command
            .env("LC_ALL", "C")
            .arg(set("Dir::Etc::SourceList", &self.directory.join("sources.list")))
            .arg("--option=Dir::Etc::SourceParts=-")
            .arg(set("Dir::State::Lists", &self.directory.join("lists")))
            .arg(set("Dir::Cache", &self.directory.join("cache")))
            // The lists for software centres are larger than those of packages.
            .arg("--option=Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false");
        command
    }

    /// Fetches a package and unpacks it into a directory.
    pub fn unpack(&self, package: &str, into: &Path) -> anyhow::Result<()> {
        deb::unpack(self.command("apt-get"), package, into)
    }
}
