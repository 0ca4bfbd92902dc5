//! `cargo xtask bench`: builds the benchmark and runs it.

#[path = "../../../op25b-user/benches/datapath/args.rs"]
mod args;
mod compare;
mod results;

use std::{
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};
use clap::{Args as ClapArgs, Subcommand};
use op25b_host::{
    paths,
    process::{self, output_of},
};

use self::args::{Part, word};
use crate::{
    setup::{self, Purpose},
    suite,
};

/// The arguments of the benchmark, or what is done with the results of others.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    of_results: Option<OfResults>,
    #[command(flatten)]
    measured: args::Args,
}

#[derive(Debug, Subcommand)]
enum OfResults {
    Compare(compare::Args),
}

/// Runs the command.
pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    match &args.of_results {
        Some(OfResults::Compare(args)) => compare::run(args),
        None => measure(&args.measured),
    }
}

fn measure(args: &args::Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    // Only JSON may come out then.
    let through_sudo = if args.json {
        suite::quiet_privileges()?
    } else {
        suite::privileges()?
    };
    let mut bench = Command::new("cargo");
    // The profile of the tests, whose dependencies are built then: what is measured runs in the kernel, and the XDP program
    // is compiled in the same way for every profile.
    bench.args(["bench", "--quiet", "--profile", "dev"]);
    bench.args(["--package", "op25b", "--bench", "datapath"]);
    bench.current_dir(paths::workspace());
    if Part::OF_THE_COMMAND.into_iter().any(|part| args.wants(part)) {
        bench.env("OP25B_BENCH_COMMAND", build_release()?);
    }
    suite::run_tests_through(&mut bench, through_sudo)?;
    bench.arg("--").args(words(args)?);
    let status = bench.status();
    let status = status.with_context(|| format!("cannot run `{}`", process::shown(&bench)))?;
    // The benchmark, or cargo, has printed the error itself.
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds the command as for a release, and says where it is.
fn build_release() -> anyhow::Result<PathBuf> {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--package", "op25b", "--bin", "op25b"]);
    let status = build.current_dir(paths::workspace()).status();
    ensure!(
        status.is_ok_and(|status| status.success()),
        "the command does not build"
    );
    Ok(paths::target()?.join("release/op25b"))
}

/// The command line that these arguments are read from, with the commit.
fn words(args: &args::Args) -> anyhow::Result<Vec<OsString>> {
    let named = |name: &str, on: bool| on.then(|| OsString::from(format!("--{name}")));
    let listed = |name: &str, words: Vec<String>| {
        (!words.is_empty()).then(|| OsString::from(format!("--{name}={}", words.join(","))))
    };
    // The benchmark runs in a directory of cargo's choice.
    let history = args.history.as_deref().map(std::path::absolute).transpose();
    let history = history.context("cannot tell where the file of --history is")?;
    let history = history.map(|path| {
        let mut word = OsString::from("--history=");
        word.push(path);
        word
    });
    let commit = args.commit.clone().or_else(commit);
    let words = [
        named("json", args.json),
        history,
        listed("only", args.only.iter().map(word).collect()),
        listed("filter", args.filter.iter().map(word).collect()),
        listed(
            "exemptions",
            args.exemptions.iter().map(ToString::to_string).collect(),
        ),
        named("quick", args.quick),
        commit.map(|commit| OsString::from(format!("--commit={commit}"))),
    ];
    Ok(words.into_iter().flatten().collect())
}

/// What is built; `None` outside a repository.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--tags", "--exclude=*-rc*"]);
    let described = output_of(git.current_dir(paths::workspace())).ok()?;
    Some(described.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: BenchArgs,
    }

    #[test]
    fn the_benchmark_reads_the_arguments_that_it_is_handed_as_they_were_typed() {
        let typed = [
            "bench",
            "--json",
            "--history=/tmp/results.jsonl",
            "--only=test-run,live",
            "--filter=op25b,drop",
            "--exemptions=10,100000",
            "--quick",
            "--commit=v0.2.0-3-gabcdef0-dirty",
        ];
        let read = Cli::parse_from(typed).args.measured;
        assert_eq!(words(&read).unwrap(), &typed[1..]);
    }
}
