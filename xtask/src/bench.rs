//! `cargo xtask bench`: builds the benchmark and runs it.

#[path = "../../op25b-user/benches/datapath/args.rs"]
mod args;

use std::process::{Command, ExitCode};

use anyhow::Context as _;
use op25b_host::{paths, process};

pub use self::args::Args;
use self::args::word;
use crate::{
    setup::{self, Purpose},
    suite,
};

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    // Only JSON may come out then.
    let through_sudo = if args.json {
        suite::quiet_privileges()?
    } else {
        suite::privileges()?
    };
    let mut bench = Command::new("cargo");
    bench.args(["bench", "--quiet", "--package", "op25b", "--bench", "datapath"]);
    bench.current_dir(paths::workspace());
    suite::run_tests_through(&mut bench, through_sudo)?;
    bench.arg("--").args(args.words());
    let status = bench.status();
    let status = status.with_context(|| format!("cannot run `{}`", process::shown(&bench)))?;
    // The benchmark, or cargo, has printed the error itself.
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Args {
    /// The command line that these arguments are read from.
    fn words(&self) -> Vec<String> {
        let named = |name: &str, on: bool| on.then(|| format!("--{name}"));
        let listed = |name: &str, words: Vec<String>| {
            (!words.is_empty()).then(|| format!("--{name}={}", words.join(",")))
        };
        [
            named("json", self.json),
            named("quick", self.quick),
            listed("only", self.only.iter().map(word).collect()),
            listed("filter", self.filter.iter().map(word).collect()),
            listed(
                "exemptions",
                self.exemptions.iter().map(ToString::to_string).collect(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_benchmark_reads_the_arguments_that_it_is_handed_as_they_were_typed() {
        let typed = [
            "bench",
            "--json",
            "--quick",
            "--only=test-run,live",
            "--filter=op25b,drop",
            "--exemptions=10,100000",
        ];
        let read = Cli::parse_from(typed).args;
        assert_eq!(read.words(), &typed[1..]);
        let nothing = Cli::parse_from(["bench"]).args;
        assert!(nothing.words().is_empty());
    }
}
