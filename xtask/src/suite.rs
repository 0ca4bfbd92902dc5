//! `cargo xtask test`: everything that says whether op25b works, in one command.

use std::{
    env,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use op25b_host::{
    paths,
    process::{self, output_of},
    runtime,
    toolchain::{self, on_path},
};

use crate::setup::{self, Purpose};

/// Check format and lints, including the XDP program's, and run every test, with a kernel and a real mail server.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
No test is skipped: a missing prerequisite is an error that names it. As an ordinary user everything is built as you,
and the tests run through sudo.
Exit codes: 0 all checks passed; 1 a check failed or something is missing; 2 failed to run.")]
pub struct Args {}

/// One part of the suite.
struct Step {
    name: &'static str,
    command: Command,
}

/// Runs the command.
pub fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    let through_sudo = privileges()?;
    let mut results = Vec::new();
    for Step { name, mut command } in steps(through_sudo)? {
        println!("\n==> {name}\n    {}", process::shown(&command));
        let start = Instant::now();
        let status = command.current_dir(paths::workspace()).status();
        let status = status.with_context(|| format!("cannot run `{}`", process::shown(&command)))?;
        results.push((name, status.success(), start.elapsed()));
    }
    Ok(summary(&results))
}

/// Whether tests have to go through sudo; an error if they cannot be run at all.
pub(crate) fn privileges() -> anyhow::Result<bool> {
    if !runtime::is_root() {
        println!(
            "==> Tests that load XDP programs take root: everything is built as you, and they run through sudo"
        );
    }
    quiet_privileges()
}

/// The same without a word on stdout, for a command whose output is read by a program.
pub(crate) fn quiet_privileges() -> anyhow::Result<bool> {
    if runtime::is_root() {
        let lacks = runtime::lacks();
        ensure!(lacks.is_empty(), "the tests need {}", lacks.join("; and "));
        return Ok(false);
    }
    if on_path("sudo").is_none() {
        bail!(
            "the tests load XDP programs and make network namespaces: that takes root, and there is no sudo here"
        );
    }
    // Asks for the password now, not in the middle; and finds out what root lacks here.
    let this = env::current_exe().context("cannot tell where this program is")?;
    let status = Command::new("sudo")
        .arg("--")
        .arg(this)
        .arg("lacks")
        .status()
        .context("cannot run sudo")?;
    ensure!(
        status.success(),
        "the tests cannot be run here, even through sudo: see above"
    );
    Ok(true)
}

/// Prints what this process lacks for running the tests: the part of [`run`] that root has to answer.
#[must_use]
pub fn lacks() -> ExitCode {
    let lacks = runtime::lacks();
    for lack in &lacks {
        eprintln!("the tests need {lack}");
    }
    if lacks.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn steps(through_sudo: bool) -> anyhow::Result<Vec<Step>> {
    let cargo = |words: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(words);
        command
    };
    let mut test = cargo(&["test", "--workspace", "--exclude", "op25b-ebpf", "--no-fail-fast"]);
    run_tests_through(&mut test, through_sudo)?;
    Ok(vec![
        Step {
            name: "format",
            command: cargo(&["fmt", "--all", "--check"]),
        },
        Step {
            name: "lints",
            command: cargo(&[
                "clippy",
                "--workspace",
                "--exclude",
                "op25b-ebpf",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]),
        },
        Step {
            name: "lints of the XDP program",
            command: bpf_clippy()?,
        },
        Step {
            name: "tests",
            command: test,
        },
    ])
}

/// Has cargo run what it built through sudo, if that is what [`privileges`] said.
pub(crate) fn run_tests_through(cargo: &mut Command, through_sudo: bool) -> anyhow::Result<()> {
    if through_sudo {
        cargo.env(format!("CARGO_TARGET_{}_RUNNER", host_triple()?), "sudo -E --");
    }
    Ok(())
}

/// Clippy for BPF, with the compiler and the flags that the build uses (`aya-build` knows the latter).
fn bpf_clippy() -> anyhow::Result<Command> {
    let toolchain = toolchain::find()?;
    let mut command = toolchain.command("cargo");
    command.args(["clippy", "--package", "op25b-ebpf", "--bins", "--release"]);
    command.args([
        "--target",
        "bpfel-unknown-none",
        "-Z",
        "build-std=core",
        "--target-dir",
    ]);
    // Beside the other one: its lock is not waited for, nor are its files thrown away.
    command
        .arg(paths::target()?.join("bpf-clippy"))
        .args(["--", "-D", "warnings"]);
    let flags = [
        format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH),
        "-Cdebuginfo=2".into(),
    ];
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    if toolchain.needs_bootstrap {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    Ok(command)
}

/// The host's target triple, as cargo writes it into names of variables.
fn host_triple() -> anyhow::Result<String> {
    let text = output_of(Command::new("rustc").arg("-vV"))?;
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(triple
        .context("rustc does not tell its host")?
        .to_uppercase()
        .replace('-', "_"))
}

fn summary(results: &[(&str, bool, Duration)]) -> ExitCode {
    println!();
    for (name, good, took) in results {
        println!(
            "{:<6} {name} ({:.0} s)",
            if *good { "ok" } else { "FAILED" },
            took.as_secs_f64()
        );
    }
    if results.iter().all(|(_, good, _)| *good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
