//! `cargo xtask`: set-up, lab, demo, tests, measurements and packages.

mod bench;
mod deb;
mod dist;
mod fuzz;
mod inspect;
mod lab;
mod mutants;
mod setup;
mod suite;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::{
    lab::{Build, DemoArgs, Words},
    setup::Incomplete,
};

/// Set-up, lab, demo, tests, measurements and packages of op25b.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Setup(setup::Args),
    Demo(DemoArgs),
    Test(suite::Args),
    Fuzz(fuzz::Args),
    Inspect(inspect::Args),
    Bench(bench::BenchArgs),
    /// Record the frames of the lab's hosts while mail and web pages take every path through it, for the tests to replay.
    Capture(Words),
    Mutants(mutants::Args),
    Dist(dist::Args),
    /// Send blocked and allowed traffic through a filter during reloads, crashes, upgrades and interface changes, and count
    /// packets with a wrong verdict.
    Soak(Words),
    /// Let random faults happen to a daemon while packets of enforced pools come in, and compare the kernel, the packets and
    /// everything that op25b reports.
    Chaos(Words),
    /// Measure changes of exemptions, reloads and an idle daemon; compare store, kernel and list with many clients at once and after `kill -9`.
    Exemptions(Words),
    /// Send a daemon thousands of requests generated from docs/openapi.json, valid and invalid ones, and check its responses
    /// against that description.
    Api(Words),
    Vm(vm::Args),
    /// Print what this process lacks for running the tests.
    #[command(hide = true)]
    Lacks,
    /// Run a small ISP in network namespaces, for manual tests.
    Lab(Words),
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::from(if error.is::<Incomplete>() { 1 } else { 2 })
    })
}

fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Demo(DemoArgs {}) => match lab::demo()? {},
        Command::Test(args) => suite::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Capture(words) => match lab::run("capture", &words, Build::None)? {},
        Command::Inspect(args) => inspect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Dist(args) => dist::run(&args),
        Command::Soak(words) => match lab::run("soak", &words, Build::Debug)? {},
        Command::Chaos(words) => match lab::run("chaos", &words, Build::Debug)? {},
        Command::Exemptions(words) => match lab::run("exemptions", &words, Build::Release)? {},
        Command::Api(words) => match lab::run("api", &words, Build::Debug)? {},
        Command::Vm(args) => vm::run(&args),
        Command::Lacks => Ok(suite::lacks()),
        Command::Lab(words) => match lab::run("lab", &words, Build::None)? {},
    }
}
