//! The `op25b` command.

use std::process::ExitCode;

use clap::Parser as _;
use op25b::{cli::Cli, daemon::HeldSignals};

fn main() -> ExitCode {
    // Before anything else, for `run`: until it has handlers, a signal would end it.
    let held = HeldSignals::hold();
    let cli = Cli::parse();
    cli.start_logging();
    let ended = held
        .map_err(anyhow::Error::from)
        .and_then(|held| cli.command.run(&held));
    op25b::cli::logging::flush();
    match ended {
        Ok(code) => code,
        Err(error) => {
            op25b::cli::report(&error);
            ExitCode::from(op25b::cli::EXIT_FAILED)
        }
    }
}
