//! The commands of `cargo xtask` that use the lab.

mod api;
mod capture;
mod chaos;
mod demo;
mod exemptions;
mod lab;
mod soak;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// The lab's part of `cargo xtask`, which builds op25b and this program and passes its arguments on.
#[derive(Debug, Parser)]
#[command(name = "testlab", bin_name = "cargo xtask")]
struct Cli {
    /// The op25b to run in the lab.
    #[arg(long, value_name = "FILE", hide = true)]
    op25b: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Lab(lab::Args),
    Capture(capture::Args),
    Soak(soak::Args),
    Chaos(chaos::Args),
    Exemptions(exemptions::Args),
    Api(api::Args),
}

/// Runs the command of this process's command line.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    dispatch(&cli).unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::from(2)
    })
}

fn dispatch(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Demo(demo::Args {}) => demo::run(cli.op25b()?),
        Command::Lab(args) => lab::run(args),
        Command::Capture(args) => capture::run(args),
        Command::Soak(args) => soak::run(args, cli.op25b()?),
        Command::Chaos(args) => chaos::run(args, cli.op25b()?),
        Command::Exemptions(args) => exemptions::run(args, cli.op25b()?),
        Command::Api(args) => api::run(args, cli.op25b()?),
    }
}

impl Cli {
    fn op25b(&self) -> anyhow::Result<&Path> {
        self.op25b
            .as_deref()
            .context("which op25b? `--op25b FILE` is missing")
    }
}
