//! The `op25b` command.

use std::process::ExitCode;

use clap::Parser as _;
use op25b::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    op25b::cli::logging::start(cli.log_format, cli.command.default_log_filter());
    match cli.command.run() {
        Ok(code) => code,
        Err(error) => {
            op25b::cli::report(&error);
            ExitCode::from(op25b::cli::EXIT_FAILED)
        }
    }
}
