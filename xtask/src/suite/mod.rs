//! `cargo xtask test`: runs every check and every test, in one command.

mod targets;

use std::{
    env, fs,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    thread,
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

/// Check format, lints, including the XDP program's, and documentation, and run every test, with a kernel and a real mail
/// server.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
No test is skipped: a missing prerequisite is an error that names it. As an ordinary user everything is built as you,
and the tests run through sudo.
Exit codes: 0 all checks passed; 1 a check failed or something is missing; 2 failed to run.")]
pub struct Args {}

/// One part of the suite.
struct Step {
    name: &'static str,
    work: Work,
}

/// What a part does.
enum Work {
    /// Runs a command, which fails if something is wrong.
    Run(Command),
    /// Runs two at once, of which the second one is shown when both have ended.
    Both(Command, Command),
    /// Looks for leftovers of other tools.
    FindLeftovers,
}

/// The integration tests that wait most of the time: for packets that should not come, and for the next second. Others run beside
/// them.
const WAITING: [&str; 1] = ["namespaces"];

/// Those that need the machine for themselves: they measure how soon something happens.
const ALONE: [&str; 2] = ["chaos", "soak"];

/// How the names of files end that merges, patches and snapshot tests leave behind.
const LEFTOVERS: [&str; 3] = [".orig", ".rej", ".snap.new"];

/// Runs the command.
pub fn run(_args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    let through_sudo = privileges()?;
    let mut results = Vec::new();
    for Step { name, work } in steps(through_sudo)? {
        println!("\n==> {name}");
        let start = Instant::now();
        let is_good = work.run()?;
        results.push((name, is_good, start.elapsed()));
    }
    Ok(summary(&results))
}

impl Work {
    /// True if nothing is wrong.
    fn run(self) -> anyhow::Result<bool> {
        match self {
            Self::Run(mut command) => {
                println!("    {}", process::shown(&command));
                let status = command.current_dir(paths::workspace()).status();
                let status = status.with_context(|| format!("cannot run `{}`", process::shown(&command)))?;
                Ok(status.success())
            }
            Self::Both(first, second) => run_both(first, second),
            Self::FindLeftovers => {
                let found = leftovers(paths::workspace()).context("cannot search the workspace")?;
                for path in &found {
                    println!("    {} is a leftover: remove it", path.display());
                }
                Ok(found.is_empty())
            }
        }
    }
}

/// Runs two commands at once; true if both succeed.
fn run_both(mut first: Command, mut second: Command) -> anyhow::Result<bool> {
    println!("    {}", process::shown(&first));
    println!("    {}", process::shown(&second));
    let mut output = tempfile::tempfile().context("cannot create a temporary file")?;
    second.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let mut beside = second.current_dir(paths::workspace()).spawn();
    let status = first.current_dir(paths::workspace()).status();
    let beside = match &mut beside {
        // Also if the first one did not start, as it must not be left behind.
        Ok(child) => child.wait(),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    let beside = beside.with_context(|| format!("cannot run `{}`", process::shown(&second)))?;
    let status = status.with_context(|| format!("cannot run `{}`", process::shown(&first)))?;
    println!("\n    {}", process::shown(&second));
    output.rewind()?;
    let mut text = Vec::new();
    output.read_to_end(&mut text)?;
    print!("{}", String::from_utf8_lossy(&text));
    Ok(status.success() && beside.success())
}

/// The leftovers below a directory, other than in cargo's and git's own.
fn leftovers(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with(".git") && !path.join("CACHEDIR.TAG").exists() {
                found.extend(leftovers(&path)?);
            }
        } else if LEFTOVERS
            .iter()
            .any(|ending| path.to_string_lossy().ends_with(ending))
        {
            found.push(path);
        }
    }
    Ok(found)
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
    // sudo prompts for the password now, not in the middle; and this finds what root lacks here.
    let this = env::current_exe().context("cannot find the path of this program")?;
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
    let mut documentation = cargo(&["doc", "--workspace", "--exclude", "op25b-ebpf", "--no-deps"]);
    documentation.arg("--document-private-items");
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    let mut parsers = cargo(&["doc", "--package", "op25b-ebpf", "--lib", "--no-deps"]);
    parsers.env("RUSTDOCFLAGS", "-D warnings");
    let tests = tests(through_sudo)?;
    let clippy = cargo(&[
        "clippy",
        "--workspace",
        "--exclude",
        "op25b-ebpf",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    let checks = vec![
        Step {
            name: "leftovers",
            work: Work::FindLeftovers,
        },
        Step {
            name: "format",
            work: Work::Run(cargo(&["fmt", "--all", "--check"])),
        },
        Step {
            name: "lints",
            work: Work::Run(clippy),
        },
        Step {
            name: "lints of the XDP program",
            work: Work::Run(bpf_clippy()?),
        },
        Step {
            name: "lints of its parsers, for the host",
            work: Work::Run(cargo(&[
                "clippy",
                "--package",
                "op25b-ebpf",
                "--lib",
                "--tests",
                "--",
                "-D",
                "warnings",
            ])),
        },
        Step {
            name: "unit tests of its parsers",
            work: Work::Run(cargo(&["test", "--package", "op25b-ebpf", "--lib"])),
        },
        Step {
            name: "documentation of its parsers",
            work: Work::Run(parsers),
        },
        Step {
            name: "documentation",
            work: Work::Run(documentation),
        },
    ];
    Ok(checks.into_iter().chain(tests).collect())
}

/// The tests of all packages but the XDP program's.
fn tests(through_sudo: bool) -> anyhow::Result<Vec<Step>> {
    let everything = ["test", "--workspace", "--exclude", "op25b-ebpf", "--no-fail-fast"];
    let cargo = |words: &[&str]| -> anyhow::Result<Command> {
        let mut command = Command::new("cargo");
        command.args(everything).args(words);
        run_tests_through(&mut command, through_sudo)?;
        Ok(command)
    };
    let named = |mut command: Command, names: &[&str]| {
        command.args(names.iter().flat_map(|name| ["--test", *name]));
        command
    };
    let all = targets::integration_tests()?;
    let others: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|name| !WAITING.contains(name) && !ALONE.contains(name))
        .collect();
    let mut waiting = named(cargo(&[])?, &WAITING);
    if env::var_os("RUST_TEST_THREADS").is_none() {
        let threads = 3 * thread::available_parallelism().map_or(1, usize::from);
        waiting.env("RUST_TEST_THREADS", threads.to_string());
    }
    Ok(vec![
        Step {
            name: "build of the tests",
            work: Work::Run(cargo(&["--no-run", "--quiet"])?),
        },
        Step {
            name: "tests",
            work: Work::Both(named(cargo(&["--lib", "--bins"])?, &others), waiting),
        },
        Step {
            name: "tests that need the machine for themselves",
            work: Work::Run(named(cargo(&[])?, &ALONE)),
        },
        Step {
            name: "examples in the documentation",
            work: Work::Run(cargo(&["--doc", "--quiet"])?),
        },
    ])
}

/// Has cargo run what it built through sudo, if [`privileges`] requires it.
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
    // Where the program is compiled, with macros in common; `aya-build` has chosen the rest of the path.
    command
        .arg(toolchain::bpf_directory(&paths::target()?).join("aya-build/target/op25b-ebpf"))
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
        .context("rustc does not report its host")?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leftover_is_found_wherever_it_is_but_where_cargo_builds() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for directory in ["src/deep", "target"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in [
            "src/deep/a.snap",
            "src/deep/a.snap.new",
            "target/b.orig",
            "target/CACHEDIR.TAG",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        assert_eq!(leftovers(root).unwrap(), [root.join("src/deep/a.snap.new")]);
    }
}
