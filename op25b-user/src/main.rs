//! The `op25b` command.

use std::process::ExitCode;

use clap::Parser as _;
use op25b::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.start_logging();
    let ended = cli.command.run();
    op25b::cli::logging::flush();
    match ended {
        Ok(code) => code,
        Err(error) => {
            op25b::cli::report(&error);
            ExitCode::from(op25b::cli::EXIT_FAILED)
        }
    }
}
