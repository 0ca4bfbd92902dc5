//! The commands that use the lab: makes the machine ready, builds what they need and becomes `testlab`.

use std::{
    convert::Infallible, ffi::OsString, os::unix::process::CommandExt as _, path::PathBuf, process::Command,
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use op25b_host::{paths, process, runtime, toolchain::on_path};

use crate::setup::{self, Purpose};

/// What `testlab` is started with: it explains its arguments itself.
#[derive(Debug, ClapArgs)]
#[command(disable_help_flag = true)]
pub struct Words {
    /// Arguments; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    words: Vec<OsString>,
}

/// Send real mail through a small ISP, without op25b and with it, and show which paths work.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Runs in network namespaces that are removed afterwards. The lab requires root: as an ordinary user,
op25b is built as you and only the lab runs through sudo.
Exit codes: 0 all paths are as expected; 1 one is not; 2 failed to run.")]
pub struct DemoArgs {}

/// The build of op25b that a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// None.
    None,
    /// The one that the tests use, too.
    Debug,
    /// With optimisation, for what measures.
    Release,
}

/// Runs the demo, through sudo unless this is root.
pub fn demo() -> anyhow::Result<Infallible> {
    setup::ensure(Purpose::Demo)?;
    let mut command = testlab(Build::Debug)?;
    command.arg("demo");
    if !runtime::is_root() {
        ensure!(
            on_path("sudo").is_some(),
            "the lab takes root, and there is no sudo here: run the demo as root"
        );
        let mut sudo = Command::new("sudo");
        sudo.arg("--").arg(command.get_program()).args(command.get_args());
        command = sudo;
        println!(
            "==> The lab takes root; everything else was done as you. Running `{}`",
            process::shown(&command)
        );
    }
    become_it(command)
}

/// Runs another command of `testlab`.
pub fn run(command: &str, Words { words }: &Words, build: Build) -> anyhow::Result<Infallible> {
    let asks_for_help = words.iter().any(|word| word == "--help" || word == "-h");
    // In a lab that is up, nothing but `testlab` is needed.
    let is_up = command == "lab" && words.first().is_none_or(|word| word != "up");
    let mut testlab = if asks_for_help || is_up {
        testlab(Build::None)?
    } else {
        setup::ensure(Purpose::Demo)?;
        testlab(build)?
    };
    testlab.arg(command).args(words);
    become_it(testlab)
}

/// Builds `testlab` and what it runs.
fn testlab(build: Build) -> anyhow::Result<Command> {
    let target = paths::target()?;
    // In one go, where both are built alike.
    let mut words = vec!["--package", "op25b-testlab", "--bin", "testlab"];
    if build == Build::Debug {
        words.extend(["--package", "op25b", "--bin", "op25b"]);
    }
    cargo_build(&words)?;
    let mut command = Command::new(target.join("debug/testlab"));
    if let Some(op25b) = op25b(build)? {
        command.arg("--op25b").arg(op25b);
    }
    Ok(command)
}

fn op25b(build: Build) -> anyhow::Result<Option<PathBuf>> {
    let target = paths::target()?;
    Ok(match build {
        Build::None => None,
        Build::Debug => Some(target.join("debug/op25b")),
        Build::Release => {
            cargo_build(&["--release", "--package", "op25b", "--bin", "op25b"])?;
            Some(target.join("release/op25b"))
        }
    })
}

fn cargo_build(words: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command.arg("build").args(words);
    eprintln!("==> {}", process::shown(&command));
    command
        .arg("--target-dir")
        .arg(paths::target()?)
        .current_dir(paths::workspace());
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "it could not be built: see above");
    Ok(())
}

/// Replaces this process, so that signals and the exit code are the other's own.
fn become_it(mut command: Command) -> anyhow::Result<Infallible> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run `{}`", process::shown(&command)))
}
