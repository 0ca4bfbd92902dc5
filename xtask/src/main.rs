//! `cargo xtask`: everything around building op25b.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{
    demo,
    lab::command as lab,
    setup::{self, Incomplete},
};

/// op25b's set-up, lab, demo and tests.
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
    Lab(lab::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
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
