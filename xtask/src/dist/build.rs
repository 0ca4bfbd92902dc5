//! Builds the program for packages: optimised, without symbols, and the same bytes in whichever directory.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use op25b_host::{paths, process};

/// A build of the program.
pub struct Build {
    /// The target directory, apart from that of other builds: flags differ.
    pub target_directory: PathBuf,
    /// The target triple. Named even if it is the host's, as the flags are then for the program alone, without build scripts.
    pub triple: String,
    other_layout: bool,
}

impl Build {
    /// A build below `work`.
    pub fn new(work: &Path, other_layout: bool) -> anyhow::Result<Self> {
        Ok(Self {
            target_directory: work.join("build"),
            triple: host()?,
            other_layout,
        })
    }

    /// Where cargo writes the program.
    pub fn directory(&self) -> PathBuf {
        self.target_directory.join(&self.triple).join("release")
    }

    /// Builds it.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut command = Command::new("cargo");
        command
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "op25b",
                "--bin",
                "op25b",
            ])
            .args(["--target", &self.triple, "--target-dir"])
            .arg(&self.target_directory);
        if self.other_layout {
            command.args(["--features", "op25b/other-layout"]);
        }
        eprintln!("==> {}", process::shown(&command));
        let prefixes = prefixes()?;
        let flags = |option: &str, separator: &str| {
            let flags: Vec<_> = prefixes
                .iter()
                .map(|(from, to)| format!("{option}={}={to}", from.display()))
                .collect();
            OsString::from(flags.join(separator))
        };
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags("--remap-path-prefix", "\u{1f}"))
            .env("CFLAGS", flags("-ffile-prefix-map", " "))
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .current_dir(paths::workspace());
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "it could not be built: see above");
        Ok(())
    }
}

/// Directories of this machine that compilers write into what they compile, and what is written instead.
fn prefixes() -> anyhow::Result<[(PathBuf, &'static str); 2]> {
    let cargo = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => {
            PathBuf::from(env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo")
        }
    };
    Ok([(cargo, "/cargo"), (paths::workspace().to_owned(), "/op25b")])
}

/// The triple of this machine.
fn host() -> anyhow::Result<String> {
    let text = process::output_of(Command::new("rustc").arg("-vV"))?;
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(triple.context("`rustc -vV` names no host")?.to_owned())
}
