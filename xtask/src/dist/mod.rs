//! `cargo xtask dist`: builds the packages of a release.

mod build;
mod changelog;
mod compare;
mod contents;
mod deb;
mod rpm;
mod sbom;
mod sums;
mod tarball;
mod tools;
mod tree;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use op25b_host::{paths, process};

use self::build::Build;
use crate::setup::{self, Purpose};

/// Build the packages of a release: for Debian, as RPM and as a tar archive, with a bill of materials and checksums.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The version is the one in Cargo.toml, and the time of every file that of the commit. What the packages are made with is
built from crates.io, once, into target/tools.
Exit codes: 0 built; 1 the second build is different; 2 failed.")]
pub struct Args {
    /// Directory for the packages; target/dist by default.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Build the version with another number and another layout of its maps that upgrades are tested with.
    #[arg(long)]
    other_layout: bool,
    /// Build for another machine, such as aarch64-unknown-linux-gnu; for x86_64-unknown-linux-musl only the archive is made.
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Build everything a second time, in another directory, and compare the bytes.
    #[arg(long)]
    compare: bool,
}

/// What is built, and as what.
struct Release {
    /// The version, as `op25b --version` prints it.
    version: String,
    /// The time of the commit, in seconds since 1970: files in packages have no other.
    time: String,
    /// The program.
    build: Build,
    /// Where packages are written.
    output: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Demo)?;
    if args.compare {
        compare::ensure_committed()?;
    }
    let release = Release::new(args)?;
    release.build.run()?;
    tree::write(&release)?;
    tarball::write(&release)?;
    sbom::write(&release)?;
    if !release.build.is_static() {
        deb::build(&release)?;
        rpm::build(&release)?;
        contents::compare(&release)?;
    }
    sums::write(&release)?;
    println!("the packages are in {}", release.output.display());
    if args.compare {
        return compare::run(&release);
    }
    Ok(ExitCode::SUCCESS)
}

impl Release {
    fn new(args: &Args) -> anyhow::Result<Self> {
        let work = paths::target()?.join("dist");
        let output = match &args.output {
            Some(output) => std::path::absolute(output)?,
            None => work.clone(),
        };
        fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
        let number = env!("CARGO_PKG_VERSION");
        Ok(Self {
            version: if args.other_layout {
                format!("{number}+other.layout")
            } else {
                number.to_owned()
            },
            time: time_of_commit()?,
            build: Build::new(&work, args.target.as_deref(), args.other_layout)?,
            output,
        })
    }

    /// Whether a file is a package of this version, or its checksums.
    fn has(&self, file: &Path) -> bool {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name == sums::NAME || sums::is_of(name, &self.version)
    }
}

/// The files in a directory, by their names.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The time that `SOURCE_DATE_EPOCH` names, as reproducible builds agree on, or that of the commit.
fn time_of_commit() -> anyhow::Result<String> {
    if let Ok(time) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(time);
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(paths::workspace());
    let time = process::output_of(&mut git)
        .context("cannot find the time of the commit: outside a git repository, set SOURCE_DATE_EPOCH")?;
    Ok(time.trim().to_owned())
}
