//! `cargo xtask`: set-up, lab, demo, tests and measurements.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{
    api, bench, capture, demo, exemptions, fuzz, inspect,
    lab::command as lab,
    mutants,
    setup::{self, Incomplete},
    soak, suite,
};

/// Set-up, lab, demo, tests and measurements of op25b.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Setup(setup::Args),
    Demo(demo::Args),
    Test(suite::Args),
    Fuzz(fuzz::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Capture(capture::Args),
    Mutants(mutants::Args),
    Soak(soak::Args),
    Exemptions(exemptions::Args),
    Api(api::Args),
    /// Print what this process lacks for running the tests.
    #[command(hide = true)]
    Lacks,
    Lab(lab::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => suite::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Capture(args) => capture::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Exemptions(args) => exemptions::run(&args),
        Command::Api(args) => api::run(&args),
        Command::Lacks => Ok(suite::lacks()),
        Command::Lab(args) => lab::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::from(if error.is::<Incomplete>() { 1 } else { 2 })
        }
    }
}
