//! The command line: what there is to ask of op25b, one file a subcommand.

mod check;
mod exempt;
mod explain;
pub mod logging;
mod metrics;
mod places;
mod reload;
mod run;
mod status;
mod stop;
mod subscribers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code of a command that did its work and whose answer is no.
pub const EXIT_NO: u8 = 1;
/// Exit code of a command that could not do its work; clap uses the same for wrong usage.
pub const EXIT_FAILED: u8 = 2;
/// Exit code of `status` without a running filter (as in the Linux Standard Base).
pub const EXIT_NOT_RUNNING: u8 = 3;

/// Blocks outbound port 25 (OP25B) from dynamic address pools, in XDP.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done; 1 the answer is no (see the subcommand); 2 could not be done; \
                  3 status: no filter is running."
)]
pub struct Cli {
    /// How log lines look: for people, or one JSON object a line.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: logging::Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a policy file and report every error and warning in it.
    Check(check::Args),
    /// Enforce a policy, and keep it up to date until SIGINT or SIGTERM.
    Run(run::Args),
    /// Have the daemon enforce the policy as its file is now.
    Reload(reload::Args),
    /// End the daemon, and with `--detach` the filter too.
    Stop(stop::Args),
    /// Show the filters that are running here, and what they counted.
    Status(status::Args),
    /// Show which subscribers are hit, and how.
    Subscribers(subscribers::Args),
    /// Print the daemon's metrics for Prometheus.
    Metrics(metrics::Args),
    /// Say what happens to a connection, and which rule decides.
    Explain(explain::Args),
    /// Add, change, remove and show exemptions, without a new policy.
    Exempt(exempt::Args),
}

impl Command {
    /// How much the command logs unless `RUST_LOG` says otherwise.
    #[must_use]
    pub fn default_log_filter(&self) -> &'static str {
        match self {
            Self::Run(args) => args.log_filter(),
            _ => "warn",
        }
    }

    /// Does what the command says.
    ///
    /// # Errors
    ///
    /// Why it could not be done, for [`report`].
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(args) => check::run(args),
            Self::Run(args) => run::run(args),
            Self::Reload(args) => reload::run(args),
            Self::Stop(args) => stop::run(args),
            Self::Status(args) => status::run(args),
            Self::Subscribers(args) => subscribers::run(args),
            Self::Metrics(args) => metrics::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Exempt(args) => exempt::run(args),
        }
    }
}

/// Prints an error with its causes, unless it only says that the reader of our output went away.
pub fn report(error: &anyhow::Error) {
    if !is_broken_pipe(error) {
        anstream::eprintln!("op25b: {}", causes(error));
    }
}

/// The error and its causes on one line, without those that only repeat what was said.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_that_only_repeats_is_left_out() {
        let error = anyhow::anyhow!("no such interface")
            .context("cannot attach: no such interface")
            .context("run");
        assert_eq!(causes(&error), "run: cannot attach: no such interface");
    }
}
