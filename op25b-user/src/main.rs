//! The `op25b` command.

use std::process::ExitCode;

use op25b::{
    cli::{self, Invocation},
    daemon::HeldSignals,
    metrics_server,
};

fn main() -> ExitCode {
    if let Some(code) = cli::complete() {
        return code;
    }
    if let Some(code) = metrics_server::serve_if_asked() {
        return code;
    }
    // Before anything else, for `run`: until it has handlers, a signal would end it.
    let held = HeldSignals::hold();
    let Invocation { cli: parsed, is_json } = match Invocation::parse() {
        Ok(invocation) => invocation,
        Err(code) => return code,
    };
    parsed.start_logging();
    if is_json {
        cli::progress::hide();
    }
    let ended = held
        .map_err(anyhow::Error::from)
        .and_then(|held| parsed.command.run(&held));
    cli::logging::flush();
    match ended {
        Ok(code) => code,
        Err(error) => {
            if cli::pipe::is_broken(&error) {
                cli::pipe::end_by_signal();
            }
            cli::report(&error, is_json);
            ExitCode::from(cli::EXIT_FAILED)
        }
    }
}
