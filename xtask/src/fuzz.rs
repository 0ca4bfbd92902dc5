//! `cargo xtask fuzz`: compares the program with the oracle for longer than a test may take.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use op25b_host::{paths, process};

use crate::{
    setup::{self, Purpose},
    suite,
};

/// Compare the XDP program with the oracle of the tests on random policies and packets.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Stops at the first difference, which is reduced, printed, and saved as a file in op25b-user/tests/oracle/differences;
`cargo xtask test` checks it from then on. Commit that file.
Exit codes: 0 no difference; 1 a difference, or something is missing; 2 failed to run.")]
pub struct Args {
    /// Minutes to run.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    minutes: u64,
}

/// The test that does it, and the variable that sets the duration.
const TEST: &str = "differential::the_program_agrees_with_the_oracle";
const VARIABLE: &str = "OP25B_FUZZ_SECONDS";

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    let through_sudo = suite::privileges()?;
    let mut build = cargo_test();
    build.arg("--no-run");
    let status = build.status();
    let status = status.with_context(|| format!("cannot run `{}`", process::shown(&build)))?;
    ensure!(status.success(), "the test cannot be built: see above");

    let mut test = cargo_test();
    suite::run_tests_through(&mut test, through_sudo)?;
    test.env(VARIABLE, (args.minutes * 60).to_string());
    test.args(["--", "--exact", TEST, "--nocapture"]);
    println!(
        "==> {} min of packets\n    {}",
        args.minutes,
        process::shown(&test)
    );
    let status = test.status();
    let status = status.with_context(|| format!("cannot run `{}`", process::shown(&test)))?;
    // The test itself has printed how many there were, or the difference and where it is saved.
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn cargo_test() -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--package", "op25b", "--test", "oracle"]);
    command.current_dir(paths::workspace());
    command
}
